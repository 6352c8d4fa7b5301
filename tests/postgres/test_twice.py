"""Every step is run twice, since its worker was killed between its effect and its answer: the end state is the same.

The steps on the way forward are in ``test_interruptions``, ``test_forced_interruptions`` and
``test_rollback_interruptions``; here are those that only some
runs take, and the proof that none was forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client

from activities.run.declare import RENAMED
from activities.run.inventory import Inventory
from gate.record import Mode
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres import test_forced_interruptions, test_interruptions, test_rollback_interruptions
from tests.postgres.bench import UNHURRIED, Bench, Handle, serving
from tests.postgres.gone import POLICY, Gone, bring_back, take_away
from tests.postgres.worker import steps_for

HERE = {"postgres.give_back", "kubernetes.await_quiet", "kubernetes.preview", "postgres.rejoin"}
_ELSEWHERE = {*test_interruptions.STEPS, *test_forced_interruptions.STEPS, *test_rollback_interruptions.STEPS}
_ELSEWHERE |= {"postgres.pause", "postgres.adopt", "postgres.first_record"}  # test_pause.py, test_adopt.py
_ELSEWHERE |= {"postgres.kept", "postgres.discard_kept", "postgres.repair"}  # test_kept.py, test_repair.py
_ELSEWHERE |= {"estate.resolve_redis", "estate.resolve_workload", "estate.resolve_flexible"}  # tests/redis, pods, region
_ELSEWHERE |= {"estate.resolve_traffic"}  # tests/traffic
_ELSEWHERE |= {"estate.resolve_gateway"}  # tests/traffic
_ELSEWHERE |= {"estate.resolve_region", "run.grantor"}  # tests/region
_ELSEWHERE |= {"watch.resolve", "watch.last", "watch.list", "watch.cause", "run.parent"}  # tests/detection
_ELSEWHERE |= {"people.verify"}  # tests/run
_ELSEWHERE |= {"estate.resolve_drill", "drills.standing", "drills.settle", "drills.choose_node"}  # tests/drills
_ELSEWHERE |= {"drills.row", "drills.lever", "drills.cancel_running", "drills.calendar", "drills.seal"}  # tests/drills
_ELSEWHERE |= {"readiness.list"}  # tests/readiness
_ELSEWHERE |= {"notices.look", "notices.send", "notices.targets"}  # tests/notices
_ELSEWHERE |= {"doctor.examine"}  # tests/starters
_ELSEWHERE |= {"checklist.look"}  # tests/run, clients
_LAST_UNDOABLE = {Mode.PLANNED: "postgres.fence", Mode.FORCED: "postgres.prove"}


def test_no_step_is_forgotten(tmp_path: Path) -> None:
    known = {str(activity._Definition.must_from_callable(step).name) for step in steps_for(World(), Inventory(tmp_path))}
    assert known - RENAMED.keys() == {*_ELSEWHERE, *HERE}


def _begin(bench: Bench, mode: Mode) -> Awaitable[Handle]:
    if mode is Mode.PLANNED:
        return bench.switch()
    take_away(bench.world, Gone.DEAD)
    return bench.force()


@pytest.mark.parametrize("mode", [Mode.PLANNED, Mode.FORCED])
@pytest.mark.parametrize("step", ["last undoable", "postgres.promote"])
async def test_an_undo(temporal: Client, tmp_path: Path, mode: Mode, step: str) -> None:
    async with serving(temporal, tmp_path, World(), forced=POLICY) as bench:
        bench.world.faults.order(_LAST_UNDOABLE[mode] if step == "last undoable" else step, Fault.REFUSED)
        bench.world.faults.order("postgres.give_back", Fault.UNREPORTED)
        assert await bench.ending(await _begin(bench, mode)) == "RolledBack"
        assert bench.world.faults.calls.count("postgres.give_back") == 2
        assert (bench.world.record.leader, bench.world.record.epoch, bench.world.record.intent) == (A, 7, None)
        bring_back(bench.world)
        await bench.until_consistent()


@pytest.mark.parametrize("mode", [Mode.PLANNED, Mode.FORCED])
@pytest.mark.parametrize("fault", [Fault.HANGS, Fault.OUTLIVES])
@pytest.mark.parametrize("step", ["last undoable", "postgres.promote", "postgres.route"])
async def test_settling_what_an_earlier_run_left(
    temporal: Client, tmp_path: Path, mode: Mode, fault: Fault, step: str
) -> None:
    async with serving(temporal, tmp_path, World(), forced=POLICY) as bench:
        hanging = bench.world.faults.order(_LAST_UNDOABLE[mode] if step == "last undoable" else step, fault)
        handle = await _begin(bench, mode)
        await hanging.reached.wait()
        await handle.terminate("by hand")
        bench.world.faults.order("postgres.settle", Fault.UNREPORTED)
        result = await bench.finished(await _begin(bench, mode))
        assert bench.world.faults.calls.count("postgres.settle") == 3
        assert (result.outcome in {"recovered", "completed"}, bench.world.record.leader) == (True, B)
        bring_back(bench.world)
        await bench.until_consistent()


@pytest.mark.parametrize("fault", [Fault.UNREPORTED, Fault.REFUSED])
async def test_waiting_for_quiet_endpoints(temporal: Client, tmp_path: Path, fault: Fault) -> None:
    async with serving(temporal, tmp_path, World(), thresholds={**UNHURRIED, "quiet": "PT0.2S"}) as bench:
        bench.world.faults.order("kubernetes.await_quiet", fault)
        assert (await bench.finished(await bench.switch())).leader == B
        await bench.until_consistent()


async def _preview(bench: Bench) -> Handle:
    return await bench.switch(run="plan")


async def _rejoin(bench: Bench) -> Handle:
    bench.world.members[B].streams = False
    bench.world.write(sync="none", epoch=6)
    return await bench.start({"cluster": bench.cluster, "run": "real"}, workflow="postgres-rejoin")


@pytest.mark.parametrize(("step", "begin"), [("kubernetes.preview", _preview), ("postgres.rejoin", _rejoin)])
async def test_a_step_beside_a_switch(bench: Bench, step: str, begin: Callable[[Bench], Awaitable[Handle]]) -> None:
    bench.world.faults.order(step, Fault.UNREPORTED)
    await bench.finished(await begin(bench))
    assert bench.world.faults.calls.count(step) == 2
    await bench.until_consistent()
    assert bench.world.writers == [A]
