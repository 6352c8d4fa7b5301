"""The runs of ``postgres-rollback`` whose histories are kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.world import A
from tests.postgres.bench import Bench, Handle
from tests.postgres.test_rollback import promoted_badly, roll_back

Begin = Callable[[Bench], Awaitable[Handle]]


def _after_a_bad_promotion(begin: Begin) -> Begin:
    async def run(bench: Bench) -> Handle:
        promoted_badly(bench.world)
        return await begin(bench)

    return run


def _discard(*faults: tuple[str, Fault], **request: Any) -> Begin:
    async def begin(bench: Bench) -> Handle:
        for name, fault in faults:
            bench.world.faults.order(name, fault, for_ever=True)
        return await roll_back(bench, **request)

    return begin


async def _lossless(bench: Bench) -> Handle:
    bench.world.write(paused_until="")
    await bench.until_consistent()
    return await roll_back(bench, "lossless")


async def _lossless_waits(bench: Bench) -> Handle:
    bench.world.write(paused_until="")
    bench.world.members[A].alive = False
    handle = await roll_back(bench, "lossless")
    await bench.until(lambda: "postgres.await_redundancy" in bench.world.faults.calls)
    bench.world.members[A].alive = True
    return handle


async def _too_much(bench: Bench) -> Handle:
    hanging = bench.world.faults.order("postgres.checkpoint", Fault.HANGS)
    handle = await roll_back(bench, max_transactions=3)
    await hanging.reached.wait()
    bench.world.insert(("late", 1))
    hanging.released.set()
    return handle


async def _approved(bench: Bench) -> Handle:
    handle = await roll_back(bench)
    plan = (await bench.until_phase(handle, "awaiting approval")).plan
    assert plan is not None
    await handle.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
    return handle


async def _settling(bench: Bench) -> Handle:
    ordered = bench.world.faults.order("postgres.revert", Fault.OUTLIVES)
    handle = await roll_back(bench)
    await ordered.reached.wait()
    await handle.terminate("by hand")
    return await roll_back(bench)


_RUNS = {
    "rollback-lossless": _lossless,
    "rollback-lossless-waited": _lossless_waits,
    "rollback-discard": _discard(),
    "rollback-discard-plan": _discard(run="plan"),
    "rollback-discard-refused": _discard(max_transactions=1),
    "rollback-discard-too-much": _too_much,
    "rollback-discard-undone": _discard(("postgres.revert", Fault.REFUSED)),
    "rollback-discard-stranded": _discard(("postgres.verify", Fault.REFUSED)),
    "rollback-discard-settled": _settling,
    "rollback-discard-approved": _approved,
}
ROLLBACKS = {name: _after_a_bad_promotion(begin) for name, begin in _RUNS.items()}
POLICIES: dict[str, dict[str, Any]] = {
    "rollback-discard-approved": {"approvals": {"rollback": {"roles": ["DBA"], "window": "PT5M"}}}
}
