"""What moves with a region by a procedure of its own: databases and traffic, as children under their own locks.

Approvals were collected up front: a child gets the votes, and, where its plan was part of what people agreed to, that plan's
digest. A child is abandoned, not ended, when this run ends from outside: a promotion is never torn apart.
"""

from __future__ import annotations

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

from activities.region.failover_models import DatabaseMove
from activities.run.errors import Refusal, refuse
from activities.run.models.report import Vote
from workflows.region.failover_planning import TrafficSeen
from workflows.region.models import RegionDatabaseRequest, RegionMove, flexible_lock_id
from workflows.run import outcome
from workflows.run.automatic import handed_on
from workflows.run.children import end_of
from workflows.run.granted import GRANTED, Granted
from workflows.run.models import TASK_TIMEOUT, Run, lock_of, plan_beside

DATABASE, TRAFFIC = "postgres-region-failover", "dns-failover"
_PLANNED_WITHIN = timedelta(minutes=2)
_ASKED_AGAIN = timedelta(seconds=2)


class Child(NamedTuple):
    """A run that this one begins."""

    workflow: str
    request: dict[str, Any]
    lock: str
    decisions: str = ""
    """Digest of its plan, as people have seen it."""


def traffic_lock_id(name: str) -> str:
    """Return the workflow ID of a run that leads the traffic ``name`` elsewhere."""
    return lock_of("traffic", name)


def database_request(asked: RegionMove, database: str, server: str) -> RegionDatabaseRequest:
    """Return what the failover of one database is asked for."""
    return RegionDatabaseRequest(
        database=database,
        mode=asked.mode,
        to=server,
        run=Run.REAL,
        by=asked.by,
        reason=_reason(asked),
        down_since=asked.down_since,
        max_missing=asked.max_missing,
    )


def database_child(asked: RegionMove, move: DatabaseMove) -> Child:
    """Return the failover of one database."""
    request = database_request(asked, move.name, move.server).model_dump(mode="json", exclude_none=True)
    return Child(DATABASE, request, flexible_lock_id(move.name), move.digest)


def traffic_child(asked: RegionMove, to: str, name: str) -> Child:
    """Return the move of one traffic entry."""
    return Child(TRAFFIC, _traffic_request(asked, to, name, Run.REAL), traffic_lock_id(name))


def _traffic_request(asked: RegionMove, to: str, name: str, run: Run) -> dict[str, Any]:
    return {"traffic": name, "to": to, "by": asked.by, "reason": _reason(asked), "run": run.value}


def _reason(asked: RegionMove) -> str:
    return f"{workflow.info().workflow_type} {asked.region}: {asked.reason or 'no reason given'}"[:1000]


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


async def run_child(child: Child, votes: tuple[Vote, ...]) -> outcome.Summary | None:
    """Run it to its end; ``None``: what it would do was done already.

    Raises:
        ApplicationError: ``ClaimedElsewhere`` when its lock is held.
        ChildWorkflowError: it was refused, undone, cancelled or stranded; says why.

    """
    try:
        ended: outcome.Summary = await end_of(begin(child, votes))
    except WorkflowAlreadyStartedError:
        words = f"{child.lock} is held by another run; start again when it has ended"
        raise refuse(Refusal.CLAIMED_ELSEWHERE, words) from None
    except ChildWorkflowError as error:
        if outcome.cause_of(error)[0] != Refusal.MOVED_ALREADY:
            raise
        return None
    return ended


async def plan_traffic(asked: RegionMove, to: str, name: str) -> TrafficSeen:
    """Return what the dry run of a traffic entry's own failover says. It changes nothing, and ends within 4 minutes.

    The surviving region may serve nothing yet: its pods come with the overlay, after this plan. A colleague's plan of
    the same entry is waited for, as long: it must not void what people have approved.
    """
    until = workflow.now() + _PLANNED_WITHIN
    try:
        while True:
            try:
                return TrafficSeen(name, "", (await _planned(asked, to, name)).explanation)
            except WorkflowAlreadyStartedError:
                if workflow.now() >= until:
                    words = "another plan of it is being made: start again when it has ended"
                    return TrafficSeen(name, Refusal.BUSY.value, words)
                await workflow.sleep(_ASKED_AGAIN, summary="a colleague's plan is being made")
    except FailureError as error:
        if outcome.was_cancelled(error):
            raise
        kind, words = outcome.cause_of(error)
        if isinstance(error.cause, TimeoutError):
            words = f"{TRAFFIC} gave no plan within {_PLANNED_WITHIN.total_seconds():.0f} s: do workers serve it?"
        known = kind if kind in {one.value for one in Refusal} else Refusal.NOT_AVAILABLE.value
        return TrafficSeen(name, known, words)


async def _planned(asked: RegionMove, to: str, name: str) -> outcome.Summary:
    planned: outcome.Summary = await workflow.execute_child_workflow(
        TRAFFIC,
        {**_traffic_request(asked, to, name, Run.PLAN), "serves_later": True},
        result_type=outcome.Summary,
        id=plan_beside(workflow.info().workflow_id, traffic_lock_id(name)),
        task_timeout=TASK_TIMEOUT,
        execution_timeout=_PLANNED_WITHIN,
        cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    )
    return planned
