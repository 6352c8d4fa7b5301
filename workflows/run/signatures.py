"""Whose signature a vote carries. A step judges it: keys come from the estate, and a key counts for a time only."""

from __future__ import annotations

from temporalio import workflow

from activities.run.people import PeopleActivities, SignatureRequest
from activities.run.signed_words import SignedVote
from workflows.run.models import Decision
from workflows.run.steps import step


async def signed_by(decision: Decision) -> str:
    """Return the fingerprint of the key that has signed ``decision``.

    Raises:
        ValueError: the signature does not count; the message says why.
        ActivityError: nobody could judge it.

    """
    if not decision.role or decision.expires is None:
        message = "role and expires: a signature covers both; failover approve fills them in"
        raise ValueError(message)
    info = workflow.info()
    vote = SignedVote(
        workflow=info.workflow_id, run=info.first_execution_run_id, plan=decision.plan, by=decision.by, role=decision.role,
        approve=decision.approve, attest=decision.attest, note=decision.note, expires=decision.expires,
    )  # fmt: skip
    seen = await step(PeopleActivities.verify, SignatureRequest(said=vote, signature=decision.signature))
    if not seen.key:
        message = f"signature: it does not count: {seen.why}"
        raise ValueError(message)
    return seen.key
