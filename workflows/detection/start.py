"""Start a watch on everything that the estate lists, or on what is asked for; those that run read the estate anew.

Each watch is a run of its own that outlives this one. Starting them twice is starting them once.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.detection.models import Listed, ListRequest
from activities.detection.steps import WatchActivities
from activities.run.watches import WATCH_TYPES
from workflows.detection.models import StartedWatches, WatchersRequest, WatchInput, watch_id
from workflows.run.inputs import parse, taken
from workflows.run.models import TASK_TIMEOUT
from workflows.run.outcome import cause_of, was_cancelled
from workflows.run.steps import step


@workflow.defn(name="watchers-start")
class WatchersStart:
    """One start of many watches."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._request, self._bad_input = parse(WatchersRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> StartedWatches:  # noqa: ANN401
        """Return the IDs of the watches: those started now, and those that ran already."""
        request = taken(self._request, self._bad_input)
        try:
            listed = await step(WatchActivities.list, ListRequest(target=request.target or ""))
        except ActivityError as error:
            if was_cancelled(error):
                raise
            kind, message = cause_of(error)
            raise ApplicationError(message, type=kind, non_retryable=True) from error
        started: list[str] = []
        running: list[str] = []
        for one in listed.targets:
            (started if await _start(one) else running).append(watch_id(one.kind, one.name))
        return StartedWatches(started=tuple(started), running=tuple(running))


async def _start(one: Listed) -> bool:
    """Start one watch; let one that runs read the estate anew. Return whether it was started."""
    own = watch_id(one.kind, one.name)
    try:
        await workflow.start_child_workflow(
            WATCH_TYPES[one.kind.value],
            WatchInput(target=one.name),
            id=own,
            task_timeout=TASK_TIMEOUT,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"watches {one.kind.value}/{one.name}",
        )
    except WorkflowAlreadyStartedError:
        await workflow.get_external_workflow_handle(own).signal("read_again")
        return False
    return True
