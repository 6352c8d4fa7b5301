"""The passes of readiness whose histories are kept: each pass is a history of its own."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes.faults import Fault
from tests.fakes.world import B
from tests.postgres.bench import Bench, Handle
from tests.readiness.bench import Passes
from tests.replay.runs import Golden


def _which(history: int, prepare: Callable[[Bench], None] = lambda _: None) -> Golden:
    """Return the given history of three: the first pass, the one that is asked for, and what is cancelled then."""

    async def run(bench: Bench) -> Handle:
        prepare(bench)
        passes = Passes(bench.client)
        await passes.start(bench.queue)
        bench.started.append(passes.handle)
        runs = [(await passes.handle.describe()).run_id]
        await passes.until(lambda said: said.passes >= 1)
        bench.world.members[B].asynchronous = True
        before = (await passes.handle.describe()).run_id
        await passes.another()
        runs += [before, (await passes.handle.describe()).run_id]
        await passes.handle.cancel()
        return bench.client.get_workflow_handle(passes.handle.id, run_id=runs[history])

    return Golden(run)


def _not_listed(bench: Bench) -> None:
    bench.world.faults.order("readiness.list", Fault.REFUSED)


def _dry_run_fails(bench: Bench) -> None:
    bench.world.faults.order("postgres.survey", Fault.REFUSED)


async def _cancelled_in_a_pass(bench: Bench) -> Handle:
    """Cancel while the first dry run surveys."""
    hanging = bench.world.faults.order("postgres.survey", Fault.HANGS)
    passes = Passes(bench.client)
    await passes.start(bench.queue)
    await hanging.reached.wait()
    await passes.handle.cancel()
    return passes.handle


async def _cancelled_while_listing(bench: Bench) -> Handle:
    hanging = bench.world.faults.order("readiness.list", Fault.HANGS)
    passes = Passes(bench.client)
    await passes.start(bench.queue)
    await hanging.reached.wait()
    await passes.handle.cancel()
    return passes.handle


READINESS_RUNS = {
    "readiness-passed": _which(0),
    "readiness-asked": _which(1),
    "readiness-cancelled": _which(2),
    "readiness-not-listed": _which(0, _not_listed),
    "readiness-refused": _which(0, _dry_run_fails),
    "readiness-cancelled-in-a-pass": Golden(_cancelled_in_a_pass),
    "readiness-cancelled-while-listing": Golden(_cancelled_while_listing),
}
