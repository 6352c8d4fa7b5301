"""The handlers through which people see a run and decide on it, and the wait for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import Refusal, refuse
    from workflows.approval import ApprovalGate
    from workflows.inputs import parse
    from workflows.journal import Journal
    from workflows.models import Decision, Status


class Decidable:
    """Base of workflows that show a plan and may wait for people."""

    _journal: Journal

    @workflow.query(description="Phase, plan, approvals, and what an undo would do.")
    def status(self) -> Status:
        """Return the run as it stands."""
        return self._journal.status

    @workflow.update(description='Approve or reject: {"by": "dana", "plan": "DIGEST", "approve": true}')
    def decide(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Record a vote (``Decision``) and return the status after it."""
        self._votes().record(_decision(args), workflow.now())
        self._journal.show()
        return self._journal.status

    @decide.validator
    def _may_decide(self, *args: Any) -> None:  # noqa: ANN401
        self._votes().check(_decision(args))

    @workflow.signal(description="Like decide, without an answer; a vote that does not count is dropped.")
    def vote(self, *args: Any) -> None:  # noqa: ANN401
        """Record a vote (``Decision``) if it counts. Never raises: an error here would wedge the run."""
        try:
            self._votes().record(_decision(args), workflow.now())
        except ValueError as complaint:
            workflow.logger.warning("Ignored vote", extra={"why": str(complaint)})
            return
        self._journal.show()

    def _votes(self) -> ApprovalGate:
        if self._journal.gate is None:
            message = "there is no plan to decide on yet; ask for the status first"
            raise ValueError(message)
        return self._journal.gate


def _decision(args: tuple[Any, ...]) -> Decision:
    """Return the vote in ``args``.

    Raises:
        ValueError: it is none; the message names the field. A typed parameter would let Temporal answer for us, with
            "Failed decoding arguments".

    """
    decision, fault = parse(Decision, args)
    if decision is None:
        raise ValueError(fault.message if fault else "input: missing")
    return decision


async def wait_for_votes(gate: ApprovalGate, window: timedelta) -> None:
    """Return once enough people have approved.

    Raises:
        ApplicationError: ``ApprovalExpired`` or ``ApprovalRejected``; nothing has changed.

    """
    try:
        await workflow.wait_condition(
            lambda: gate.approved or gate.rejection is not None, timeout=window, timeout_summary="approval window"
        )
    except TimeoutError:
        raise refuse(
            Refusal.APPROVAL_EXPIRED,
            f"not enough approvals within {window}: {len(gate.votes)} of {gate.needed}; nothing was changed",
        ) from None
    if (no := gate.rejection) is not None:
        raise refuse(
            Refusal.APPROVAL_REJECTED,
            f"{no.by} ({no.role}) rejected the plan: {no.note or 'no reason given'}; nothing was changed",
        )
