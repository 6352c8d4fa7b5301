"""Workers come and go, and code must replay: a run goes on where it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from temporalio.worker import Replayer

from tests.fakes.faults import Fault
from tests.fakes.world import B
from tests.postgres.bench import Bench, Handle
from workflows.catalog import RUNNER, workflows
from workflows.run.payloads import DATA_CONVERTER


@pytest.mark.parametrize(
    "step", ["postgres.claim", "postgres.fence", "postgres.promote", "postgres.route", "postgres.await_redundancy"]
)
async def test_another_worker_takes_over_in_the_middle_of_a_step(bench: Bench, step: str) -> None:
    hanging = bench.world.faults.order(step, Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await bench.stop_worker()
    bench.start_worker()
    result = await bench.finished(handle)
    assert (result.outcome, result.leader) == ("completed", B)
    await bench.until_consistent()


async def test_a_measurement_goes_on_at_the_next_worker(bench: Bench) -> None:
    hanging = bench.world.faults.order("kubernetes.await_quiet", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await bench.until(lambda: len(bench.world.acknowledged) > 20)
    await bench.stop_worker()
    bench.start_worker()
    result = await bench.finished(handle)
    assert (result.lost, result.outage_seconds is not None) == (0, True)
    events = [event async for event in handle.fetch_history_events()]
    assert any("the writer was interrupted 1 times" in str(event) for event in events)


async def test_a_worker_that_remembers_nothing_replays_at_every_task(bench: Bench) -> None:
    await bench.stop_worker()
    bench.start_worker(max_cached_workflows=0)
    assert (await bench.finished(await bench.switch())).outcome == "completed"


async def _completed(bench: Bench) -> Handle:
    return await bench.switch()


async def _planned(bench: Bench) -> Handle:
    return await bench.switch(run="plan")


async def _refused(bench: Bench) -> Handle:
    return await bench.start("nonsense")


async def _rolled_back(bench: Bench) -> Handle:
    bench.world.faults.order("postgres.fence", Fault.REFUSED)
    return await bench.switch()


async def _stranded(bench: Bench) -> Handle:
    bench.world.faults.order("postgres.verify", Fault.REFUSED)
    return await bench.switch()


async def _cancelled(bench: Bench) -> Handle:
    hanging = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await handle.cancel()
    return handle


@pytest.mark.parametrize("run", [_completed, _planned, _refused, _rolled_back, _stranded, _cancelled])
async def test_the_history_of_a_run_replays(bench: Bench, run: Callable[[Bench], Awaitable[Handle]]) -> None:
    handle = await run(bench)
    await bench.ending(handle)
    replayer = Replayer(workflows=workflows(), workflow_runner=RUNNER, data_converter=DATA_CONVERTER)
    await replayer.replay_workflow(await handle.fetch_history())
