"""Runs of other procedures as children, under their own locks: approvals are collected up front and handed on.

A child gets the votes, and, where its plan was part of what people agreed to, that plan's digest. It is abandoned, not
ended, when this run ends from outside: a promotion is never torn apart.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.exceptions import (
    ChildWorkflowError,
    FailureError,
    TimeoutError,  # noqa: A004 - of Temporal
    WorkflowAlreadyStartedError,
)
from temporalio.workflow import ChildWorkflowCancellationType, ChildWorkflowHandle, ParentClosePolicy

from activities.run.errors import Refusal, refuse
from activities.run.models.report import Vote
from workflows.run import outcome
from workflows.run.automatic import handed_on
from workflows.run.children import end_of
from workflows.run.granted import GRANTED, Granted
from workflows.run.models import TASK_TIMEOUT, plan_beside

_PLANNED_WITHIN = timedelta(minutes=2)
_ASKED_AGAIN = timedelta(seconds=2)


class Child(NamedTuple):
    """A run that this one begins."""

    workflow: str
    request: dict[str, Any]
    lock: str
    decisions: str = ""
    """Digest of its plan, as people have seen it."""


class PlanSeen(NamedTuple):
    """What a dry run has found."""

    refusal: str
    """What the run would be refused by; empty: by nothing."""
    words: str


async def begin(child: Child, votes: tuple[Vote, ...]) -> ChildWorkflowHandle[Any, outcome.Summary]:
    """Begin it, whatever becomes of this run. WorkflowAlreadyStartedError: its lock is held."""
    granted = {GRANTED: Granted(votes=votes, decisions=child.decisions)}
    return await workflow.start_child_workflow(
        child.workflow,
        child.request,
        result_type=outcome.Summary,
        id=child.lock,
        task_timeout=TASK_TIMEOUT,
        parent_close_policy=ParentClosePolicy.ABANDON,
        cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        memo={**handed_on(), **granted},
        static_summary=f"real: {child.request['reason']}"[:200],
    )


async def _begin_and_tell(
    child: Child, votes: tuple[Vote, ...], begun: Callable[[str], None]
) -> ChildWorkflowHandle[Any, outcome.Summary]:
    handle = await begin(child, votes)
    begun(handle.first_execution_run_id or "")
    return handle


async def run_child(
    child: Child, votes: tuple[Vote, ...], begun: Callable[[str], None] = lambda _: None
) -> outcome.Summary | None:
    """Run it to its end; ``None``: what it would do was done already. ``begun`` is told its run ID.

    Raises:
        ApplicationError: ``ClaimedElsewhere`` when its lock is held.
        ChildWorkflowError: it was refused, undone, cancelled or stranded; says why.

    """
    try:
        ended: outcome.Summary = await end_of(_begin_and_tell(child, votes, begun))
    except WorkflowAlreadyStartedError:
        words = f"{child.lock} is held by another run; start again when it has ended"
        raise refuse(Refusal.CLAIMED_ELSEWHERE, words) from None
    except ChildWorkflowError as error:
        if outcome.cause_of(error)[0] != Refusal.MOVED_ALREADY:
            raise
        return None
    return ended


async def plan_of(workflow_type: str, request: dict[str, Any], lock: str) -> PlanSeen:
    """Return what the dry run of another procedure says. It changes nothing, and ends within 4 minutes.

    A colleague's plan of the same target is waited for, as long: it must not void what people have approved.
    """
    until = workflow.now() + _PLANNED_WITHIN
    try:
        while True:
            try:
                return PlanSeen("", (await _planned(workflow_type, request, lock)).explanation)
            except WorkflowAlreadyStartedError:
                if workflow.now() >= until:
                    return PlanSeen(Refusal.BUSY.value, "another plan of it is being made: start again when it has ended")
                await workflow.sleep(_ASKED_AGAIN, summary="a colleague's plan is being made")
    except FailureError as error:
        if outcome.was_cancelled(error):
            raise
        kind, words = outcome.cause_of(error)
        if isinstance(error.cause, TimeoutError):
            words = f"{workflow_type} gave no plan within {_PLANNED_WITHIN.total_seconds():.0f} s: do workers serve it?"
        known = kind if kind in {one.value for one in Refusal} else Refusal.NOT_AVAILABLE.value
        return PlanSeen(known, words)


async def _planned(workflow_type: str, request: dict[str, Any], lock: str) -> outcome.Summary:
    planned: outcome.Summary = await workflow.execute_child_workflow(
        workflow_type,
        request,
        result_type=outcome.Summary,
        id=plan_beside(workflow.info().workflow_id, lock),
        task_timeout=TASK_TIMEOUT,
        execution_timeout=_PLANNED_WITHIN,
        cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    )
    return planned
