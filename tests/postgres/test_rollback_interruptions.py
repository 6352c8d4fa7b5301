"""Every step of a discard fails, is silent, is cancelled, or its run is terminated: it ends truthfully, never by halves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from gate.record import Intent, Mode
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import Bench, serving
from tests.postgres.test_rollback import promoted_badly, roll_back
from tests.postgres.worker import WITHOUT_BEAT
from tests.run.cancels import cancel

BEFORE = ("estate.resolve", "postgres.settle", "postgres.survey", "postgres.checkpoint", "postgres.claim")
UNDOABLE = ("postgres.fence",)
FORWARD = (
    "postgres.route", "postgres.verify", "kubernetes.reconnect", "postgres.await_redundancy", "postgres.finish",
)  # fmt: skip
STEPS = (*BEFORE, *UNDOABLE, "postgres.revert", *FORWARD, "records.keep")
MUTATING = ("postgres.claim", *UNDOABLE, "postgres.revert", "postgres.route", "kubernetes.reconnect", "postgres.finish")
_REFUSED = {
    **dict.fromkeys(BEFORE, ("NotAvailable", B)),
    **dict.fromkeys((*UNDOABLE, "postgres.revert"), ("RolledBack", B)),
    **dict.fromkeys(FORWARD, ("Stranded", A)),
    "records.keep": ("completed", A),
}


@pytest_asyncio.fixture
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    world = World()
    promoted_badly(world)
    async with serving(temporal, tmp_path, world) as one:
        yield one


async def _is_whole(bench: Bench, leads: str) -> None:
    """See that ``leads`` takes writes, and that everything is as it should be once nothing is held any more."""
    await bench.until(lambda: bench.world.writers == [leads])
    bench.world.write(paused_until="")
    await bench.until_consistent()
    assert bench.world.record.leader == leads
    given_up = bench.world.given_up
    assert given_up == ({("after", row) for row in range(3)} if leads == A else set())
    assert leads == B or any(kept >= given_up for kept in bench.world.members[B].kept)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_is_refused_ends_the_run_truthfully(bench: Bench, step: str) -> None:
    before = bench.world.snapshot
    bench.world.faults.order(step, Fault.REFUSED)
    handle = await roll_back(bench)
    ending, leads = _REFUSED[step]
    assert await bench.ending(handle) == ending
    if step in BEFORE:
        assert bench.world.snapshot == before
    if ending == "Stranded":
        assert (await bench.status(handle)).left_to_do
        await bench.ending(await roll_back(bench))
    await _is_whole(bench, leads)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_is_done_but_not_reported_is_made_again(bench: Bench, step: str) -> None:
    bench.world.faults.order(step, Fault.UNREPORTED)
    result = await bench.finished(await roll_back(bench))
    assert (result.outcome, result.leader, bench.world.record.epoch) == ("completed", A, 7)
    assert bench.world.deployments["api-deployment"].restarts == 1
    await _is_whole(bench, A)


@pytest.mark.parametrize("how", [Fault.HANGS, Fault.OUTLIVES])
@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_while_a_step_runs(bench: Bench, step: str, how: Fault) -> None:
    fault = bench.world.faults.order(step, how)
    handle = await roll_back(bench)
    await fault.reached.wait()
    await cancel(handle)
    cancellable = step in (*BEFORE, *UNDOABLE)
    if not cancellable:
        with suppress(TimeoutError):
            await asyncio.wait_for(fault.over.wait(), timeout=0.6)
        assert not fault.over.is_set()
    if how is Fault.OUTLIVES or not cancellable:
        fault.released.set()
    assert await bench.ending(handle) == ("cancelled" if cancellable else "completed")
    await _is_whole(bench, B if cancellable else A)


@pytest.mark.parametrize(
    ("step", "fault"), [*((step, Fault.HANGS) for step in STEPS), *((step, Fault.OUTLIVES) for step in MUTATING)]
)
async def test_terminated_in_a_step_and_started_again(bench: Bench, step: str, fault: Fault) -> None:
    ordered = bench.world.faults.order(step, fault)
    handle = await roll_back(bench)
    await ordered.reached.wait()
    await handle.terminate("by hand")
    assert await bench.ending(await roll_back(bench)) in {"completed", "NotUntouched"}
    ordered.released.set()
    await ordered.over.wait()
    await _is_whole(bench, A)


@pytest.mark.parametrize("step", MUTATING)
async def test_a_frozen_worker_that_wakes_up_changes_nothing(bench: Bench, step: str) -> None:
    frozen = bench.world.faults.order(WITHOUT_BEAT + step, Fault.FROZEN)
    handle = await roll_back(bench)
    await frozen.reached.wait()
    await handle.terminate("its worker is frozen")
    assert await bench.ending(await roll_back(bench)) == "completed"
    await _is_whole(bench, A)
    before = bench.world.snapshot
    frozen.released.set()
    await frozen.over.wait()
    assert bench.world.snapshot == before


@pytest.mark.usefixtures("hurried")
async def test_a_member_that_dies_before_it_is_asked_to_lead_costs_an_undo(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.revert", Fault.HANGS)
    handle = await roll_back(bench)
    await hanging.reached.wait()
    bench.world.members[A].die()
    hanging.released.set()
    await bench.until_phase(handle, "stranded", 120)
    bench.world.members[A].alive = True
    assert (await bench.refused(handle)).type == "RolledBack"
    await _is_whole(bench, B)


async def test_an_undo_that_fails_is_said_and_finished_by_the_next_run(bench: Bench) -> None:
    bench.world.faults.order("postgres.fence", Fault.REFUSED)
    bench.world.faults.order("postgres.give_back", Fault.REFUSED)
    assert (await bench.refused(await roll_back(bench))).type == "RollbackIncomplete"
    assert bench.world.record.intent is not None
    assert await bench.ending(await roll_back(bench)) == "completed"
    await _is_whole(bench, A)


async def test_an_undo_that_is_done_but_not_reported_is_made_again(bench: Bench) -> None:
    bench.world.faults.order("postgres.fence", Fault.REFUSED)
    bench.world.faults.order("postgres.give_back", Fault.UNREPORTED)
    assert (await bench.refused(await roll_back(bench))).type == "RolledBack"
    assert bench.world.faults.calls.count("postgres.give_back") == 2
    await _is_whole(bench, B)


@pytest.mark.parametrize("step", ["postgres.fence", "postgres.revert", "postgres.route"])
async def test_settling_that_is_done_but_not_reported_is_made_again(bench: Bench, step: str) -> None:
    hanging = bench.world.faults.order(step, Fault.OUTLIVES)
    handle = await roll_back(bench)
    await hanging.reached.wait()
    await handle.terminate("by hand")
    bench.world.faults.order("postgres.settle", Fault.UNREPORTED)
    assert await bench.ending(await roll_back(bench)) == "completed"
    assert bench.world.faults.calls.count("postgres.settle") == 3
    await _is_whole(bench, A)


async def test_what_somebody_else_claimed_is_left_alone(bench: Bench) -> None:
    intent = Intent(candidate=A, mode=Mode.DISCARD, run="region/eastus/1")
    bench.world.write(epoch=7, intent=intent)
    before = bench.world.snapshot
    assert (await bench.refused(await roll_back(bench))).type == "ClaimedElsewhere"
    assert bench.world.snapshot == before
