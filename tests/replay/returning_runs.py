"""The runs of ``region-fence`` and ``region-recovery`` whose histories are kept; made as those of ``region-failover``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.region.failover_bench import RegionFailoverBench
from tests.region.returning_bench import (
    ask_fence,
    ask_recovery,
    failover_of,
    give_back,
    lose_and_leave,
    old_of,
    recovered,
)

Run = Callable[[RegionFailoverBench], Awaitable[Handle]]
_FENCING = "waiting for the lost region"


async def _left(bench: RegionFailoverBench) -> str:
    """Lose a region whose primary has high availability, and leave it; return the failover's run ID."""
    bench.azure.flexible.server(old_of(bench)).ha_mode = "ZoneRedundant"
    await lose_and_leave(bench)
    return await failover_of(bench)


async def _returned(bench: RegionFailoverBench) -> Handle:
    await _left(bench)
    await bench.until_phase(bench.fence, _FENCING)
    await give_back(bench)
    return bench.fence


async def _stopped(bench: RegionFailoverBench) -> Handle:
    await _left(bench)
    await give_back(bench, forgets=True)
    return bench.fence


async def _fence_fails_first(bench: RegionFailoverBench) -> Handle:
    bench.faults.order("region.fence_returned", Fault.REFUSED)
    return await _returned(bench)


async def _fence_cancelled(bench: RegionFailoverBench) -> Handle:
    await _left(bench)
    await bench.until_phase(bench.fence, _FENCING)
    await bench.fence.cancel()
    return bench.fence


async def _fence_by_hand(bench: RegionFailoverBench) -> Handle:
    await _fence_cancelled(bench)
    await bench.ending(bench.fence)
    handle = await ask_fence(bench)
    await bench.vote(handle)
    await give_back(bench)
    return handle


async def _fence_superseded(bench: RegionFailoverBench) -> Handle:
    await _left(bench)
    await bench.azure.servers.heal(old_of(bench))
    await bench.until_healthy()
    back = await bench.start(to=old_of(bench))
    await bench.vote(back, "dana")
    await bench.ending(back)
    return bench.fence


async def _fence_refused(bench: RegionFailoverBench) -> Handle:
    return await ask_fence(bench)


async def _fence_plan(bench: RegionFailoverBench) -> Handle:
    await _left(bench)
    return await ask_fence(bench, "plan")


async def _recovered(bench: RegionFailoverBench) -> Handle:
    failover = await _left(bench)
    await give_back(bench)
    return await recovered(bench, failover)


async def _alone(bench: RegionFailoverBench) -> Handle:
    failover = await _left(bench)
    await give_back(bench, forgets=True)
    await bench.ending(bench.fence)
    return await recovered(bench, failover)


async def _recovery_plan(bench: RegionFailoverBench) -> Handle:
    return await ask_recovery(bench, await _left(bench), "plan")


async def _recovery_of_nothing(bench: RegionFailoverBench) -> Handle:
    return await ask_recovery(bench, "nothing")


async def _recovery_cancelled(bench: RegionFailoverBench) -> Handle:
    handle = await recovered(bench, await _left(bench))
    await bench.until_phase(handle, _FENCING)
    await handle.cancel()
    return handle


async def _recovery_rejected(bench: RegionFailoverBench) -> Handle:
    handle = await ask_recovery(bench, await _left(bench))
    await bench.vote(handle, "dana", approve=False)
    return handle


RETURNING_RUNS: dict[str, Run] = {
    "fence-returned": _returned,
    "fence-old-primary-stopped": _stopped,
    "fence-tried-again": _fence_fails_first,
    "fence-cancelled": _fence_cancelled,
    "fence-by-hand": _fence_by_hand,
    "fence-superseded": _fence_superseded,
    "fence-refused": _fence_refused,
    "fence-plan": _fence_plan,
    "recovery-completed": _recovered,
    "recovery-stranded": _alone,
    "recovery-plan": _recovery_plan,
    "recovery-of-nothing": _recovery_of_nothing,
    "recovery-cancelled": _recovery_cancelled,
    "recovery-rejected": _recovery_rejected,
}
