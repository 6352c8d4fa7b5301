"""The ways in which runs of a PostgreSQL cluster end, as far as ``runs`` and ``rollbacks`` do not have them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from activities.run.doctor import DoctorActivities
from activities.run.inventory import Inventory
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres.bench import Bench, Handle
from tests.postgres.gone import POLICY, Gone, take_away
from tests.postgres.test_rollback import promoted_badly, roll_back
from tests.replay.runs import Golden, examined
from tests.replay.votes import policies, unapproved
from workflows.catalog import workflows

Begin = Callable[[Bench], Awaitable[Handle]]


def _refusing(begin: Begin, *steps: str) -> Begin:
    """Return a run whose ``steps`` are refused, again and again."""

    async def run(bench: Bench) -> Handle:
        for step in steps:
            bench.world.faults.order(step, Fault.REFUSED, for_ever=True)
        return await begin(bench)

    return run


def _cancelled_in(step: str, begin: Begin) -> Begin:
    async def run(bench: Bench) -> Handle:
        hanging = bench.world.faults.order(step, Fault.HANGS)
        handle = await begin(bench)
        await hanging.reached.wait()
        await handle.cancel()
        return handle

    return run


async def _forced(bench: Bench) -> Handle:
    take_away(bench.world, Gone.DEAD)
    return await bench.force()


async def _forced_cancelled_without_proof(bench: Bench) -> Handle:
    take_away(bench.world, Gone.DEAD)
    handle = await bench.switch(mode="forced")
    await bench.until_phase(handle, "awaiting proof")
    await handle.cancel()
    return handle


async def _forced_settled(bench: Bench) -> Handle:
    ordered = bench.world.faults.order("postgres.route", Fault.OUTLIVES)
    handle = await _forced(bench)
    await ordered.reached.wait()
    await handle.terminate("by hand")
    return await bench.force()


async def _discard(bench: Bench) -> Handle:
    promoted_badly(bench.world)
    return await roll_back(bench)


async def _lossless_while_paused(bench: Bench) -> Handle:
    promoted_badly(bench.world)
    return await roll_back(bench, "lossless")


async def _lossless_plan(bench: Bench) -> Handle:
    promoted_badly(bench.world)
    bench.world.write(paused_until="")
    await bench.until_consistent()
    return await roll_back(bench, "lossless", run="plan")


async def _rejoin(bench: Bench, **more: Any) -> Handle:
    bench.world.members[B].streams = False
    bench.world.write(sync="none", epoch=6)
    bench.world.tick()
    request = {"cluster": bench.cluster, "run": "real", "by": "omar", **more}
    return await bench.start(request, workflow="postgres-rejoin", id=bench.lock)


async def _rejoin_the_leader(bench: Bench) -> Handle:
    return await _rejoin(bench, member=A)


async def _adopt(bench: Bench) -> Handle:
    bench.world.forget_gates()
    return await _adopt_again(bench)


async def _adopt_again(bench: Bench, run: str = "real") -> Handle:
    prefix = "plan/" if run == "plan" else ""
    request = {"cluster": bench.cluster, "run": run, "by": "omar", "reason": "a test"}
    return await bench.start(request, workflow="postgres-adopt", id=prefix + bench.lock)


async def _adopt_plan(bench: Bench) -> Handle:
    bench.world.forget_gates()
    return await _adopt_again(bench, run="plan")


async def _adopt_without_a_primary(bench: Bench) -> Handle:
    bench.world.forget_gates()
    bench.world.members[A].standby_signal = True
    return await _adopt_again(bench)


async def _adopt_finished_later(bench: Bench) -> Handle:
    bench.world.faults.order("postgres.verify", Fault.REFUSED)
    await bench.ending(await _adopt(bench))
    return await _adopt_again(bench)


async def _adopt_changed_meanwhile(bench: Bench) -> Handle:
    handle = await _adopt(bench)
    plan = (await bench.until_phase(handle, "awaiting approval")).plan
    assert plan is not None
    bench.world.members[A].timeline = 2
    await handle.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
    return handle


async def _pause(bench: Bench, **request: Any) -> Handle:
    request = request or {"lasts": "1h", "by": "mona", "reason": "look at it first"}
    return await bench.start({"cluster": bench.cluster, **request}, workflow="postgres-pause", id=f"pause/{bench.lock}")


async def _kept(bench: Bench, **more: Any) -> Handle:
    bench.world.members[B].kept = [set(), set()]
    return await bench.start({"cluster": bench.cluster, **more}, workflow="postgres-kept", id=f"kept/{bench.lock}")


async def _kept_removed(bench: Bench, member: str = B) -> Handle:
    return await _kept(bench, member=member, remove="pgdata-0", by="mona", reason="looked through")


async def _kept_refused(bench: Bench) -> Handle:
    return await _kept_removed(bench, member="stranger")


async def _repair(bench: Bench, **more: Any) -> Handle:
    request = {"cluster": bench.cluster, "by": "mona", "reason": "a restored copy", **more}
    return await bench.start(request, workflow="postgres-repair", id=f"repair/{bench.lock}")


async def _repaired(bench: Bench) -> Handle:
    bench.world.members[B].remember(epoch=9)
    return await _repair(bench)


async def _repair_refused(bench: Bench) -> Handle:
    bench.world.write(unfinished="region/eastus/1")
    return await _repair(bench)


async def _pause_ended(bench: Bench) -> Handle:
    await bench.ending(await _pause(bench))
    return await _pause(bench, off=True)


async def _pause_refused(bench: Bench) -> Handle:
    bench.world.point_service_at(B)
    return await _pause(bench)


async def _doctor_refused(bench: Bench) -> Handle:
    doctor = DoctorActivities(Inventory(bench.estate), cast("Any", None))
    return await examined(bench, doctor.examine, cluster="unknown")


def _given_nonsense(workflow: str) -> Begin:
    async def run(bench: Bench) -> Handle:
        return await bench.start("nonsense", workflow=workflow)

    return run


_NAMES = [vars(kind)["__temporal_workflow_definition"].name for kind in workflows()]
_RUNS: dict[str, Begin] = {
    **unapproved("forced", _forced),
    "forced-cancelled-without-proof": _forced_cancelled_without_proof,
    "forced-rollback-incomplete": _refusing(_forced, "postgres.prove", "postgres.give_back"),
    "forced-stranded": _refusing(_forced, "postgres.verify"),
    "forced-settled": _forced_settled,
    "kept-listed": _kept,
    "kept-removed": _kept_removed,
    "kept-refused": _kept_refused,
    **unapproved("rollback", _discard),
    "rollback-discard-cancelled-in-the-fence": _cancelled_in("postgres.fence", _discard),
    "rollback-discard-rollback-incomplete": _refusing(_discard, "postgres.fence", "postgres.give_back"),
    "rollback-lossless-refused": _lossless_while_paused,
    "rollback-lossless-plan": _lossless_plan,
    "rejoin-refused": _rejoin_the_leader,
    "rejoin-cancelled": _cancelled_in("postgres.await_redundancy", _rejoin),
    **unapproved("adopt", _adopt),
    "adopt-plan": _adopt_plan,
    "adopt-refused": _adopt_without_a_primary,
    "adopt-plan-changed": _adopt_changed_meanwhile,
    "adopt-cancelled": _cancelled_in("postgres.adopt", _adopt),
    "adopt-stranded": _refusing(_adopt, "postgres.verify"),
    "adopt-stranded-by-a-cancel": _cancelled_in("postgres.await_redundancy", _adopt),
    "adopt-finished-later": _adopt_finished_later,
    "pause-ended": _pause_ended,
    "pause-refused": _pause_refused,
    "pause-cancelled": _cancelled_in("postgres.pause", _pause),
    "repair": _repaired,
    "repair-refused": _repair_refused,
    "repair-cancelled": _cancelled_in("postgres.repair", _repair),
    "doctor-refused": _doctor_refused,
    **{f"bad-input-{name}": _given_nonsense(name) for name in _NAMES if name != "postgres-failover"},
}
_ESTATES: dict[str, dict[str, Any]] = {
    **policies("forced", "forced"),
    **policies("rollback", "rollback"),
    **policies("adopt", "adopt"),
    "adopt-plan-changed": {"approvals": {"adopt": {"roles": ["DBA"], "window": "PT1M"}}},
}
ENDINGS = {
    name: Golden(run, {**({"forced": POLICY} if name.startswith("forced-") else {}), **_ESTATES.get(name, {})})
    for name, run in _RUNS.items()
}
