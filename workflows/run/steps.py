"""How a workflow takes a step: one typed call; how long to insist and what the UI shows stand beside the activity.

A step that has run out of time has failed. Where Temporal itself, or every worker, was away meanwhile, it ends later than it
should. A workflow that ``waits_out_absence`` then takes the step again, with all of its time. Others do not: while writes
are stopped an undo that comes soon is worth more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from activities.run.declare import declared
from activities.run.models.wire import RunId
from activities.run.postures import Posture

R = TypeVar("R")
T = TypeVar("T")

_LONGEST_SUMMARY = 200
_LATE = timedelta(seconds=10)
"""More than workers that are busy take to hear of a step's end."""


def me() -> RunId:
    """Return this run."""
    info = workflow.info()
    return RunId(workflow_id=info.workflow_id, run_id=info.run_id)


def begin(
    method: Callable[[Any, R], Awaitable[T]], request: R, *, posture: Posture | None = None
) -> workflow.ActivityHandle[T]:
    """Begin a step beside others. ``posture``: instead of the step's own."""
    step = declared(method)
    summary = step.summary(request)[:_LONGEST_SUMMARY]
    # A run from before asks for a step by its earlier name.
    if step.earlier is not None and not workflow.patched("plain-step-names"):
        method = step.earlier
    return workflow.start_activity_method(method, request, summary=summary, **(posture or step.posture))


async def step(method: Callable[[Any, R], Awaitable[T]], request: R, *, posture: Posture | None = None) -> T:
    """Take a step and return its answer.

    Raises:
        ActivityError: the step refused, failed for as long as its posture insists, or was cancelled.

    """
    while True:
        began = workflow.now()
        try:
            return await begin(method, request, posture=posture)
        except ActivityError as error:
            if not was_nobodys_time(error, began, posture or declared(method).posture):
                raise


def was_nobodys_time(error: BaseException, began: datetime, posture: Posture) -> bool:
    """Whether a step is to be taken again that has run out of time: it ended late, so nobody could have carried it out."""
    late = workflow.now() - began - posture["schedule_to_close_timeout"] > _LATE
    if not (late and isinstance(error, ActivityError)) or _is_final(error):
        return False
    if is_cancelled_exception(error) or workflow.cancellation_reason() is not None:  # a frozen worker hears of no cancel
        return False
    if not getattr(workflow.instance(), "waits_out_absence", False) or not workflow.patched("absence-is-waited-out"):
        return False
    workflow.logger.warning("Temporal or all workers were away: %s is taken again", error.activity_type)
    return True


def _is_final(error: ActivityError) -> bool:
    """Whether the step itself has said that another try is of no use."""
    return isinstance(error.cause, ApplicationError) and error.cause.non_retryable
