"""The runs of ``dns-failover`` whose histories are kept; the emulated Azure makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.replay.votes import policies, unapproved
from tests.traffic.bench import HOME, TrafficBench

_ROUTE: dict[str, Any] = {"method": "PATCH", "path": "*/routes/*"}


async def _planned(bench: TrafficBench) -> Handle:
    return await bench.start()


async def _plan(bench: TrafficBench) -> Handle:
    return await bench.start(run="plan")


async def _moved_already(bench: TrafficBench) -> Handle:
    return await bench.start(HOME)


def _with(fault: Azure) -> Callable[[TrafficBench], Awaitable[Handle]]:
    async def run(bench: TrafficBench) -> Handle:
        bench.world.emulator.faults.order(fault)
        return await bench.start()

    return run


def _lost(step: str, fault: Fault) -> Callable[[TrafficBench], Awaitable[Handle]]:
    async def run(bench: TrafficBench) -> Handle:
        bench.faults.order(step, fault)
        return await bench.start()

    return run


async def _cancelled(bench: TrafficBench) -> Handle:
    held = bench.faults.order("traffic.await_served", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    await handle.cancel()
    return handle


async def _stranded(bench: TrafficBench) -> Handle:
    bench.site.lost.add(HOME)
    bench.faults.order("traffic.await_served", Fault.REFUSED)
    return await bench.start()


async def _undo_incomplete(bench: TrafficBench) -> Handle:
    bench.faults.order("traffic.restore", Fault.REFUSED)
    return await _cancelled(bench)


async def _unproven_by_order(bench: TrafficBench) -> Handle:
    hanging = bench.faults.order("traffic.await_served", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.execute_update("skip", {"by": "dana", "reason": "a test", "step": "proof"})
    return handle


TRAFFIC_RUNS: dict[str, Callable[[TrafficBench], Awaitable[Handle]]] = {
    "traffic-completed": _planned,
    "traffic-plan": _plan,
    "traffic-moved-already": _moved_already,
    "traffic-azure-is-busy": _with(Azure(**_ROUTE, ends="Failed", code="ServerBusy")),
    "traffic-failed-in-azure": _with(Azure(**_ROUTE, ends="Failed", code="InternalServerError")),
    "traffic-refused-by-azure": _with(Azure(**_ROUTE, status=403, code="AuthorizationFailed")),
    "traffic-answer-lost": _lost("traffic.change", Fault.UNREPORTED),
    "traffic-unproven": _lost("traffic.await_served", Fault.REFUSED),
    "traffic-proof-skipped": _unproven_by_order,
    "traffic-stranded": _stranded,
    "traffic-cancelled": _cancelled,
    "traffic-rollback-incomplete": _undo_incomplete,
    **unapproved("traffic", _planned),
}
PUBLIC_NAMES = policies("traffic", "planned")
