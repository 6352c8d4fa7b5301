"""Letting a run in: its labels first, then what was typed, then whether its workflow ID is the lock that it needs.

The ID is the lock: Temporal runs at most one workflow per ID, so two runs that change one target exclude each other, whoever
starts them. A run that is refused here has changed nothing and still has its labels, so that it is found in the history.
"""

from __future__ import annotations

from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.run.errors import Refusal, refuse
from workflows.run.inputs import taken
from workflows.run.models import Request, Run, is_plan, plan_id
from workflows.run.state import RunState

R = TypeVar("R", bound=Request)


def admitted(state: RunState[Any], request: R | None, fault: ApplicationError | None, *, drills: bool = False) -> R:
    """Return the request that ``workflows.run.inputs.parse`` has read, if such a run may go on.

    ``drills``: it can be a drill.

    Raises:
        ApplicationError: ``BadInput``, ``NotAvailable`` or ``WrongWorkflowId``, naming what is right; nothing was changed.

    """
    state.label()
    request = taken(request, fault)
    if request.run is Run.DRILL and not drills:
        raise refuse(Refusal.NOT_AVAILABLE, "run: drill is not available; use plan or real")
    if (wrong := request.fault) is not None:
        raise refuse(Refusal.BAD_INPUT, wrong)
    _must_hold_lock(request.lock, request.run)
    return request


def _must_hold_lock(lock: str, run: Run) -> None:
    own = workflow.info().workflow_id
    if run is Run.PLAN:
        if not is_plan(own):
            words = f"workflow ID: {own} is not the ID of a plan; start it again as {plan_id(lock)}"
            raise refuse(Refusal.WRONG_WORKFLOW_ID, words)
    elif own != lock:
        words = f"workflow ID: {own} does not hold the lock of the target; start it again as {lock}"
        raise refuse(Refusal.WRONG_WORKFLOW_ID, words)
