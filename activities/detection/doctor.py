"""Doctor's look at the witnesses: whether each polls its task queue, and whether it sees what it is to look at."""

from __future__ import annotations

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client

from activities.detection.models import Standing, witness_queue
from activities.detection.standing import standing_on
from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding
from activities.run.pollers import polls
from activities.run.watches import WATCHES


async def of_detection(client: Client, queue: str, witnesses: tuple[str, ...]) -> list[Finding]:
    """Return what doctor says of the witnesses, and of what each of them cannot see."""
    there = await of_witnesses(client, queue, witnesses)
    watches = (await standing_on(client, queue)) if witnesses else {}
    return there + [finding for watch, said in watches.items() for finding in _sight(watch, said)]


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
