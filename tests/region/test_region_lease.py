"""The Lease keeps two runs apart: one that has lost it changes no more, and says what it leaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from activities.region.failover_models import HeldLease
from activities.region.failover_steps import RegionActivities
from activities.run.models.todo import Todo, kinds_of
from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.region.bench import DATABASE
from tests.region.clusters import PODS
from tests.region.failover_bench import RegionFailoverBench, hold_lease
from tests.run.cancels import cancel
from workflows.region.models import flexible_lock_id


async def test_another_run_s_lease_is_not_taken(leave: RegionFailoverBench) -> None:
    await hold_lease(leave, "region/elsewhere/break-glass", datetime.now(UTC))
    end, told = await leave.ending(await leave.approved())
    assert (end, leave.changes()) == ("ClaimedElsewhere", []), told
    assert "region/elsewhere/break-glass" in told
    assert (await leave.scales(), await leave.holder()) == (PODS, "region/elsewhere/break-glass")


async def test_a_lease_that_nobody_has_renewed_is_taken(leave: RegionFailoverBench) -> None:
    await hold_lease(leave, "region/elsewhere/break-glass", datetime.now(UTC) - timedelta(minutes=6))
    end, told = await leave.ending(await leave.approved())
    assert end == "completed", told


async def test_a_run_that_loses_its_lease_changes_no_more(leave: RegionFailoverBench) -> None:
    held = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await hold_lease(leave, "region/elsewhere/break-glass", datetime.now(UTC))
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("RollbackIncomplete", []), told
    assert "stay as they are: the run region/elsewhere/break-glass has taken the Lease" in told
    assert kinds_of(leave.report().left_to_do) == {Todo.SCALE}
    assert await leave.scales() == dict.fromkeys(PODS, 0)
    assert await leave.holder() == "region/elsewhere/break-glass"


async def test_what_another_run_may_serve_by_is_not_taken_away(leave: RegionFailoverBench) -> None:
    leave.azure.emulator.faults.order(Azure(method="PATCH", path="*/flexibleServers/*", status=403, code="Forbidden"))
    held = leave.faults.order("region.await_ready", Fault.HANGS)
    handle = await leave.approved()
    await held.reached.wait()
    leave.faults.release()
    held = leave.faults.order("region.survey_database", Fault.HANGS)
    await held.reached.wait()
    await hold_lease(leave, "region/elsewhere/break-glass", datetime.now(UTC))
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, await leave.there()) == ("RollbackIncomplete", (2, "api:dr")), told
    assert f"the applications of {leave.surviving} stay as they are: the run region/elsewhere" in told


async def test_a_lease_that_another_run_has_given_back_is_not_taken_again(leave: RegionFailoverBench) -> None:
    """What people have agreed to may be hours old by then."""
    held = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await hold_lease(leave, "", datetime.now(UTC))
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("RollbackIncomplete", []), told
    assert "nobody holds the Lease" in told
    assert (await leave.leads_there(), await leave.holder()) == (False, "")


async def test_a_lease_that_is_lost_while_a_child_works_ends_the_child(
    leave: RegionFailoverBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.region.keeping.RENEWED_EVERY", timedelta(seconds=0.5))
    before = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.lost_and_approved()
    await before.reached.wait()
    leave.faults.release()
    held = leave.faults.order("region.survey_database", Fault.HANGS)  # the child's: this run has made its plan
    await held.reached.wait()
    await hold_lease(leave, "region/elsewhere/break-glass", datetime.now(UTC))
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("RollbackIncomplete", []), told
    assert "the run region/elsewhere/break-glass has taken the Lease" in told


async def test_a_run_that_was_reset_goes_on_with_its_lease(leave: RegionFailoverBench) -> None:
    """A reset gives the run another ID; the Lease names the run that was closed by it."""
    held = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.approved()
    await held.reached.wait()
    events = (await handle.fetch_history()).events
    finished = max(one.event_id for one in events if one.HasField("workflow_task_completed_event_attributes"))
    await leave.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=leave.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.first_execution_run_id or ""),
            reason="a test",
            request_id=str(uuid4()),
            workflow_task_finish_event_id=finished,
        )
    )
    leave.faults.release()
    again = leave.client.get_workflow_handle(handle.id)
    leave.started.append(again)
    end, told = await leave.ending(again)
    assert (end, leave.changes()) == ("completed", ["PATCH 202"]), told


@pytest.mark.parametrize("closed", [True, False])
async def test_what_another_open_run_has_scaled_is_not_given_back(leave: RegionFailoverBench, closed: bool) -> None:  # noqa: FBT001
    held = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    if not closed:
        apps = leave.clusters.apps(leave.lost)
        notes = {"metadata": {"annotations": {"failover/scaled-for": "region/elsewhere/break-glass"}}}
        await asyncio.to_thread(apps.patch_namespaced_deployment, "api-deployment", leave.clusters.space, notes)
    await cancel(handle)
    leave.faults.release()
    _, told = await leave.ending(handle)
    assert await leave.scales() == {**PODS, **({} if closed else {"api-deployment": 0})}, told


async def test_a_person_who_cancels_only_the_database_s_run_is_told_so(leave: RegionFailoverBench) -> None:
    before = leave.faults.order("region.hold", Fault.HANGS)
    handle = await leave.approved()
    await before.reached.wait()
    leave.faults.release()
    held = leave.faults.order("region.survey_database", Fault.HANGS)
    await held.reached.wait()
    await leave.client.get_workflow_handle(flexible_lock_id(DATABASE)).cancel()
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("RolledBack", []), told
    assert "the run flexible/aiagent-db was cancelled" in told
    assert await leave.is_as_before()


def test_a_lease_without_a_time_is_held() -> None:
    now = datetime.now(UTC)
    held = HeldLease(holder="region/eastus/1")
    late = held.model_copy(update={"renewed_at": now - timedelta(minutes=6)})
    assert (held.is_free(now), late.is_free(now), HeldLease().is_free(now)) == (False, True, True)


async def test_an_application_that_hangs_is_not_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hangs:
        async def scale(self, *_: object) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("activities.region.failover_steps._FENCE_SECONDS", 0.05)
    steps = RegionActivities(cast("Any", Hangs()), cast("Any", None), cast("Any", None))
    order = cast("Any", SimpleNamespace(target=SimpleNamespace(region=None)))
    seen = await steps._within_time(order, "api", first=True)
    assert (seen.error, seen.untouched) == ("no answer within 0.05 s", False)
