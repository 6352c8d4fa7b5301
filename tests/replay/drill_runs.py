"""The runs of drills whose histories are kept; they are recorded in front of a cluster in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.drills.bench import DrillBench
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.run.cancels import cancel


async def _passed(bench: DrillBench) -> Handle:
    handle = await bench.start()
    await bench.judged(handle)
    return handle


async def _failed(bench: DrillBench) -> Handle:
    bench.world.faults.order("postgres.promote", Fault.REFUSED)
    handle = await bench.start()
    await bench.judged(handle, passed=False)
    return handle


async def _unjudged(bench: DrillBench) -> Handle:
    bench.calendar(word_within="PT0.1S")
    return await bench.start()


async def _cancelled(bench: DrillBench) -> Handle:
    held = bench.world.faults.order("gates.fence", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    await cancel(handle)
    bench.world.faults.release()
    return handle


async def _plan(bench: DrillBench) -> Handle:
    return await bench.start("plan")


async def _outside(bench: DrillBench) -> Handle:
    bench.calendar(window={"begins": "00:00", "ends": "00:01"})
    return await bench.start()


async def _no_node(bench: DrillBench) -> Handle:
    bench.node_pool("workers")
    bench.calendar(kind="node", target="workers")
    return await bench.start()


async def _bad_input(bench: DrillBench) -> Handle:
    return await bench.bench.start("nonsense", workflow="failover-drill", id=bench.lock)


async def _due(bench: DrillBench) -> Handle:
    handle = await bench.bench.start({"drill": bench.name, "by": "omar"}, workflow="drill-due", id=f"drill-due/{bench.name}")
    await bench.judged(await bench.begun())
    return handle


async def _due_and_failed(bench: DrillBench) -> Handle:
    bench.world.faults.order("postgres.promote", Fault.REFUSED)
    handle = await bench.bench.start({"drill": bench.name, "by": "omar"}, workflow="drill-due", id=f"drill-due/{bench.name}")
    await bench.judged(await bench.begun(), passed=False)
    return handle


async def _bad_due(bench: DrillBench) -> Handle:
    return await bench.bench.start("nonsense", workflow="drill-due", id=f"drill-due/{bench.name}")


async def _stop(bench: DrillBench) -> Handle:
    request = {"by": "mona", "reason": "a test"}
    handle = await bench.bench.start(request, workflow="drills-stop", id=f"drills/stopped/{bench.bench.queue}")
    await bench.bench.until(lambda: "drills.cancel_running" in bench.world.faults.calls)
    await handle.signal("resume", "mona")
    return handle


async def _bad_stop(bench: DrillBench) -> Handle:
    return await bench.bench.start("nonsense", workflow="drills-stop", id=f"drills/stopped/{bench.bench.queue}")


async def _calendar(bench: DrillBench) -> Handle:
    return await bench.bench.start({}, workflow="drills-calendar", id=f"drills/calendar/{bench.bench.queue}")


async def _bad_calendar(bench: DrillBench) -> Handle:
    return await bench.bench.start("nonsense", workflow="drills-calendar", id=f"drills/calendar/{bench.bench.queue}")


DRILL_RUNS: dict[str, Callable[[DrillBench], Awaitable[Handle]]] = {
    "drill-passed": _passed,
    "drill-failed": _failed,
    "drill-unjudged": _unjudged,
    "drill-cancelled": _cancelled,
    "drill-plan": _plan,
    "drill-outside-window": _outside,
    "drill-no-node": _no_node,
    "drill-due": _due,
    "drill-due-failed": _due_and_failed,
    "drills-stop": _stop,
    "drills-calendar": _calendar,
    "bad-input-failover-drill": _bad_input,
    "bad-input-drill-due": _bad_due,
    "bad-input-drills-stop": _bad_stop,
    "bad-input-drills-calendar": _bad_calendar,
}
"""Name of the history → how to make the run."""
