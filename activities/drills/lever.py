"""Whether drills are stopped; and the end of those that go on, by their own way back: a drill answers a cancel so."""

from __future__ import annotations

import json

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.run.declare import step
from activities.run.models.wire import Wire
from activities.run.postures import CHANGE

_RUNNING = "WorkflowType = 'failover-drill' AND ExecutionStatus = 'Running'"


_LEVER, MEMO = "drills/stopped/", "stopped"
"""What the workflow ID of the run that stops all drills begins with; the name of its memo: by whom and why."""


def lever_of(queue: str) -> str:
    """Return the workflow ID of the run that stops all drills of a task queue for as long as it goes on."""
    return f"{_LEVER}{queue}"


async def stopped_since(client: Client, queue: str) -> str:
    """Return since when, by whom and why drills are stopped; empty: they are not."""
    try:
        found = await client.get_workflow_handle(lever_of(queue)).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return ""
        raise
    if found.status is not WorkflowExecutionStatus.RUNNING:
        return ""
    words = await found.memo_value(MEMO, "nobody says why", type_hint=str)
    return f"since {found.start_time:%Y-%m-%d %H:%M} UTC, {words}"


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
