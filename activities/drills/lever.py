"""Ends the drills that go on, each by its own way back: a cancel, which a drill answers so."""

from __future__ import annotations

import json

from temporalio import activity
from temporalio.service import RPCError, RPCStatusCode

from activities.run.declare import step
from activities.run.models.wire import Wire
from activities.run.postures import CHANGE

_RUNNING = "WorkflowType = 'failover-drill' AND ExecutionStatus = 'Running'"


class StopOrder(Wire):
    """Cancel all drills that go on."""

    by: str
    reason: str


class Stopped(Wire):
    """What was cancelled."""

    drills: tuple[str, ...] = ()


class LeverActivities:
    """What the lever does."""

    @step("drills.cancel_running", CHANGE, lambda _: "cancel the drills that go on")
    async def cancel_running(self, order: StopOrder) -> Stopped:
        """Cancel each drill on this step's task queue; one that is past its way back goes on. Safe to repeat."""
        client, found = activity.client(), list[str]()
        async for run in client.list_workflows(_RUNNING):
            if run.task_queue != activity.info().task_queue:
                continue
            note = json.dumps({"by": order.by, "reason": f"drills are stopped: {order.reason}"[:1000]})
            try:
                await client.get_workflow_handle(run.id, run_id=run.run_id).cancel(reason=note)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            found.append(run.id)
        return Stopped(drills=tuple(found))
