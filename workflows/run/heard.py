"""Whether a word that is no vote counts in a run whose policy counts signed ones only: attestations, overrides, orders.

Where the policy is not signed, a word counts without a signature, as a vote does. A signature that is given must be good in
any case, and counts once: an order to release that somebody has kept does not end the next hold.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any

from temporalio import workflow

from activities.run.errors import Refusal, refuse
from activities.run.signed_words import SignedWord
from estate.base import ApprovalPolicy, Target
from workflows.run.models import Signable, Status
from workflows.run.signatures import key_of, word_of
from workflows.run.state import RunState


class Hears:
    """Base of workflows that take people's words."""

    state: RunState[Any]

    @abstractmethod
    def decides(self, target: Target) -> ApprovalPolicy:
        """Return who must approve this run: they control it too."""

    async def answered(self, taking: Awaitable[None]) -> Status:
        """Take a word that an update has brought and return the status after it. ApplicationError: it does not count."""
        try:
            await taking
        except ValueError as complaint:  # it did when it came
            raise refuse(Refusal.BAD_INPUT, str(complaint)) from complaint
        return self.state.status

    @property
    def counts_signed_only(self) -> bool:
        """Whether only signed words count; not before the target is known, when none counts."""
        target = self.state.target
        return target is not None and self.decides(target).signed

    def must_be_signed(self, what: str, word: Signable, of: str = "") -> None:
        """Return if ``word``, said by the command ``what``, carries a signature or needs none.

        ``of``: what the command names beside the target. ValueError: it does not count.
        """
        if self.counts_signed_only and not word.signature:
            by, request = getattr(word, "by", "NAME"), self.state.request
            typed = " ".join(filter(None, (request.target if request else "TARGET", of)))
            message = f"signature: only signed words count here; failover {what} {typed} --by {by} --key FILE"
            raise ValueError(message)
        if (said := said_here(what, word)) is not None:
            self._must_be_new(said)

    async def key_of_word(self, said: SignedWord | None, signature: str) -> str:
        """Return the fingerprint of the key that has signed ``said``; empty where nothing is signed, and need not be.

        Look again afterwards whether the word counts, then ``count`` it.

        Raises:
            ValueError: the signature does not count; the message says why.
            ActivityError: nobody could judge it.

        """
        if said is None:
            return ""
        self._must_be_new(said)
        key = await key_of(said, signature)
        self._must_be_new(said)  # the same may have come twice
        return key

    def count(self, said: SignedWord | None) -> None:
        """Take note that a signed word has counted."""
        if said is not None:
            self.state.heard.add(said.text)

    def _must_be_new(self, said: SignedWord) -> None:
        if said.text in self.state.heard:
            message = "signature: this word has counted already, and counts once; sign again"
            raise ValueError(message)


def said_here(what: str, word: Signable) -> SignedWord | None:
    """Return what is signed of ``word``, said of this run; ``None``: nothing is. ValueError: it does not say until when."""
    info = workflow.info()
    return word_of(what, word, info.workflow_id, info.first_execution_run_id) if word.signature else None
