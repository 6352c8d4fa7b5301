"""Doctor's look at the witnesses: whether each polls its task queue, and whether it sees what it is to look at."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client

from activities.detection.models import Standing, witness_queue
from activities.detection.standing import standing_on
from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding
from activities.run.pollers import polls
from activities.run.watches import WATCHES, watch_of
from estate.gateways import Gateway
from estate.model import Estate
from estate.regions import RegionFailover


async def of_detection(client: Client, queue: str, estate: Estate) -> list[Finding]:
    """Return what doctor says of the witnesses, of what each of them cannot see, and of what nobody watches."""
    witnesses, wanted = estate.witnesses, _asked_for(estate)
    there = await of_witnesses(client, queue, witnesses)
    watches = (await standing_on(client, queue)) if witnesses or wanted else {}
    found = [finding for watch, said in watches.items() for finding in _sight(watch, said)]
    return there + found + [_unwatched(one, witnesses) for one in wanted if one not in watches]


def _asked_for(estate: Estate) -> list[str]:
    """Return the watches for which the estate has a key: a gateway's, and a region's."""
    gateways: Mapping[str, Gateway | RegionFailover] = estate.gateways
    sections = {"gateway": gateways, "region": estate.region_failovers}
    return [watch_of(kind, name) for kind, ones in sections.items() for name in sorted(ones) if ones[name].watch]


def _unwatched(watch: str, witnesses: tuple[str, ...]) -> Finding:
    name = watch.removeprefix(WATCHES)
    if not witnesses:
        return fault(f"detection of {name}", "the estate has watch, and witnesses names nobody", "name witnesses")
    return warning(f"detection of {name}", "the estate has watch, and it does not run", f"failover detection start {name}")


def _sight(watch: str, said: Standing) -> list[Finding]:
    """Return what the witnesses of one target do not see; nothing where all see."""
    if not said.silent:
        return []
    count = len(said.witnesses)
    seeing, subject = count - len(said.silent), f"detection of {watch.removeprefix(WATCHES)}"
    message = f"{seeing} of {count} witnesses see: {'; '.join(said.silent)}"
    remedy = "see the logs of those pods, and their network to the API server and the target"
    if 2 * seeing > count:
        return [warning(subject, message, remedy)]
    return [fault(subject, f"BLIND, it begins nothing: {message}", remedy)]


async def of_witnesses(client: Client, queue: str, witnesses: tuple[str, ...]) -> list[Finding]:
    """Return what doctor says of the witnesses; nothing where the estate names none: nothing is watched then."""
    if not witnesses:
        return []
    kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    absent = [name for name in witnesses if not await polls(client, witness_queue(queue, name), kind)]
    there, subject = len(witnesses) - len(absent), "witnesses"
    if not absent:
        return [ok(subject, f"all {len(witnesses)} are there")]
    words = f"{there} of {len(witnesses)} are there, not {', '.join(absent)}"
    remedy = (
        f"`kubectl logs {absent[0]}` says why; witnesses need TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE of the workers"
        " (ConfigMap failover-temporal) and the name in FAILOVER_WITNESS that the estate lists"
    )
    if 2 * there > len(witnesses):
        return [warning(subject, words, remedy)]
    return [fault(subject, f"{words}: no majority, so automatic detection finds nothing", remedy)]
