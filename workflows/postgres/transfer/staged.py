"""Carries out a plan: claim, stop the old primary, promote, route and what follows, with the one way back.

A CHECKPOINT on a living primary comes before the claim: it may take minutes, and from the claim on nobody takes a standby
that dies out of the list that commits wait for.

A planned switch stops a living primary cleanly (fence); a forced one waits for proof that it is stopped (prove); a discard
stops it cleanly, counts what would be lost, and brings the one before back as it is (revert). From the route on all are the
same.

The undo is a single step (``postgres.give_back``) that is written down before the claim and tolerates that nothing
happened yet. Its answer decides the direction: *given back* ends the run, *candidate leads* means that the promotion has
happened after all, and then only forward is safe.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.postgres.models.transfer import GaveBack, Settled, Switch
from activities.run.errors import Refusal, refuse
from activities.run.models.measure import Measurement
from activities.run.models.todo import Todo, todo
from gate.api import Fenced
from gate.record import Mode
from workflows.postgres import steps
from workflows.postgres.planning.discard import counted_loss, loss_words, must_be_within
from workflows.postgres.transfer.fencing import proof_of
from workflows.postgres.transfer.post_promotion import Aftermath, all_that_follows
from workflows.run.measuring import measurement_of
from workflows.run.outcome import cause_of, is_answer, touched_nothing, was_cancelled
from workflows.run.phases import Phase
from workflows.run.state import Journal
from workflows.run.uncancellable import uncancellable

_BASELINE = timedelta(milliseconds=250)
"""The measuring writer needs acknowledgements before the outage to measure it; nothing is stopped meanwhile."""


class Switchover:
    """One switch, from the claim to redundancy."""

    def __init__(self, journal: Journal, switch: Switch) -> None:
        """Carry out ``switch`` and write what happens into ``journal``."""
        self._journal = journal
        self._switch = switch
        self._writer: workflow.ActivityHandle[Measurement] | None = None

    async def carry_out(self) -> None:
        """Do all of it, or give the writes back and raise."""
        try:
            await self._checkpoint()
            epoch = await self._take_over()
            self._journal.forward_only = True
            await uncancellable(self._move_route(epoch))
            await uncancellable(self.aftermath())
        except (asyncio.CancelledError, FailureError):  # no finally: a run that a worker forgets must do nothing more
            await uncancellable(self._stop_writer())
            raise
        await uncancellable(self._stop_writer())

    async def _take_over(self) -> int:
        """Return the epoch at which the candidate leads."""
        plan, journal = self._switch.plan, self._journal
        try:
            end_lsn = await {Mode.FORCED: self._prove, Mode.DISCARD: self._count}.get(plan.mode, self._fence)()
        except (asyncio.CancelledError, FailureError) as error:
            return await uncancellable(self._go_back(error, promote_sent=False))
        journal.left_to_do = all_that_follows(self._switch.plan)
        try:
            discards = plan.mode is Mode.DISCARD
            proof = journal.facts.get("proof")
            wanted_lsn = proof.wanted_lsn if proof else None
            taking_over = steps.revert(self._switch) if discards else steps.promote(self._switch, end_lsn, wanted_lsn)
            promoted = await uncancellable(taking_over)
        except FailureError as error:
            journal.enter(Phase.STRANDED, f"{plan.candidate} did not confirm its promotion: {cause_of(error)[1]}")
            return await uncancellable(self._go_back(error, promote_sent=True))
        journal.facts["promoted"] = promoted
        return promoted.epoch

    async def _checkpoint(self) -> None:
        if self._switch.plan.mode is not Mode.FORCED:
            self._journal.enter(Phase.CLAIMING, "checkpoint first")
            await steps.checkpoint(self._switch)

    async def _claim(self) -> None:
        journal, plan = self._journal, self._switch.plan
        journal.would_undo = (f"give writes back to {plan.primary} at epoch {self._switch.epoch + 1}",)
        journal.enter(Phase.CLAIMING)
        if plan.mode is not Mode.DISCARD:  # its rows would be given up, and count against the caps
            self._writer = steps.measure(self._switch.target)
        self._switch = await steps.claim(self._switch.target, plan)
        journal.facts["epoch"] = self._switch.epoch

    async def _prove(self) -> str | None:
        """Claim, and wait for proof; return what the candidate must have received."""
        journal, old = self._journal, self._switch.plan.primary
        await self._claim()
        journal.enter(Phase.PROVING, f"is {old} stopped?")
        proof = await proof_of(journal, self._switch)
        journal.facts["proof"] = proof
        if proof.fenced is not None:
            journal.facts["fenced"] = proof.fenced
        journal.enter(Phase.PROMOTING, proof.words)
        return proof.at_least_lsn

    async def _fence(self) -> str:
        """Claim and fence; return the end of the old primary's WAL."""
        fenced = await self._stop_it()
        self._journal.enter(Phase.PROMOTING)
        return fenced.end_lsn

    async def _count(self) -> None:
        """Claim and fence; go on only if what is given up, now that nobody can add to it, is within the caps."""
        journal, given_up = self._journal, self._switch.plan.give_up
        fenced = await self._stop_it()
        journal.facts["loss"] = loss = counted_loss(given_up, fenced)
        must_be_within(given_up, loss)
        journal.enter(Phase.PROMOTING, loss_words(loss))

    async def _stop_it(self) -> Fenced:
        await self._claim()
        await self._pause()
        self._journal.enter(Phase.FENCING)
        fenced = await steps.fence(self._switch)
        self._journal.facts["fenced"] = fenced
        return fenced

    async def _pause(self) -> None:
        """Wait while writes still flow: for a baseline of the measurement, and until no endpoint changes."""
        baseline = asyncio.create_task(workflow.sleep(_BASELINE, summary="let the measuring writer see a baseline"))
        try:
            if self._switch.target.cluster.thresholds.quiet:
                self._journal.facts["quiet"] = await steps.await_quiet(self._switch)
        except FailureError as error:
            if was_cancelled(error):
                raise
            workflow.logger.warning("Goes on although it is unknown whether endpoints change", exc_info=error)
        await baseline

    async def _go_back(self, error: BaseException, *, promote_sent: bool) -> int:
        """Undo; raise ``error`` when undone, or return the epoch at which the candidate leads after all."""
        journal, switch = self._journal, self._switch
        if not promote_sent:
            journal.enter(Phase.UNDOING, cause_of(error)[1])
        # After a reset the claim belongs to an earlier run, whose promote may still be on its way.
        never_sent = not promote_sent and switch.run.run_id == workflow.info().run_id
        unknown = "epoch" not in journal.facts and not is_answer(error)
        try:
            result = await steps.give_back(switch, never_sent=never_sent, claim_may_come=unknown)
        except FailureError as failure:
            kind = Refusal.STRANDED if promote_sent else Refusal.ROLLBACK_INCOMPLETE
            old = switch.plan.primary
            message = f"give writes back to {old} (start the same run again)"
            journal.left_to_do = (todo(Todo.RESTORE_PRIMARY, message, old),)
            raise refuse(kind, f"{cause_of(error)[1]}; the undo failed: {cause_of(failure)[1]}") from error
        if result.outcome is GaveBack.CANDIDATE_LEADS:
            journal.left_to_do = all_that_follows(self._switch.plan)
            return result.epoch
        journal.left_to_do = ()
        if result.outcome is GaveBack.TAKEN_OVER:
            return await self._settle_earlier_run(error)
        if result.outcome is GaveBack.GIVEN_BACK and result.epoch > switch.epoch:
            journal.facts["undone"] = (result.message,)
        raise error

    async def _settle_earlier_run(self, error: BaseException) -> int:
        """Settle what an earlier run under this lock left after we had looked: this run was reset to before its claim."""
        journal = self._journal
        try:
            settlement = await steps.settle(self._switch.target)
        except FailureError as failure:
            if touched_nothing(failure):
                raise error from None
            words = f"{cause_of(error)[1]}; what an earlier run left is not settled: {cause_of(failure)[1]}; start it again"
            raise refuse(Refusal.ROLLBACK_INCOMPLETE, words) from failure
        if settlement.settled is not Settled.NOTHING:
            journal.facts["settlement"] = settlement
        if settlement.settled is Settled.UNDONE:
            journal.facts["undone"] = (settlement.message,)
        if settlement.switch is None:
            raise error
        self._switch = settlement.switch
        journal.left_to_do = all_that_follows(self._switch.plan)
        return self._switch.epoch

    async def _move_route(self, epoch: int) -> None:
        journal = self._journal
        journal.would_undo = ()
        journal.enter(Phase.ROUTING)
        journal.facts["routed"] = await steps.route(self._switch, epoch)
        journal.done(Todo.ROUTE)

    async def aftermath(self) -> None:
        """Do what follows the change of route; what does not succeed stays in ``left_to_do``."""
        await Aftermath(self._journal, self._switch, self._stop_writer).carry_out()

    async def _stop_writer(self) -> None:
        """End the measurement and keep what it saw; a run does not fail for it."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._journal.facts["measurement"] = self._of_the_switch(await measurement_of(writer))

    def _of_the_switch(self, measured: Measurement) -> Measurement:
        fenced, routed = self._journal.facts.get("fenced"), self._journal.facts.get("routed")
        return measured.around(fenced.stopped_at, routed.routed_at) if fenced and routed else measured
