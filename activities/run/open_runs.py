"""Whether a run is open, by Temporal's own word."""

from __future__ import annotations

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode


async def open_run(workflow_id: str) -> str:
    """Return ``workflow_id`` if a run of it is open; empty otherwise."""
    if not workflow_id:
        return ""
    try:
        found = await activity.client().get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return ""
        raise
    return workflow_id if found.status is WorkflowExecutionStatus.RUNNING else ""
