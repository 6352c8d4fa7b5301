"""How a run ends: which outcome, in which words, with what kept. Never a false "rolled back"."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, ClassVar

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    TimeoutError,  # noqa: A004
    is_cancelled_exception,
)

from activities.run.errors import Refusal, refuse
from activities.run.models.report import Outcome, RecordsRequest, RecoveryDetails
from activities.run.models.wire import Wire
from activities.run.records import RecordsActivities
from workflows.run.models import CancelNote, Run, cancel_note
from workflows.run.signatures import key_of, word_of
from workflows.run.state import RunState, Span
from workflows.run.steps import step
from workflows.run.uncancellable import uncancellable


class Summary(Wire):
    """Result of a run that ended well; everything else is in the report."""

    shown: ClassVar[bool] = True

    outcome: Outcome
    explanation: str
    leader: str = ""
    outage_seconds: float | None = None
    lost: int | None = None
    recovery_seconds: float | None = None
    """Of a procedure that is judged by it; without the time in which people were asked."""
    healthy: bool | None = None
    """Of such a procedure: whether all was well in the end."""
    complete_until: datetime | None = None
    """Forced, of a database: the new primary has every commit of the lost one until then; ``None``: it does not know."""
    records: tuple[str, ...] = ()
    waited_for_people: tuple[Span, ...] = ()
    """From when to when people were asked to approve, or held the run."""
    warnings: tuple[str, ...] = ()
    """Dry run: what should be mended before the procedure is needed."""


def cause_of(error: BaseException) -> tuple[str, str]:
    """Return (refusal or error type, sentence) of what lies behind ``error``."""
    step, behind = "", error
    while isinstance(behind, ActivityError | ChildWorkflowError | TimeoutError) and behind.cause is not None:
        step = behind.activity_type if isinstance(behind, ActivityError) else step
        behind = behind.cause
    if was_cancelled(behind):
        return "Cancelled", "cancelled"
    if isinstance(behind, ApplicationError):
        return behind.type or "Error", behind.message
    if isinstance(behind, TimeoutError):
        return Refusal.UNREACHABLE.value, f"{step}: no worker finished it in time (none ran, or Temporal was away)"
    return type(behind).__name__, str(behind) or type(behind).__name__


def was_cancelled(error: BaseException) -> bool:
    """Whether ``error`` is the answer to a cancel.

    A step whose worker is frozen does not hear of the cancel and runs into its heartbeat timeout instead.
    """
    if is_cancelled_exception(error):
        return True
    behind = error.cause if isinstance(error, ActivityError) else error
    return isinstance(behind, TimeoutError) and behind.cause is None and workflow.cancellation_reason() is not None


async def conclude(state: RunState[Any], story: Coroutine[Any, Any, None]) -> Summary:
    """Await ``story``, write down how it ended, keep the report, and return or raise what the workflow ends with."""
    try:
        await story
    except (asyncio.CancelledError, FailureError) as error:
        await uncancellable(_close_badly(state, error))
        raise _last_word(state, error) from error
    await uncancellable(_keep(state))
    await workflow.wait_condition(workflow.all_handlers_finished)
    return _summary(state)


_NOTHING_TOUCHED = {
    Refusal.NOT_AVAILABLE,
    Refusal.CLAIMED_ELSEWHERE,
    Refusal.NO_RECORD,
    Refusal.RECORD_DISAGREES,
    Refusal.SECRET_MISSING,
}


def touched_nothing(error: FailureError) -> bool:
    """Whether settling an earlier run's switch failed before it could change anything; else writes may be stopped."""
    kind, _ = cause_of(error)
    behind = error.cause if isinstance(error, ActivityError) else error
    is_answer = isinstance(behind, ApplicationError) and (kind in _NOTHING_TOUCHED or kind == Refusal.UNREACHABLE)
    return is_answer or was_cancelled(error)


def is_answer(error: BaseException) -> bool:
    """Whether a step ended with a clear no, and not with silence after which it may have done its work."""
    behind = error.cause if isinstance(error, ActivityError) else error
    return isinstance(behind, ApplicationError) and behind.non_retryable


