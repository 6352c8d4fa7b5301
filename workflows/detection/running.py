"""Begins the failover that a watch has decided on, shows it while it goes on, and withdraws it when its reason is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.detection.models import Condition
from workflows.run import outcome
from workflows.run.automatic import FOUND, Found
from workflows.run.models import TASK_TIMEOUT

if TYPE_CHECKING:
    from workflows.detection.policy import Reactions
    from workflows.detection.quorum import Verdict
    from workflows.detection.requests import Begun


async def carried_out(reactions: Reactions, request: Begun, found: Found, verdict: Verdict | None) -> tuple[str, str] | None:
    """Start a failover and return how it ended, as ``_how_it_ended``; ``None``: another run holds the lock.

    Without a ``verdict`` it is a hand-over, which is not withdrawn.
    """
    subject, words = found.member, verdict.words if verdict else str(request.input["reason"])
    try:
        run = await workflow.start_child_workflow(
            request.workflow,
            request.input,
            id=request.lock,
            task_timeout=TASK_TIMEOUT,
            parent_close_policy=ParentClosePolicy.ABANDON,
            memo={FOUND: found},
            static_summary=f"real: {words}"[:200],
        )
    except WorkflowAlreadyStartedError:
        reactions.say(f"{words}; {request.lock} is held by another run, which is left alone")
        return None
    reactions.open[subject] = request.lock
    reactions.say(f"{words}; has begun {request.workflow} {request.lock}")
    try:
        over = _over(verdict) if verdict else ""
        return await _how_it_ended(run, lambda: bool(over) and reactions.is_over(subject), over)
    finally:
        reactions.open.pop(subject, None)


def _over(verdict: Verdict) -> str:
    """Return what is so when the reason of a run is over."""
    if verdict.condition is Condition.RETURNED:
        return f"{verdict.subject} is not healthy any more, or is in service again"
    return f"{verdict.subject} is healthy again"


async def _how_it_ended(
    run: workflow.ChildWorkflowHandle[Any, Any], is_over: Callable[[], bool], over: str
) -> tuple[str, str]:
    """Return (why it did not complete, else nothing; words); withdraw it when its reason is gone."""
    await workflow.wait_condition(lambda: run.done() or is_over())
    try:
        if not run.done():
            await run.signal("withdraw", over)
    except FailureError:
        workflow.logger.info("It had ended before it could be withdrawn")
    try:
        await asyncio.shield(run)
    except FailureError as error:
        return outcome.cause_of(error)
    return "", "completed"
