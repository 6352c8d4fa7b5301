"""The runs of watches whose histories are kept; they are recorded in front of the fakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import yaml
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from activities.detection.models import Condition, Finding, Kind, Look
from activities.run.models.wire import read
from activities.run.watches import WATCH_TYPES
from tests.azure.pair import SUBSCRIPTION
from tests.detection.bench import GONE, QUICK, WELL, WatchBench
from tests.detection.region_samples import list_region, lost
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres.bench import Handle
from tests.postgres.gone import Gone, bring_back, take_away
from workflows.detection.models import WatchStatus, watch_id

_AUTOMATIC = {**QUICK, "policy": "automatic"}
_ENTRIES: dict[Kind, tuple[str, dict[str, Any]]] = {
    Kind.REDIS: ("redis", {"servers": ["redis-0", "redis-1"], "sentinels": ["sentinel-0", "sentinel-1", "sentinel-2"]}),
    Kind.NODES: ("node_pools", {"selector": {"agentpool": "workers"}}),
    Kind.PODS: ("workloads", {"deployment": "api-deployment"}),
    Kind.GATEWAY: (
        "gateways",
        {"subscription": SUBSCRIPTION, "resource_group": "rg", "pool": "api-pool", "backends": ["10.0.1.10", "10.0.1.11"]},
    ),
}
"""Kind → (section of the estate, what an entry of it says)."""


async def _automatic(bench: WatchBench) -> Handle:
    """Fail over by itself, cool down until somebody acknowledges it, and lose a witness for a while."""
    watch = await bench.watch()
    take_away(bench.bench.world, Gone.DEAD)
    bench.let(GONE)
    await bench.bench.finished(await bench.run())
    await bench.until_said("holds until")
    bench.let(WELL)
    await bench.until_well()
    bring_back(bench.bench.world)
    await watch.execute_update("acknowledge", {"by": "dana"})
    await bench.dismiss("west")
    await bench.bench.until(lambda: _is_silent(bench, 1))
    bench.serve("west")
    await bench.bench.until(lambda: _is_silent(bench, 0))
    await watch.cancel()
    return watch


async def _asked(bench: WatchBench) -> Handle:
    """Withdraw what nobody has decided on, and rest."""
    watch = await bench.watch()
    take_away(bench.bench.world, Gone.DEAD)
    bench.let(GONE)
    run = await bench.run()
    await bench.bench.until_phase(run, "awaiting approval")
    bench.let(WELL)
    await bench.bench.refused(run)
    await bench.until_said("withdrawn by detection")
    bench.let(GONE)
    await bench.until_gone()
    await watch.cancel()
    return watch


async def _relieved(bench: WatchBench) -> Handle:
    """Have a leader relieved that is asked to end: refused once, then done."""
    watch = await bench.watch()
    bench.bench.world.members[B].asynchronous = True
    bench.let(Look(leaving=(A,)))
    await bench.bench.refused(await bench.run())
    bench.bench.world.members[B].asynchronous = False
    await bench.until_said("completed")
    bench.let(WELL)
    await watch.cancel()
    return watch


async def _told(bench: WatchBench) -> Handle:
    """Say so only, and begin another history."""
    watch = await bench.watch()
    first = (await watch.describe()).run_id
    bench.let(GONE, "east", "north")
    await bench.until_said("the policy is to notify")
    bench.let(WELL)
    await bench.until_well()
    await watch.signal("read_again")
    await bench.bench.until(lambda: _is_another(bench, first))
    await watch.cancel()
    return bench.bench.client.get_workflow_handle(bench.watch_id, run_id=first)


def _listed(bench: WatchBench, kind: Kind) -> str:
    """List something of ``kind`` beside the cluster; return its name."""
    name = f"{kind.value}-{uuid4().hex[:8]}"
    section, entry = _ENTRIES[kind]
    content = yaml.safe_load(bench.bench.estate.read_text(encoding="utf-8"))
    watch = _AUTOMATIC | ({"healthy_after": "PT0S"} if kind is Kind.GATEWAY else {})
    content[section] = {name: {"region": "eastus", "watch": watch, **entry}}
    bench.bench.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
    return name


async def _withdrawn_by(bench: WatchBench, watch: Handle) -> None:
    """Wait until a watch has begun a run, let all be well, and wait until the run was told so."""
    await bench.bench.until(lambda: _has_begun_one(watch))
    (lock,) = (await _status(watch)).open
    begun = bench.bench.client.get_workflow_handle(lock)
    bench.bench.started.append(begun)
    bench.let(WELL)
    await bench.bench.until(lambda: _was_told(begun))


def _of_another(kind: Kind) -> Callable[[WatchBench], Awaitable[Handle]]:
    """Return a watch that begins a failover of what is no PostgreSQL cluster, and withdraws it."""

    async def run(bench: WatchBench) -> Handle:
        name = _listed(bench, kind)
        watch = await bench.bench.start({"target": name}, workflow=WATCH_TYPES[kind.value], id=watch_id(kind, name))
        bench.let(Look(findings=(Finding(subject=name, condition=Condition.STOPPED, words="it is down"),)))
        await _withdrawn_by(bench, watch)
        await watch.cancel()
        return watch

    return run


async def _region(bench: WatchBench) -> Handle:
    """Say that a region is lost, with the command that leaves it, until it answers again."""
    name = list_region(bench.bench.estate)
    watch = await bench.bench.start({"target": name}, workflow="region-watch", id=watch_id(Kind.REGION, name))
    bench.let(lost(name))
    await bench.bench.until(lambda: _has_said(watch, "failover start region-failover"))
    bench.let(WELL)
    await bench.bench.until(lambda: _is_well(watch))
    await watch.cancel()
    return watch


async def _gateway(bench: WatchBench) -> Handle:
    """Leave alone what somebody else has taken out, then withdraw the run that takes another one out."""
    name = _listed(bench, Kind.GATEWAY)
    watch = await bench.bench.start({"target": name}, workflow="gateway-watch", id=watch_id(Kind.GATEWAY, name))
    bench.let(Look(findings=(Finding(subject="10.0.1.11", condition=Condition.RETURNED, words="200"),)))
    await bench.bench.until(lambda: _has_said(watch, "somebody else has taken it out"))
    bench.let(Look(findings=(Finding(subject="10.0.1.10", condition=Condition.STOPPED, words="503"),)))
    await _withdrawn_by(bench, watch)
    await watch.cancel()
    return watch


async def _has_said(watch: Handle, words: str) -> bool:
    return words in (await _status(watch)).last_words


async def _is_well(watch: Handle) -> bool:
    return not (await _status(watch)).gone


async def _status(watch: Handle) -> WatchStatus:
    return read(WatchStatus, await watch.query("watch_status"))


async def _has_begun_one(watch: Handle) -> bool:
    return bool((await _status(watch)).open)


async def _was_told(run: Handle) -> bool:
    events = (await run.fetch_history()).events
    return any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED for event in events)


async def _of_nothing(bench: WatchBench) -> Handle:
    return await bench.watch({"target": "unknown"}, id=watch_id(Kind.POSTGRES, "unknown"))


async def _withdrawn(bench: WatchBench) -> Handle:
    """Return the failover that a watch has begun and withdraws."""
    await bench.watch()
    take_away(bench.bench.world, Gone.DEAD)
    bench.let(GONE)
    run = await bench.run()
    await bench.bench.until_phase(run, "awaiting approval")
    bench.let(WELL)
    return run


async def _started(bench: WatchBench) -> Handle:
    """Start what the estate lists, twice."""
    await (await bench.bench.start({}, workflow="watchers-start", id="watchers-start")).result()
    handle = await bench.bench.start({"target": bench.bench.cluster}, workflow="watchers-start", id="watchers-start")
    await handle.result()
    await bench.bench.client.get_workflow_handle(bench.watch_id).cancel()
    return handle


async def _starts_nothing(bench: WatchBench) -> Handle:
    return await bench.bench.start({"target": "unknown"}, workflow="watchers-start", id="watchers-start")


async def _start_cancelled(bench: WatchBench) -> Handle:
    hanging = bench.bench.world.faults.order("watch.list", Fault.HANGS)
    handle = await bench.bench.start({}, workflow="watchers-start", id="watchers-start")
    await hanging.reached.wait()
    await handle.cancel()
    return handle


async def _is_silent(bench: WatchBench, count: int) -> bool:
    return len((await bench.status()).silent) == count


async def _is_another(bench: WatchBench, first: str) -> bool:
    found = await bench.bench.client.get_workflow_handle(bench.watch_id).describe()
    return found.run_id != first and found.status is WorkflowExecutionStatus.RUNNING


WATCH_RUNS: dict[str, tuple[str, Callable[[WatchBench], Awaitable[Handle]]]] = {
    "watch-automatic": ("automatic", _automatic),
    "watch-asked": ("ask", _asked),
    "watch-relieves": ("ask", _relieved),
    "watch-told": ("notify", _told),
    "watch-refused": ("notify", _of_nothing),
    "watch-redis": ("notify", _of_another(Kind.REDIS)),
    "watch-nodes": ("notify", _of_another(Kind.NODES)),
    "watch-pods": ("notify", _of_another(Kind.PODS)),
    "watch-gateway": ("notify", _gateway),
    "watch-region": ("notify", _region),
    "forced-withdrawn": ("ask", _withdrawn),
    "watchers-started": ("notify", _started),
    "watchers-start-refused": ("notify", _starts_nothing),
    "watchers-start-cancelled": ("notify", _start_cancelled),
}
"""Name → (policy, what happens)."""
