"""What small workflows beside the procedures have in common: no lock, and an answer or one sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.run.errors import Refusal, refuse
from workflows.postgres.models import KeptRequest, PauseRequest, RepairRequest
from workflows.run.inputs import taken
from workflows.run.outcome import cause_of, was_cancelled

A = TypeVar("A")
R = TypeVar("R", PauseRequest, KeptRequest, RepairRequest)


def checked(request: R | None, bad_input: ApplicationError | None, own_id: Callable[[str], str]) -> R:
    """Return the request. ApplicationError: ``BadInput``, or ``WrongWorkflowId`` when the run is not under ``own_id``."""
    known, own = taken(request, bad_input), workflow.info().workflow_id
    if (fault := known.fault) is not None:
        raise refuse(Refusal.BAD_INPUT, fault)
    if own != own_id(known.cluster):
        raise refuse(Refusal.WRONG_WORKFLOW_ID, f"workflow ID: {own}; start it again as {own_id(known.cluster)}")
    return known


async def in_one_sentence(work: Awaitable[A]) -> A:
    """Return the answer of ``work``. ApplicationError: what lies behind a step that failed; a cancel stays one."""
    try:
        return await work
    except ActivityError as error:
        if was_cancelled(error):
            raise
        kind, message = cause_of(error)
        raise ApplicationError(message, type=kind, non_retryable=True) from error
