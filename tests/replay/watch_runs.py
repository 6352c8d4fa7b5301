"""The runs of watches whose histories are kept; they are recorded in front of the fakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio.client import WorkflowExecutionStatus

from tests.detection.bench import GONE, WELL, WatchBench
from tests.postgres.bench import Handle
from tests.postgres.gone import Gone, bring_back, take_away


async def _automatic(bench: WatchBench) -> Handle:
    """Fail over by itself, cool down until somebody acknowledges it, and lose a witness for a while."""
    watch = await bench.watch()
    take_away(bench.bench.world, Gone.DEAD)
    bench.let(GONE)
    await bench.bench.finished(await bench.run())
    await bench.until_said("holds until")
    bench.let(WELL)
    await bench.until_well()
    bring_back(bench.bench.world)
    await watch.execute_update("acknowledge", {"by": "dana"})
    await bench.dismiss("west")
    await bench.bench.until(lambda: _is_silent(bench, 1))
    bench.serve("west")
    await bench.bench.until(lambda: _is_silent(bench, 0))
    await watch.cancel()
    return watch


async def _asked(bench: WatchBench) -> Handle:
    """Withdraw what nobody has decided on, and rest."""
    watch = await bench.watch()
    take_away(bench.bench.world, Gone.DEAD)
    bench.let(GONE)
    run = await bench.run()
    await bench.bench.until_phase(run, "awaiting approval")
    bench.let(WELL)
    await bench.bench.refused(run)
    await bench.until_said("its watch has withdrawn it")
    bench.let(GONE)
    await bench.until_gone()
    await watch.cancel()
    return watch


async def _told(bench: WatchBench) -> Handle:
    """Say so only, and begin another history."""
    watch = await bench.watch()
    first = (await watch.describe()).run_id
    bench.let(GONE, "east", "north")
    await bench.until_said("the policy is to notify")
    bench.let(WELL)
    await bench.until_well()
    await watch.signal("read_again")
    await bench.bench.until(lambda: _is_another(bench, first))
    await watch.cancel()
    return bench.bench.client.get_workflow_handle(bench.watch_id, run_id=first)


async def _started(bench: WatchBench) -> Handle:
    """Start what the estate lists, twice."""
    await (await bench.bench.start({}, workflow="watchers-start", id="watchers-start")).result()
    handle = await bench.bench.start({"target": bench.bench.cluster}, workflow="watchers-start", id="watchers-start")
    await handle.result()
    await bench.bench.client.get_workflow_handle(bench.watch_id).cancel()
    return handle


async def _is_silent(bench: WatchBench, count: int) -> bool:
    return len((await bench.status()).silent) == count


async def _is_another(bench: WatchBench, first: str) -> bool:
    found = await bench.bench.client.get_workflow_handle(bench.watch_id).describe()
    return found.run_id != first and found.status is WorkflowExecutionStatus.RUNNING


WATCH_RUNS: dict[str, tuple[str, Callable[[WatchBench], Awaitable[Handle]]]] = {
    "watch-automatic": ("automatic", _automatic),
    "watch-asked": ("ask", _asked),
    "watch-told": ("notify", _told),
    "watchers-started": ("notify", _started),
}
"""Name → (policy, what happens)."""
