"""Taking over a pair that has run without gates: refused in doubt, left as it is before the record, finished after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import Bench, Handle, serving
from tests.run.cancels import cancel


@pytest_asyncio.fixture
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    world = World()
    world.forget_gates()
    async with serving(temporal, tmp_path, world) as one:
        yield one


async def _adopt(bench: Bench, run: str = "real", **more: Any) -> Handle:
    prefix = "plan/" if run == "plan" else ""
    request = {"cluster": bench.cluster, "run": run, "by": "omar", "reason": "a test", **more}
    return await bench.start(request, workflow="postgres-adopt", id=prefix + bench.lock)


async def test_the_old_primary_leads_and_the_others_follow(bench: Bench) -> None:
    handle = await _adopt(bench)
    result = await bench.finished(handle)
    record = bench.world.record
    assert (result.outcome, result.leader, record.leader, record.epoch) == ("completed", A, A, 1)
    assert bench.world.changed[:2] == [f"adopt {A}", f"record: leader {A}, epoch 1"]
    assert bench.world.members[A].prepared
    await bench.until_consistent()
    assert (await bench.finished(await bench.switch())).leader == B
    await bench.until_consistent()


async def test_the_epoch_is_above_all_that_the_gates_have_seen(bench: Bench) -> None:
    bench.world.members[B].remember(epoch=7, fenced_at=7)
    await bench.finished(await _adopt(bench, leader=A))
    assert bench.world.record.epoch == 8
    await bench.until_consistent()


async def test_the_epoch_is_above_a_lease_that_was_left(bench: Bench) -> None:
    bench.world.lease.write(B, 9)
    handle = await _adopt(bench)
    assert (await bench.finished(handle)).outcome == "completed"
    assert bench.world.record.epoch == 10
    await bench.until_consistent()


async def test_a_plan_says_who_would_lead_and_changes_nothing(bench: Bench) -> None:
    bench.world.untouchable = True
    before = bench.world.snapshot
    handle = await _adopt(bench, run="plan")
    result = await bench.finished(handle)
    plan = (await bench.status(handle)).plan
    assert (result.outcome, A in result.explanation, bench.world.snapshot) == ("dry run", True, before)
    assert plan is not None
    assert (plan.candidate, plan.primary) == (A, "")


def _two(world: World) -> None:
    world.members[B].standby_signal = False


def _none(world: World) -> None:
    world.members[A].standby_signal = True


def _silent(world: World) -> None:
    world.members[B].reachable = False


def _empty(world: World) -> None:
    world.members[B].empty = True


def _stranger(world: World) -> None:
    world.members[B].system = "7300000000000000002"


def _taken(world: World) -> None:
    world.patch({"metadata": {"annotations": {"failover/leader": B, "failover/epoch": "3"}}, "spec": {"selector": {}}})


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (_two, "TwoPrimaries"), (_none, "NoPrimary"), (_silent, "Unreachable"), (_empty, "NoStandby"),
        (_stranger, "NoStandby"), (_taken, "AdoptedAlready"),
    ],
)  # fmt: skip
async def test_in_doubt_it_is_refused_and_nothing_is_touched(
    temporal: Client, tmp_path: Path, harm: Callable[[World], None], kind: str
) -> None:
    world = World()
    world.forget_gates()
    harm(world)
    async with serving(temporal, tmp_path, world, live=False) as bench:
        before = world.snapshot
        refusal = await bench.refused(await _adopt(bench))
        assert (refusal.type, world.snapshot, world.changed) == (kind, before, [])


@pytest.mark.parametrize("step", ["postgres.survey", "postgres.adopt", "postgres.first_record"])
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.SILENT, Fault.UNREPORTED])
async def test_a_step_before_the_record_that_fails_leaves_no_record_or_is_done_again(
    bench: Bench, step: str, fault: Fault
) -> None:
    bench.world.faults.order(step, fault)
    ending = await bench.ending(await _adopt(bench))
    if fault is Fault.REFUSED:
        assert (ending, bench.world.has_record, bench.world.writers) == ("NotAvailable", False, [])
        assert await bench.ending(await _adopt(bench)) == "completed"
    else:
        assert ending == "completed"
    await bench.until_consistent()


@pytest.mark.parametrize("step", ["postgres.adopt", "postgres.first_record", "postgres.verify", "postgres.await_redundancy"])
@pytest.mark.parametrize("fault", [Fault.HANGS, Fault.OUTLIVES])
async def test_terminated_in_a_step_and_started_again(bench: Bench, step: str, fault: Fault) -> None:
    ordered = bench.world.faults.order(step, fault)
    handle = await _adopt(bench)
    await ordered.reached.wait()
    await handle.terminate("by hand")
    assert await bench.ending(await _adopt(bench)) == "completed"
    ordered.released.set()
    await ordered.over.wait()
    await bench.until_consistent()
    assert bench.world.record.leader == A


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("step", "ending"), [("postgres.adopt", "cancelled"), ("postgres.first_record", "completed"),
                         ("postgres.verify", "completed"), ("postgres.await_redundancy", "Stranded")],
)  # fmt: skip
async def test_a_cancel_is_honoured_before_the_record_and_ends_the_last_wait(bench: Bench, step: str, ending: str) -> None:
    ordered = bench.world.faults.order(step, Fault.HANGS)
    handle = await _adopt(bench)
    await ordered.reached.wait()
    await cancel(handle)
    if ending == "completed":
        ordered.released.set()
    assert await bench.ending(handle) == ending
    assert bench.world.has_record is (ending != "cancelled")
    assert await bench.ending(await _adopt(bench)) == "completed"
    await bench.until_consistent()


@pytest.mark.parametrize("step", ["postgres.verify", "postgres.await_redundancy"])
async def test_what_fails_after_the_record_is_stranded_and_finished_by_the_next_run(bench: Bench, step: str) -> None:
    bench.world.faults.order(step, Fault.REFUSED)
    handle = await _adopt(bench)
    refusal = await bench.refused(handle)
    assert (refusal.type, f"redundancy: {B} follows {A}" in refusal.message) == ("Stranded", True)
    assert (await bench.status(handle)).left_to_do
    again = await bench.finished(await _adopt(bench))
    assert (again.outcome, bench.world.changed.count(f"adopt {A}")) == ("completed", 1)
    await bench.until_consistent()


async def test_somebody_who_writes_the_record_first_wins(bench: Bench) -> None:
    bench.world.before_patch.append(lambda: _taken(bench.world))
    refusal = await bench.refused(await _adopt(bench))
    assert (refusal.type, bench.world.record.leader) == ("AdoptedAlready", B)
    bench.world.members[B].standby_signal = False


async def test_people_are_asked_and_what_changes_meanwhile_voids_their_word(temporal: Client, tmp_path: Path) -> None:
    world = World()
    world.forget_gates()
    async with serving(temporal, tmp_path, world, approvals={"adopt": {"roles": ["DBA"]}}) as bench:
        refusal = await bench.refused(await _adopt(bench, by=""))
        assert (refusal.type, refusal.message.startswith("by: missing")) == ("BadInput", True)
        for changed in (True, False):
            handle = await _adopt(bench)
            status = await bench.until_phase(handle, "awaiting approval")
            assert status.plan is not None
            world.members[A].timeline = 2 if changed else 1
            await handle.execute_update("decide", {"by": "dana", "plan": status.plan.digest, "approve": True})
            assert await bench.ending(handle) == ("PlanChanged" if changed else "completed")
            world.members[A].timeline = 1
        await bench.until_consistent()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "input: expected one JSON object with the keys cluster, "),
        (({"leader": A},), "cluster: missing"),
        (({"cluster": "orders", "member": A},), "member: unknown key"),
    ],
)
async def test_a_bad_input_fails_at_once(bench: Bench, args: tuple[Any, ...], words: str) -> None:
    refusal = await bench.refused(await bench.start(*args, workflow="postgres-adopt"))
    assert (refusal.type, words in refusal.message) == ("BadInput", True), refusal.message


async def test_holds_the_lock_of_the_cluster(bench: Bench) -> None:
    request = {"cluster": bench.cluster, "run": "real"}
    refusal = await bench.refused(await bench.start(request, workflow="postgres-adopt", id=f"adopt/{bench.cluster}"))
    assert (refusal.type, bench.lock in refusal.message) == ("WrongWorkflowId", True)
