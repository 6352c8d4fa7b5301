"""Leaders that a node hosts: each is failed over by its own procedure, as a child under its own lock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ChildWorkflowHandle, ParentClosePolicy

from activities.nodes.models import Carried
from activities.nodes.run_models import NodeDetails
from activities.run.errors import Refusal, refuse
from estate.nodes import NodeTarget
from workflows.nodes.models import NodeFailoverRequest
from workflows.run import outcome
from workflows.run.automatic import handed_on
from workflows.run.children import end_of
from workflows.run.models import TASK_TIMEOUT, Run, lock_of
from workflows.run.state import RunState, Span


@dataclass(frozen=True)
class Moved:
    """One leader that was moved."""

    words: str
    """``postgres-failover orders``; Sentinel may have been quicker."""
    people: tuple[Span, ...] = ()
    """From when to when people were asked to approve it."""


def word_said(state: RunState[NodeDetails]) -> dict[str, str]:
    """Return who has said last that the node is stopped; where it is signed, with all that the signature covers."""
    word = state.signed_word
    if word is None or word.by != state.attested_by or word.expires is None:
        return {"by": state.attested_by}
    run = workflow.info().first_execution_run_id
    signed = {"signature": word.signature, "expires": word.expires.isoformat()}
    return {"by": word.by, "note": word.note, "run": run, **signed}


async def move(carried: Carried, asked: NodeFailoverRequest, target: NodeTarget) -> Moved:
    """Move what leads from the node, in the mode that was asked for, under its own lock, by its own procedure.

    Raises:
        ApplicationError: ``ClaimedElsewhere`` when that lock is held.
        ChildWorkflowError: it was refused, undone or cancelled; says why.

    """
    lock = lock_of(_NAMED_BY[carried.workflow][0], carried.target)
    try:
        ended: outcome.Summary = await end_of(_begin(carried, _request_to_move(carried, asked, target), lock))
    except WorkflowAlreadyStartedError:
        words = f"{lock} is held by another run: failover status {carried.target}; start again when it has ended"
        raise refuse(Refusal.CLAIMED_ELSEWHERE, words) from None
    except ChildWorkflowError as error:
        if outcome.cause_of(error)[0] != Refusal.MOVED_ALREADY:
            raise
        return Moved(f"{carried.workflow} {carried.target} (had moved already)")
    return Moved(f"{carried.workflow} {carried.target}", ended.waited_for_people)


async def _begin(carried: Carried, request: dict[str, object], lock: str) -> ChildWorkflowHandle[Any, outcome.Summary]:
    return await workflow.start_child_workflow(
        carried.workflow,
        request,
        result_type=outcome.Summary,
        id=lock,
        task_timeout=TASK_TIMEOUT,
        parent_close_policy=ParentClosePolicy.ABANDON,  # a run that is terminated must not tear a switch apart
        cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        memo=handed_on(),
        static_summary=f"real: {request['reason']}"[:200],
    )


async def pass_the_word_on(
    carried: Carried, node: str, says: Callable[[], dict[str, str]], goes_on: Callable[[], bool]
) -> None:
    """Tell whatever run moves ``carried`` who ``says`` that ``node`` is stopped, again and again while it ``goes_on``.

    A run that has not begun hears nothing, and one that does not wait for proof drops the word, as it does one of somebody
    whose word its target does not take.
    """
    run = workflow.get_external_workflow_handle(lock_of(_NAMED_BY[carried.workflow][0], carried.target))
    for number in count():
        if not goes_on():  # a cancel that comes while a signal is on its way is lost
            return
        with suppress(FailureError):
            await run.signal("attested", {**says(), "member": carried.pod, "node": node})
        await workflow.sleep(_TELLS_SOON if number < _SOON else _TELLS_LATER)


_TELLS_SOON, _TELLS_LATER, _SOON = timedelta(seconds=2), timedelta(seconds=10), 60
"""A run may wait for approvals for hours: a history must not grow without end."""
_NAMED_BY = {"postgres-failover": ("postgres", "cluster"), "redis-failover": ("redis", "master")}
"""Procedure of a leader → what its target is, and the field that names it: procedures know each other by name only."""


def _request_to_move(carried: Carried, asked: NodeFailoverRequest, target: NodeTarget) -> dict[str, object]:
    """Return the same request, as far as the procedure takes it: a database may take nobody's word."""
    words = {one.name: one.takes_words for one in target.postgres}
    request: dict[str, object] = {
        _NAMED_BY[carried.workflow][1]: carried.target,
        "mode": asked.mode.value,
        "run": Run.REAL.value,
        "by": asked.by,
        "reason": f"node-failover {asked.node}: {asked.reason or 'no reason given'}"[:1000],
        "attest": asked.attest and words.get(carried.target, True),
    }
    return request | ({"member": carried.pod} if carried.workflow == "redis-failover" else {})
