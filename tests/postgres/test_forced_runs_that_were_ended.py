"""A forced run that was terminated, reset or frozen in any step, while the old primary is dead: the next one settles it."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres.bench import Bench
from tests.postgres.gone import bring_back
from tests.postgres.test_forced_interruptions import STEPS
from tests.postgres.test_runs_that_were_ended import reset, task_of
from tests.postgres.worker import WITHOUT_BEAT

MUTATING = (
    "postgres.claim", "postgres.prove", "postgres.promote", "postgres.route", "kubernetes.reconnect", "postgres.finish",
)  # fmt: skip
UNDOABLE = MUTATING[:2]


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *((step, Fault.HANGS) for step in STEPS if step != "postgres.measure"),
        *((step, Fault.OUTLIVES) for step in MUTATING),
    ],
)
async def test_terminated_in_a_step_and_started_again(bereft: Bench, step: str, fault: Fault) -> None:
    ordered = bereft.world.faults.order(step, fault)
    handle = await bereft.force()
    await ordered.reached.wait()
    await handle.terminate("by hand")
    again = await bereft.force()
    ending = await bereft.ending(again)
    assert ending == _ending_over(bereft, step, fault)
    ordered.released.set()
    await ordered.over.wait()
    await _leads_alone_when_the_old_one_is_back(bereft)


def _ending_over(bench: Bench, step: str, fault: Fault) -> str:
    """Nothing is left to settle once the mark of the unfinished switch is off: the dead one is refused as candidate."""
    assert bench.world.record.leader == B
    was_finished = step == "records.keep" or (step, fault) == ("postgres.finish", Fault.OUTLIVES)
    return "Unreachable" if was_finished else "completed"


@pytest.mark.parametrize("step", MUTATING)
async def test_a_frozen_worker_that_wakes_up_changes_nothing(bereft: Bench, step: str) -> None:
    frozen = bereft.world.faults.order(WITHOUT_BEAT + step, Fault.FROZEN)
    handle = await bereft.force()
    await frozen.reached.wait()
    await handle.terminate("its worker is frozen")
    assert await bereft.ending(await bereft.force()) == "completed"
    await _leads_alone_when_the_old_one_is_back(bereft)
    before = bereft.world.snapshot
    frozen.released.set()
    await frozen.over.wait()
    await bereft.until_consistent()
    assert bereft.world.snapshot == before


@pytest.mark.parametrize("step", UNDOABLE)
async def test_a_frozen_worker_that_wakes_up_after_a_cancel_changes_nothing(bereft: Bench, step: str) -> None:
    frozen = bereft.world.faults.order(WITHOUT_BEAT + step, Fault.FROZEN)
    handle = await bereft.force()
    await frozen.reached.wait()
    await handle.cancel()
    assert await bereft.ending(handle) == "cancelled"
    bring_back(bereft.world)
    await bereft.until_consistent()
    before = bereft.world.snapshot
    frozen.released.set()
    await frozen.over.wait()
    await bereft.until_consistent()
    assert (bereft.world.snapshot, bereft.world.writers) == (before, [A])


@pytest.mark.parametrize("step", MUTATING[1:])
async def test_a_frozen_worker_that_wakes_up_when_another_has_done_its_step(bereft: Bench, step: str) -> None:
    frozen = bereft.world.faults.order(WITHOUT_BEAT + step, Fault.FROZEN)
    handle = await bereft.force()
    await frozen.reached.wait()
    assert (await bereft.finished(handle)).leader == B
    await _leads_alone_when_the_old_one_is_back(bereft)
    before = bereft.world.snapshot
    frozen.released.set()
    await frozen.over.wait()
    await bereft.until_consistent()
    assert bereft.world.snapshot == before


async def test_a_worker_that_is_frozen_when_the_old_primary_is_waited_for_no_longer_strands_nothing(bereft: Bench) -> None:
    frozen = bereft.world.faults.order(WITHOUT_BEAT + "postgres.await_redundancy", Fault.FROZEN)
    handle = await bereft.force()
    await frozen.reached.wait()
    assert (await bereft.finished(handle)).leader == B
    await _leads_alone_when_the_old_one_is_back(bereft)


@pytest.mark.parametrize(
    ("step", "back_to"),
    [
        *((step, back_to) for back_to in ("the claim", "last task") for step in (*MUTATING, "postgres.verify")),
        ("postgres.prove", "first task"),
        ("postgres.route", "first task"),
    ],
)
async def test_reset_in_a_step(temporal: Client, bereft: Bench, step: str, back_to: str) -> None:
    ordered = bereft.world.faults.order(step, Fault.HANGS)
    handle = await bereft.force()
    await ordered.reached.wait()
    again = await reset(temporal, handle, await task_of(handle, back_to))
    assert await bereft.ending(again) in {"completed", "RolledBack"}
    assert bereft.world.writers in ([], [bereft.world.record.leader])
    bring_back(bereft.world)
    await bereft.until_consistent()


@pytest.mark.usefixtures("hurried")
async def test_a_new_leader_that_died_since_is_failed_over_although_its_switch_was_not_finished(bereft: Bench) -> None:
    world = bereft.world
    hanging = world.faults.order("postgres.verify", Fault.HANGS)
    handle = await bereft.force()
    await hanging.reached.wait()
    await handle.terminate("by hand")
    bring_back(world)
    await bereft.until(lambda: A in world.record.sync_members)
    assert world.record.unfinished
    world.members[B].die()
    again = await bereft.force()
    assert (await bereft.finished(again)).leader == A
    world.members[B].alive = True
    await bereft.until_consistent()
    assert world.writers == [A]


async def _leads_alone_when_the_old_one_is_back(bench: Bench) -> None:
    bring_back(bench.world)
    await bench.until_consistent()
    assert bench.world.writers == [B]
