"""Every step fails, is silent, or is cancelled: the run ends truthfully and the cluster is whole."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.fakes.faults import Fault, Ordered
from tests.fakes.world import A, B
from tests.postgres.bench import Bench
from tests.run.cancels import cancel

BEFORE = ("estate.resolve", "postgres.settle", "postgres.survey", "postgres.checkpoint", "postgres.claim")
UNDOABLE = ("kubernetes.await_quiet", "postgres.fence")
FORWARD = (
    "postgres.route", "postgres.verify", "postgres.await_disconnects", "kubernetes.reconnect", "postgres.first_write",
    "postgres.await_redundancy", "postgres.finish",
)  # fmt: skip
BESIDE = ("postgres.measure", "records.keep")
STEPS = (*BEFORE, *UNDOABLE, "postgres.promote", *FORWARD, *BESIDE)
_REFUSED = {
    **dict.fromkeys(BEFORE, ("NotAvailable", A)),
    **dict.fromkeys((*UNDOABLE, "postgres.promote"), ("RolledBack", A)),
    "kubernetes.await_quiet": ("completed", B),
    **dict.fromkeys(FORWARD, ("Stranded", B)),
    **dict.fromkeys(BESIDE, ("completed", B)),
}
_CANCELLED_BEFORE = (*BEFORE, *UNDOABLE)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_is_refused_ends_the_run_truthfully(bench: Bench, step: str) -> None:
    before = bench.world.snapshot
    bench.world.faults.order(step, Fault.REFUSED)
    handle = await bench.switch()
    ending, leads = _REFUSED[step]
    assert await bench.ending(handle) == ending
    assert bench.world.writers == [leads]
    if step in BEFORE:
        assert bench.world.snapshot == before
    if ending == "Stranded":
        assert (await bench.status(handle)).left_to_do
        await bench.ending(await bench.switch())
    await bench.until_consistent()


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_is_done_but_not_reported_is_made_again(bench: Bench, step: str) -> None:
    bench.world.faults.order(step, Fault.UNREPORTED)
    result = await bench.finished(await bench.switch())
    assert (result.outcome, result.leader) == ("completed", B)
    assert result.lost == (None if step == "postgres.measure" else 0)
    assert bench.world.record.epoch == 6
    assert bench.world.deployments["api-deployment"].restarts == 1
    await bench.until_consistent()


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_while_a_step_runs(bench: Bench, step: str) -> None:
    before = bench.world.snapshot
    fault = bench.world.faults.order(step, Fault.HANGS)
    handle = await bench.switch()
    await fault.reached.wait()
    await cancel(handle)
    if step == "postgres.measure":
        fault.released.set()
    elif step not in _CANCELLED_BEFORE:
        await goes_on(fault)
    await _ends_as_cancelled_at(bench, step, await bench.ending(handle))
    if step in BEFORE[:4]:
        assert bench.world.snapshot == before


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_right_after_a_step(bench: Bench, step: str) -> None:
    fault = bench.world.faults.order(step, Fault.OUTLIVES)
    handle = await bench.switch()
    if step == "postgres.measure":
        fault.released.set()
    await fault.reached.wait()
    await cancel(handle)
    fault.released.set()
    await _ends_as_cancelled_at(bench, step, await bench.ending(handle))


async def goes_on(fault: Ordered) -> None:
    """Give a cancel the time to reach the step, by the heartbeat's way; it must not have been sent there."""
    with suppress(TimeoutError):
        await asyncio.wait_for(fault.over.wait(), timeout=0.6)
    assert not fault.over.is_set()
    fault.released.set()


async def _ends_as_cancelled_at(bench: Bench, step: str, ending: str) -> None:
    if step == "postgres.measure":
        assert ending in {"cancelled", "completed"}
    else:
        assert ending == ("cancelled" if step in _CANCELLED_BEFORE else "completed")
    leads = A if ending == "cancelled" else B
    await bench.until_consistent()
    assert bench.world.writers == [leads]
    assert bench.world.record.leader == leads
