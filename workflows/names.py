"""Workflow IDs: the ID is the lock.

Temporal runs at most one workflow per ID, so two switches of a cluster exclude each other, whoever starts them.
"""

from __future__ import annotations

from temporalio import workflow

from activities.errors import Refusal, refuse
from workflows.models import Run, plan_id


def must_hold_lock(lock: str, run: Run) -> None:
    """Return if this workflow's own ID is the one that such a run must have.

    Raises:
        ApplicationError: ``WrongWorkflowId``, naming the right one.

    """
    own = workflow.info().workflow_id
    if run is Run.PLAN:
        if not own.startswith("plan/"):
            raise refuse(
                Refusal.WRONG_WORKFLOW_ID,
                f"workflow ID: {own} is not the ID of a plan; start it again as {plan_id(lock)}",
            )
    elif own != lock:
        raise refuse(
            Refusal.WRONG_WORKFLOW_ID,
            f"workflow ID: {own} does not hold the lock of the target; start it again as {lock}",
        )
