"""Before the promotion everything is put back, whatever ends the run: applications have their pods, the Lease is free."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities.run.models.todo import Todo, kinds_of
from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.region.clusters import PODS, deployment
from tests.region.failover_bench import RegionFailoverBench
from tests.run.cancels import cancel

_PATCH: dict[str, Any] = {"method": "PATCH", "path": "*/flexibleServers/*"}


async def test_a_rejection_changes_nothing(leave: RegionFailoverBench) -> None:
    before = await asyncio.to_thread(leave.clusters.versions)
    handle = await leave.leave()
    await leave.vote(handle, "dana")
    await leave.vote(handle, "carl", approve=False)
    assert (await leave.ending(handle))[0] == "ApprovalRejected"
    assert await asyncio.to_thread(leave.clusters.versions) == before
    assert leave.changes() == []


async def test_two_of_three_are_not_enough(leave: RegionFailoverBench) -> None:
    handle = await leave.leave()
    await leave.vote(handle, "mona", "carl")
    status = await leave.status(handle)
    assert (status.phase, status.approval and status.approval.missing) == ("awaiting approval", 1)
    await handle.cancel()
    assert (await leave.ending(handle))[0] == "cancelled"
    assert await leave.is_as_before()


@pytest.mark.parametrize("fault", [Fault.HANGS, Fault.OUTLIVES])
@pytest.mark.parametrize("step", ["region.claim", "region.hold", "region.apply_overlay", "region.await_ready"])
async def test_a_cancel_puts_everything_back(leave: RegionFailoverBench, step: str, fault: Fault) -> None:
    held = leave.faults.order(step, fault)
    handle = await leave.approved()
    await held.reached.wait()
    await cancel(handle)
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("cancelled", []), told
    assert await leave.is_as_before()


async def test_a_cancel_at_the_fence_puts_everything_back(leave: RegionFailoverBench) -> None:
    held = leave.faults.order("region.fence", Fault.OUTLIVES)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await cancel(handle)
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("cancelled", []), told
    assert await leave.is_as_before()


@pytest.mark.parametrize("step", ["region.claim", "region.hold", "region.apply_overlay", "region.fence"])
async def test_a_step_that_is_done_and_not_reported_is_done_once(leave: RegionFailoverBench, step: str) -> None:
    leave.faults.order(step, Fault.UNREPORTED)
    end, told = await leave.ending(await leave.approved())
    assert (end, leave.changes()) == ("completed", ["PATCH 202"]), told
    assert await leave.scales() == dict.fromkeys(PODS, 0)


async def test_a_database_that_azure_refuses_puts_everything_back(leave: RegionFailoverBench) -> None:
    leave.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    end, told = await leave.ending(await leave.approved())
    assert end == "RolledBack", told
    assert f"{leave.light} is applied in {leave.surviving} again" in told
    assert "the Lease is given back" in told
    assert await leave.is_as_before()


async def test_a_database_that_stays_busy_puts_everything_back(leave: RegionFailoverBench) -> None:
    held = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.approved()
    await held.reached.wait()
    name = await leave.leader()
    leave.azure.flexible.server(leave.replica_of(name)).state = "Updating"
    leave.faults.release()
    end, told = await leave.ending(handle)
    leave.azure.flexible.server(leave.replica_of(name)).state = "Ready"
    assert (end, leave.changes()) == ("RolledBack", []), told
    assert await leave.is_as_before()


async def test_an_undo_that_cannot_reach_the_region_says_what_is_left(leave: RegionFailoverBench) -> None:
    leave.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    held = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await leave.clusters.relays[leave.lost].refuse()
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert end == "RollbackIncomplete", told
    assert "scale api-deployment, agents-deployment" in told


async def test_pods_that_are_not_ready_let_nothing_be_promoted(leave: RegionFailoverBench) -> None:
    leave.clusters.plays = False
    leave.change_entry(ready={"within": "PT2S"})
    end, told = await leave.ending(await leave.approved())
    assert (end, leave.changes()) == ("RolledBack", []), told
    assert "Deployment api-deployment: 0 of 2 ready" in told
    assert await leave.is_as_before()


async def test_without_a_pilot_light_what_was_applied_stays_and_is_said(leave: RegionFailoverBench) -> None:
    leave.change_entry(pilot_light=None)
    leave.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    end, told = await leave.ending(await leave.approved())
    assert (end, await leave.there()) == ("RolledBack", (2, "api:dr")), told
    assert f"what {leave.overlay} has applied stays in {leave.surviving}, without traffic" in told


@pytest.mark.parametrize("how", ["refuse", "hang"])
async def test_a_region_that_falls_silent_at_the_fence_is_said_and_not_fatal(
    leave: RegionFailoverBench, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.region.failover_steps._FENCE_SECONDS", 2.0)
    held = leave.faults.order("region.fence", Fault.HANGS)
    handle = await leave.approved()
    await held.reached.wait()
    await getattr(leave.clusters.relays[leave.lost], how)()
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, await leave.leads_there()) == ("completed", True), told
    assert f"NOT FENCED: api-deployment in {leave.lost}" in told
    assert kinds_of(leave.report().left_to_do) == {Todo.SCALE}
    assert await leave.scales() == PODS


async def test_silence_at_the_fence_does_not_hold_the_undo_up(leave: RegionFailoverBench) -> None:
    leave.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    held = leave.faults.order("region.fence", Fault.HANGS)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await leave.clusters.relays[leave.lost].refuse()
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, f"no application of {leave.lost} was scaled" in told) == ("RolledBack", True), told


async def test_a_number_of_pods_that_is_kept_already_is_not_lost(leave: RegionFailoverBench) -> None:
    """An earlier run was ended from outside after its fence: what its applications asked for is what is given back."""
    held = leave.faults.order("region.fence", Fault.OUTLIVES)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await handle.terminate()
    leave.faults.release()
    leave.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    end, told = await leave.ending(await leave.approved("forced"))
    assert end == "RolledBack", told
    assert await leave.is_as_before()


async def test_an_overlay_that_changes_while_people_decide_voids_the_approval(leave: RegionFailoverBench) -> None:
    handle = await leave.leave()
    await leave.until_phase(handle, "awaiting approval")
    leave.write_overlay([deployment("api-deployment", 2, image="api:another")])
    await leave.vote(handle)
    assert (await leave.ending(handle))[0] == "PlanChanged"
    assert await leave.is_as_before()


async def test_what_somebody_has_scaled_up_after_an_earlier_fence_is_what_comes_back(leave: RegionFailoverBench) -> None:
    held = leave.faults.order("region.fence", Fault.OUTLIVES)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await handle.terminate()
    leave.faults.release()
    apps = leave.clusters.apps(leave.lost)
    await asyncio.to_thread(
        apps.patch_namespaced_deployment, "api-deployment", leave.clusters.space, {"spec": {"replicas": 5}}
    )
    leave.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    end, told = await leave.ending(await leave.approved("forced"))
    assert (end, await leave.scales()) == ("RolledBack", {**PODS, "api-deployment": 5}), told