async def _close_badly(state: RunState[Any], error: BaseException) -> None:
    """Write down the outcome that is true, and keep the report."""
    kind, message = cause_of(error)
    message = await _cancelled() if kind == "Cancelled" else message
    outcome = _outcome(state, error, kind)
    words = {
        Outcome.REFUSED: f"{message}; {state.leaves}" if state.leaves else message,
        Outcome.CANCELLED: f"{message}; {state.leaves or 'nothing was changed'}",
        Outcome.ROLLED_BACK: f"{message}; undone: {', '.join(state.undone)}",
    }
    state.close(outcome, state.control.after(words.get(outcome, message)))
    await _keep(state, refusal="" if kind == "Cancelled" else kind)


async def _cancelled() -> str:
    """Return by whom the run was cancelled, and why, as far as the cancel says so, and what proves it."""
    note = cancel_note(workflow.cancellation_reason())
    return f"cancelled {note.told}{await _proof_of(note)}" if note else "cancelled"


async def _proof_of(note: CancelNote) -> str:
    """Return what proves who has cancelled; empty where that is not asked for. Never raises: the undo is done."""
    if not note.signature:
        return " (unverified)" if getattr(workflow.instance(), "counts_signed_only", False) else ""
    info = workflow.info()
    try:
        said = word_of("cancel", note, info.workflow_id, info.first_execution_run_id)
        return f" (signed with {await key_of(said, note.signature)})"
    except (ValueError, FailureError) as complaint:
        workflow.logger.warning("Whose cancel it is: %s", complaint)
        return " (unverified)"


def _outcome(state: RunState[Any], error: BaseException, kind: str) -> Outcome:
    if state.forward_only or kind == Refusal.STRANDED:
        return Outcome.STRANDED
    if kind == Refusal.ROLLBACK_INCOMPLETE:
        return Outcome.ROLLBACK_INCOMPLETE
    if state.undone:
        return Outcome.ROLLED_BACK
    if was_cancelled(error):
        return Outcome.CANCELLED
    return Outcome.WITHDRAWN if kind == Refusal.WITHDRAWN else Outcome.REFUSED


def _last_word(state: RunState[Any], error: BaseException) -> BaseException:
    """Return what the workflow ends with: Canceled after a cancel that was honoured, else Failed with a sentence."""
    kind, _ = cause_of(error)
    if was_cancelled(error) and state.outcome in {Outcome.CANCELLED, Outcome.ROLLED_BACK}:
        return asyncio.CancelledError(state.explanation)
    names = {
        Outcome.ROLLED_BACK: Refusal.ROLLED_BACK,
        Outcome.STRANDED: Refusal.STRANDED,
        Outcome.ROLLBACK_INCOMPLETE: Refusal.ROLLBACK_INCOMPLETE,
    }
    if state.outcome in names:
        left = f"; left to do: {'; '.join(str(one) for one in state.left_to_do)}" if state.left_to_do else ""
        return refuse(names[state.outcome], f"{state.outcome.value}: {state.explanation}{left}")
    return ApplicationError(state.explanation, type=kind, non_retryable=True)


async def _keep(state: RunState[Any], refusal: str = "") -> None:
    """Keep the report; a run does not fail for its paperwork."""
    touch_nothing = state.request is None or state.request.run is Run.PLAN
    try:
        wanted = state.target is not None and not touch_nothing
        report = state.report(refusal).model_dump(mode="json", exclude_none=True)
        kept = await step(RecordsActivities.keep, RecordsRequest(wanted=wanted, report=report))
    except FailureError as error:
        workflow.logger.error("The report was not kept", exc_info=error)
        return
    state.kept = kept.paths


def _summary(state: RunState[Any]) -> Summary:
    """Return the result of a run that ended well."""
    measurement = state.measurement
    recovery = state.details if isinstance(state.details, RecoveryDetails) else None
    return Summary(
        outcome=state.outcome or Outcome.COMPLETED,
        explanation=state.explanation,
        leader=state.leads,
        outage_seconds=measurement.outage_seconds if measurement else None,
        lost=measurement.lost if measurement else None,
        recovery_seconds=recovery.recovery_seconds if recovery else None,
        healthy=recovery.healthy if recovery else None,
        complete_until=state.complete_until,
        records=state.kept,
        waited_for_people=state.waited_for_people,
        warnings=state.warnings,
    )
