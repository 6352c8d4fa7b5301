"""The runs of ``region-failover`` whose histories are kept: two real API servers and real PostgreSQL servers make them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.region.bench import DATABASE
from tests.region.failover_bench import RegionFailoverBench
from tests.region.traffic_stand_in import BROKEN, SLOW
from workflows.region.models import flexible_lock_id

Run = Callable[[RegionFailoverBench], Awaitable[Handle]]


async def _planned(bench: RegionFailoverBench) -> Handle:
    return await bench.approved()


async def _plan(bench: RegionFailoverBench) -> Handle:
    return await bench.leave(run="plan", confirm=None)


async def _forced(bench: RegionFailoverBench) -> Handle:
    await bench.lose_database()
    await bench.clusters.relays[bench.lost].refuse()
    return await bench.approved("forced")


async def _rejected(bench: RegionFailoverBench) -> Handle:
    handle = await bench.leave()
    await bench.vote(handle, "carl", approve=False)
    return handle


async def _refused_child(bench: RegionFailoverBench) -> Handle:
    patch: dict[str, Any] = {"method": "PATCH", "path": "*/flexibleServers/*"}
    bench.azure.emulator.faults.order(Azure(**patch, status=403, code="AuthorizationFailed"))
    return await bench.approved()


async def _cancelled(bench: RegionFailoverBench) -> Handle:
    held = bench.faults.order("region.fence", Fault.HANGS)
    handle = await bench.lost_and_approved()
    await held.reached.wait()
    await handle.cancel()
    return handle


async def _not_ready(bench: RegionFailoverBench) -> Handle:
    bench.clusters.plays = False
    return await bench.approved()


async def _forced_not_ready(bench: RegionFailoverBench) -> Handle:
    bench.clusters.plays = False
    return await bench.lost_and_approved()


async def _back(bench: RegionFailoverBench) -> Handle:
    return await bench.back_and_approved()


async def _back_refused(bench: RegionFailoverBench) -> Handle:
    patch: dict[str, Any] = {"method": "PATCH", "path": "*/flexibleServers/*"}
    bench.azure.emulator.faults.order(Azure(**patch, status=403, code="AuthorizationFailed"))
    return await bench.back_and_approved()


async def _back_stranded(bench: RegionFailoverBench) -> Handle:
    bench.faults.order("region.apply_overlay", Fault.REFUSED)
    return await bench.back_and_approved()


async def _unmet(bench: RegionFailoverBench) -> Handle:
    bench.write_overlay([{"apiVersion": "v1", "kind": "Volcano", "metadata": {"name": "x"}}])
    return await bench.leave()


async def _database_of_it(bench: RegionFailoverBench) -> Handle:
    """Return the run of the database, which was handed the approvals."""
    await bench.ending(await bench.approved())
    found: Handle = bench.client.get_workflow_handle(flexible_lock_id(DATABASE))
    return found


async def _controlled(bench: RegionFailoverBench) -> Handle:
    """Held before the promotion, the pods not waited for, one traffic entry left to its own run, the check skipped."""
    why = {"by": "dana", "reason": "a test"}
    fencing, checking = (bench.faults.order(f"region.{one}", Fault.HANGS) for one in ("fence", "check_application"))
    bench.clusters.plays = False
    handle = await bench.lost_and_approved()
    await fencing.reached.wait()
    await handle.execute_update("hold", {**why, "anyway": True})
    fencing.released.set()
    await bench.until_phase(handle, "held")
    await handle.execute_update("release", why)
    await bench.until_phase(handle, "waiting for replacements")
    await handle.execute_update("force", {**why, "step": "ready"})
    await handle.execute_update("skip", {**why, "step": "ready"})
    await bench.until_phase(handle, "routing")
    await handle.execute_update("skip", {**why, "step": f"traffic/{SLOW}"})
    await checking.reached.wait()
    await handle.execute_update("skip", {**why, "step": "check"})
    return handle


REGION_FAILOVER_RUNS: dict[str, Run] = {
    "leave-planned-completed": _planned,
    "leave-plan": _plan,
    "region-approved-with-the-region": _database_of_it,
    "leave-forced-completed": _forced,
    "leave-controlled": _controlled,
    "leave-rejected": _rejected,
    "leave-child-refused": _refused_child,
    "leave-cancelled-at-the-fence": _cancelled,
    "leave-pods-not-ready": _not_ready,
    "leave-traffic-stranded": _planned,
    "leave-precondition-unmet": _unmet,
    "leave-forced-pods-not-ready": _forced_not_ready,
    "back-completed": _back,
    "back-child-refused": _back_refused,
    "back-stranded": _back_stranded,
}
REGIONS: dict[str, dict[str, Any]] = {
    "leave-pods-not-ready": {"ready": {"within": "PT3S"}},
    "leave-forced-pods-not-ready": {"ready": {"within": "PT3S"}},
    "leave-traffic-stranded": {"traffic": [BROKEN]},
    **{name: {"away": True} for name in ("back-completed", "back-child-refused", "back-stranded")},
    "leave-controlled": {"traffic": [SLOW], "ready": {"within": "PT2M"}},
}
