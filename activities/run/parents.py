"""Whether the run that has begun another is what its workflow ID says it is: Temporal itself is asked."""

from __future__ import annotations

from temporalio import activity
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.run.declare import step
from activities.run.models.wire import RunId, Wire
from activities.run.postures import READ


class ParentRequest(Wire):
    """Which run is looked at, and of which type it must be."""

    parent: RunId
    namespace: str
    workflow: str = ""
    workflows: tuple[str, ...] = ()
    """Where it may be of several types."""
    may_have_ended: bool | None = None
    """A run that outlives its parent may look late: Temporal has kept who has begun it."""


class ParentSeen(Wire):
    """What the look has shown."""

    is_watch: bool
    """It is of the type that it must be, and runs."""
    message: str = ""
    """What is wrong with it."""


class ParentActivities:
    """Looks at runs in Temporal."""

    @step("run.parent", READ, lambda request: f"is {request.parent.workflow_id} the detection of this target")
    async def look(self, request: ParentRequest) -> ParentSeen:
        """Return whether the parent is a watch: its type, the task queue of this step, and running. Changes nothing."""
        return await _seen(request)

    @step("run.grantor", READ, lambda request: f"may {request.parent.workflow_id} hand approvals on")
    async def look_at_grantor(self, request: ParentRequest) -> ParentSeen:
        """Return whether the parent is a run that asks for approvals for its children, as ``run.parent``."""
        return await _seen(request)


async def _seen(request: ParentRequest) -> ParentSeen:
    parent, own = request.parent, activity.info().workflow_namespace
    if request.namespace != own:
        return ParentSeen(is_watch=False, message=f"{parent} runs in the namespace {request.namespace}, not {own}")
    try:
        found = await activity.client().get_workflow_handle(parent.workflow_id, run_id=parent.run_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return ParentSeen(is_watch=False, message=f"{parent} does not exist")
        raise
    kinds, queue = request.workflows or (request.workflow,), activity.info().task_queue
    message = what_is_wrong(found, kinds, queue, may_have_ended=bool(request.may_have_ended))
    return ParentSeen(is_watch=not message, message=message)


def what_is_wrong(
    found: WorkflowExecutionDescription, workflows: tuple[str, ...], queue: str, *, may_have_ended: bool = False
) -> str:
    """Return why the parent is no running workflow of one of these types on ``queue``; empty when it is."""
    if found.workflow_type not in workflows:
        return f"{found.id} is a {found.workflow_type}, no {' or '.join(workflows)}"
    if found.task_queue != queue:
        return f"{found.id} is served on the task queue {found.task_queue}, not {queue}"
    if found.status is not WorkflowExecutionStatus.RUNNING and not may_have_ended:
        return f"{found.id} does not run any more"
    return ""
