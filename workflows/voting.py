"""The handlers through which people see a run and decide on it, and the wait for them."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import Refusal, refuse
    from workflows.approval import ApprovalGate
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
    def decide(self, decision: Decision) -> Status:
        """Record a vote and return the status after it."""
        self._votes().record(decision, workflow.now())
        self._journal.show()
        return self._journal.status

    @decide.validator
    def _may_decide(self, decision: Decision) -> None:
        self._votes().check(decision)

    @workflow.signal(description="Like decide, without an answer; a vote that does not count is dropped.")
    def vote(self, decision: Decision) -> None:
        """Record a vote if it counts. Never raises: an error here would wedge the run."""
        try:
            self._votes().record(decision, workflow.now())
        except ValueError as complaint:
            workflow.logger.warning("Ignored vote", extra={"by": decision.by, "why": str(complaint)})
            return
        self._journal.show()

    def _votes(self) -> ApprovalGate:
        if self._journal.gate is None:
            message = "there is no plan to decide on yet; ask for the status first"
            raise ValueError(message)
        return self._journal.gate


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
