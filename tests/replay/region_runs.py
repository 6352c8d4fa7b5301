"""The runs of ``postgres-region-failover`` whose histories are kept; real servers behind the emulated Azure make them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.region.bench import RegionBench
from tests.replay.votes import policies, unapproved
from tests.run.cancels import cancel

_PATCH: dict[str, Any] = {"method": "PATCH", "path": "*/flexibleServers/*"}


async def _planned(bench: RegionBench) -> Handle:
    return await bench.start()


async def _plan(bench: RegionBench) -> Handle:
    return await bench.start(run="plan")


async def _forced(bench: RegionBench) -> Handle:
    leader = await bench.leader()
    bench.azure.servers.kill(leader)
    return await bench.start("forced", to=bench.replica_of(leader))


async def _alive(bench: RegionBench) -> Handle:
    return await bench.start("forced")


async def _moved_already(bench: RegionBench) -> Handle:
    return await bench.start(to=await bench.leader())


def _with(fault: Azure) -> Callable[[RegionBench], Awaitable[Handle]]:
    async def run(bench: RegionBench) -> Handle:
        bench.azure.emulator.faults.order(fault)
        return await bench.start()

    return run


async def _unheard(bench: RegionBench) -> Handle:
    """Let the answer of the promotion be lost on its way to Temporal."""
    bench.faults.order("region.promote", Fault.UNREPORTED)
    return await bench.start()


async def _stranded(bench: RegionBench) -> Handle:
    bench.faults.order("region.verify_route", Fault.REFUSED)
    return await bench.start()


async def _cancelled(bench: RegionBench) -> Handle:
    held = bench.faults.order("region.survey_database", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    await handle.cancel()
    return handle


async def _cancelled_too_late(bench: RegionBench) -> Handle:
    held = bench.faults.order("region.await_promotion", Fault.OUTLIVES)
    handle = await bench.start()
    await held.reached.wait()
    await cancel(handle)
    bench.faults.release()
    return handle


REGION_RUNS: dict[str, Callable[[RegionBench], Awaitable[Handle]]] = {
    "region-planned-completed": _planned,
    "region-plan": _plan,
    "region-forced-completed": _forced,
    "region-forced-refused-alive": _alive,
    "region-moved-already": _moved_already,
    "region-refused-by-azure": _with(Azure(**_PATCH, status=403, code="AuthorizationFailed")),
    "region-failed-in-azure": _with(Azure(**_PATCH, ends="Failed", code="InternalServerError")),
    "region-azure-is-busy": _with(Azure(**_PATCH, ends="Failed", code="ServerBusy")),
    "region-answer-lost": _unheard,
    "region-stranded": _stranded,
    "region-cancelled": _cancelled,
    "region-cancelled-too-late": _cancelled_too_late,
    **unapproved("region-planned", _planned),
}
DATABASES = policies("region-planned", "planned")
