"""Whose signature a vote, or another word, carries. A step judges it by the estate's keys, which count for a time only."""

from __future__ import annotations

from temporalio import workflow

from activities.run.people import PeopleActivities, SignatureRequest
from activities.run.signed_words import SignedVote, SignedWord
from workflows.run.models import Decision, Signable
from workflows.run.steps import step


async def signed_by(decision: Decision) -> str:
    """Return the fingerprint of the key that has signed ``decision``.

    Raises:
        ValueError: the signature does not count; the message says why.
        ActivityError: nobody could judge it.

    """
    info = workflow.info()
    vote = vote_of(decision, info.workflow_id, info.first_execution_run_id)
    return await key_of(vote, decision.signature)


def vote_of(decision: Decision, workflow_id: str, run: str) -> SignedVote:
    """Return what is signed of ``decision``, which is of the first run ``run``. ValueError: role or end are missing."""
    if not decision.role or decision.expires is None:
        message = "role and expires: a signature covers both; failover approve fills them in"
        raise ValueError(message)
    return SignedVote(
        workflow=workflow_id, run=run, plan=decision.plan, by=decision.by, role=decision.role,
        approve=decision.approve, attest=decision.attest, note=decision.note, expires=decision.expires,
    )  # fmt: skip


async def key_of(said: SignedVote | SignedWord, signature: str) -> str:
    """Return the fingerprint of the key that has signed ``said``. Raises as ``signed_by``."""
    seen = await step(PeopleActivities.verify, SignatureRequest(said=said, signature=signature))
    if not seen.key:
        message = f"signature: it does not count: {seen.why}"
        raise ValueError(message)
    return seen.key


def word_of(what: str, word: Signable, workflow_id: str, run: str) -> SignedWord:
    """Return what is signed of ``word``, which the command ``what`` says of the first run ``run``.

    Raises:
        ValueError: it does not say until when it counts.

    """
    if word.expires is None:
        message = f"expires: a signature covers it; failover {what} fills it in"
        raise ValueError(message)
    return SignedWord(
        what=what, workflow=workflow_id, run=run, by=getattr(word, "by", ""), expires=word.expires,
        of=word.said_of, note=word.remark, anyway=getattr(word, "anyway", False),
    )  # fmt: skip
