"""Bringing back a member that does not follow the leader."""

from __future__ import annotations

from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres.bench import Bench, Handle


async def _rejoin(bench: Bench, run: str = "real", **more: Any) -> Handle:
    prefix = "plan/" if run == "plan" else ""
    request = {"cluster": bench.cluster, "run": run, "by": "omar", **more}
    return await bench.start(request, workflow="postgres-rejoin", id=prefix + bench.lock)


def _break(bench: Bench) -> None:
    bench.world.members[B].streams = False
    bench.world.write(sync="none", epoch=6)
    bench.world.tick()


async def test_brings_back_the_member_that_does_not_follow(bench: Bench) -> None:
    _break(bench)
    result = await bench.finished(await _rejoin(bench))
    assert (result.outcome, B in result.explanation) == ("completed", True)
    await bench.until_consistent()
    assert bench.world.writers == [A]


async def test_does_nothing_when_everybody_follows(bench: Bench) -> None:
    before = bench.world.snapshot
    assert (await bench.finished(await _rejoin(bench))).outcome == "completed"
    assert (bench.world.snapshot, bench.world.changed) == (before, [])


async def test_a_plan_names_the_members_and_changes_nothing(bench: Bench) -> None:
    _break(bench)
    bench.world.untouchable = True
    before = bench.world.snapshot
    result = await bench.finished(await _rejoin(bench, run="plan"))
    assert (result.outcome, B in result.explanation) == ("dry run", True)
    assert (bench.world.snapshot, bench.world.changed) == (before, [])


async def test_refuses_a_member_that_is_no_standby(bench: Bench) -> None:
    refusal = await bench.refused(await _rejoin(bench, member=A))
    assert (refusal.type, refusal.message.startswith("member:")) == ("BadInput", True)


async def test_there_is_no_drill_of_it(bench: Bench) -> None:
    before = bench.world.snapshot
    refusal = await bench.refused(await _rejoin(bench, run="drill"))
    assert (refusal.type, refusal.message.startswith("run: drill is not available")) == ("NotAvailable", True)
    assert bench.world.snapshot == before


async def test_holds_the_lock_of_the_cluster(bench: Bench) -> None:
    request = {"cluster": bench.cluster, "run": "real"}
    refusal = await bench.refused(await bench.start(request, workflow="postgres-rejoin", id=f"rejoin/{bench.cluster}"))
    assert (refusal.type, bench.lock in refusal.message) == ("WrongWorkflowId", True)


async def test_a_cancel_stops_the_watching(bench: Bench) -> None:
    _break(bench)
    hanging = bench.world.faults.order("postgres.await_redundancy", Fault.HANGS)
    handle = await _rejoin(bench)
    await hanging.reached.wait()
    await handle.cancel()
    assert await bench.ending(handle) == "cancelled"
    assert bench.world.writers == [A]
