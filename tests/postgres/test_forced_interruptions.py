"""Every step of a forced failover fails, is silent, or is cancelled, while the old primary is dead."""

from __future__ import annotations

import pytest

from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.postgres import test_interruptions
from tests.postgres.bench import Bench
from tests.postgres.gone import bring_back
from tests.postgres.test_interruptions import BESIDE, FORWARD, goes_on
from tests.run.cancels import cancel

BEFORE = tuple(step for step in test_interruptions.BEFORE if step != "postgres.checkpoint")
UNDOABLE = (*BEFORE, "postgres.prove")
STEPS = (*UNDOABLE, "postgres.promote", *FORWARD, *BESIDE)
_REFUSED = {
    **dict.fromkeys(BEFORE, ("NotAvailable", A)),
    **dict.fromkeys(("postgres.prove", "postgres.promote"), ("RolledBack", A)),
    **dict.fromkeys(FORWARD, ("Stranded", B)),
    **dict.fromkeys(BESIDE, ("completed", B)),
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_is_refused_ends_the_run_truthfully(bereft: Bench, step: str) -> None:
    before = bereft.world.snapshot
    bereft.world.faults.order(step, Fault.REFUSED)
    handle = await bereft.force()
    ending, leads = _REFUSED[step]
    assert await bereft.ending(handle) == ending
    if step in BEFORE:
        assert bereft.world.snapshot == before
    if ending == "Stranded":
        assert (await bereft.status(handle)).left_to_do
        await bereft.ending(await bereft.force())
    await _leads_alone(bereft, leads)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_is_done_but_not_reported_is_made_again(bereft: Bench, step: str) -> None:
    bereft.world.faults.order(step, Fault.UNREPORTED)
    result = await bereft.finished(await bereft.force())
    assert (result.outcome, result.leader, bereft.world.record.epoch) == ("completed", B, 6)
    assert bereft.world.deployments["api-deployment"].restarts == 1
    await _leads_alone(bereft, B)


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_while_a_step_runs(bereft: Bench, step: str) -> None:
    fault = bereft.world.faults.order(step, Fault.HANGS)
    handle = await bereft.force()
    await fault.reached.wait()
    await cancel(handle)
    if step == "postgres.measure":
        fault.released.set()
    elif step not in {*UNDOABLE, "postgres.await_redundancy"}:  # that one is not waited for any longer
        await goes_on(fault)
    await _ends_as_cancelled_at(bereft, step, await bereft.ending(handle))


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_right_after_a_step(bereft: Bench, step: str) -> None:
    fault = bereft.world.faults.order(step, Fault.OUTLIVES)
    handle = await bereft.force()
    if step in {"postgres.measure", "postgres.await_redundancy"}:
        fault.released.set()
    if step == "postgres.await_redundancy":
        bring_back(bereft.world)
    await fault.reached.wait()
    await cancel(handle)
    fault.released.set()
    await _ends_as_cancelled_at(bereft, step, await bereft.ending(handle))


@pytest.mark.parametrize("step", STEPS)
async def test_another_worker_takes_over_in_the_middle_of_a_step(bereft: Bench, step: str) -> None:
    hanging = bereft.world.faults.order(step, Fault.HANGS)
    handle = await bereft.force()
    await hanging.reached.wait()
    await bereft.stop_worker()
    bereft.start_worker()
    assert (await bereft.finished(handle)).leader == B
    await _leads_alone(bereft, B)


async def _ends_as_cancelled_at(bench: Bench, step: str, ending: str) -> None:
    if step == "postgres.measure":
        assert ending in {"cancelled", "completed"}
    else:
        assert ending == ("cancelled" if step in UNDOABLE else "completed")
    await _leads_alone(bench, A if ending == "cancelled" else B)


async def _leads_alone(bench: Bench, leader: str) -> None:
    """Check who leads while the old primary is dead, and again when it is back."""
    assert bench.world.record.leader == leader
    assert bench.world.writers in ([], [leader])
    bring_back(bench.world)
    await bench.until_consistent()
    assert bench.world.writers == [leader]
