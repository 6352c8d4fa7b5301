"""The handlers through which people say that what led is stopped, and what such a word must be to count.

A word that was said of a node is passed on by the node's run to the runs that move what led there. Where such a run counts
signed words only, it judges the signature again, over what was said of the node, and only where its own old leader is there:
it has seen so, or that very run of the node has begun it.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.signed_words import SignedWord
from gate.record import Mode
from workflows.run.heard import Hears, said_here
from workflows.run.inputs import said
from workflows.run.models import Attestation, Status, lock_of
from workflows.run.phases import Phase
from workflows.run.signatures import word_of


class Attestable(Hears):
    """Base of workflows that may wait for an attestation."""

    @workflow.update(description='Say that the old primary is stopped: {"by": "dana", "member": "postgresql-primary-0"}')
    async def attest(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Take the word (``Attestation``) and return the status after it. ApplicationError: it does not count."""
        return await self.answered(self._take_word(said(Attestation, args)))

    @attest.validator
    def _may_attest(self, *args: Any) -> None:  # noqa: ANN401
        self._check_word(said(Attestation, args))

    @workflow.signal(description="Like attest, without an answer; an attestation that does not count is dropped.")
    async def attested(self, *args: Any) -> None:  # noqa: ANN401
        """Take the word (``Attestation``) if it counts. Never raises: an error here would wedge the run."""
        try:
            await self._take_word(said(Attestation, args))
        except (ValueError, FailureError) as complaint:
            workflow.logger.warning("Ignored attestation: %s", complaint)

    def node_of_suspect(self) -> str:
        """Return the node that what is to be replaced runs on; empty: this run does not know."""
        return ""

    def _check_word(self, word: Attestation) -> None:
        """Raise ValueError when ``word`` does not count."""
        plan, target = self.state.plan, self.state.target
        if plan is None or target is None or plan.mode is not Mode.FORCED or self.state.forward_only:
            message = "nothing waits for an attestation: only a forced failover before its promotion does"
            raise ValueError(message)
        if word.node and self.state.phase is not Phase.PROVING and not self.state.owes_word:
            message = f"said of node {word.node}: it counts once this run waits for proof"
            raise ValueError(message)
        if word.member != plan.suspect:
            message = f"member: {word.member} is not the old primary of this failover; that is {plan.suspect}"
            raise ValueError(message)
        if complaint := target.why_no_word(word.by):
            raise ValueError(complaint)
        if not word.node:
            self.must_be_signed("attest", word, of=f"--member {word.member}")
        elif self.counts_signed_only:
            self._check_passed_on(word)

    def _check_passed_on(self, word: Attestation) -> None:
        """Raise ValueError when what was said of a node is not signed, or what is replaced is not known to be there."""
        if not (word.signature and word.run):
            message = f"signature: only signed words count here, and what was said of node {word.node} is not signed"
            raise ValueError(message)
        own, parent = self.node_of_suspect(), workflow.info().parent
        begun_there = parent is not None and (parent.workflow_id, parent.run_id) == (lock_of("node", word.node), word.run)
        if word.node != own and not begun_there:
            known = f"is on node {own}" if own else "is on a node that this run does not know: attest here"
            message = f"said of node {word.node}, signed, but {word.member} {known}"
            raise ValueError(message)

    async def _take_word(self, word: Attestation) -> None:
        """Take a word. Raises as ``Hears.key_of_word``."""
        self._check_word(word)
        signed = self._signed_of(word)
        key = await self.key_of_word(signed, word.signature)
        self._check_word(word)  # the run has gone on meanwhile
        self.count(signed)
        state = self.state
        state.attested_by, state.attested_key = word.by, key
        if key and not word.node:
            state.signed_word = word
        state.show()

    def _signed_of(self, word: Attestation) -> SignedWord | None:
        """Return what is signed of ``word``, here or of its node; ``None``: nothing that matters here."""
        if not word.node:
            return said_here("attest", word)
        if not self.counts_signed_only:
            return None
        of_node = word.model_copy(update={"member": word.node})
        return word_of("attest", of_node, lock_of("node", word.node), word.run)
