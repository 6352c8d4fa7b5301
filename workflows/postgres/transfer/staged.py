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

from activities.postgres.claim import ClaimActivities
from activities.postgres.measure import MeasureActivities
from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.transfer import (
    ClaimRequest,
    GaveBack,
    GiveBackRequest,
    PromoteRequest,
    RouteRequest,
    Settled,
    SettleRequest,
    Switch,
)
from activities.postgres.transfer import SwitchActivities
from activities.postgres.undo import UndoActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.measure import Measurement, MeasureRequest
from activities.run.models.todo import Todo, todo
from activities.run.postures import CHANGE, CHANGE_SOON, COMPENSATE, FORWARD
from gate.api import Fenced
from gate.record import Mode
from workflows.postgres.planning.discard import counted_loss, loss_words, must_be_within
from workflows.postgres.transfer.budget import OutageBudget
from workflows.postgres.transfer.fencing import proof_of
from workflows.postgres.transfer.post_promotion import Aftermath, all_that_follows
from workflows.run.measuring import Measuring
from workflows.run.outcome import cause_of, is_answer, touched_nothing, was_cancelled
from workflows.run.phases import Phase
from workflows.run.saga import compensated
from workflows.run.state import RunState
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable

_BASELINE = timedelta(milliseconds=250)
"""The measuring writer needs acknowledgements before the outage to measure it; nothing is stopped meanwhile."""


class Switchover:
    """One switch, from the claim to redundancy."""

    def __init__(self, state: RunState[PostgresDetails], switch: Switch) -> None:
        """Carry out ``switch`` and write what happens into ``state``."""
        self._state = state
        self._switch = switch
        self._measuring = Measuring(state, self._around)
        self._budget = OutageBudget(switch)

    async def carry_out(self) -> None:
        """Do all of it, or give the writes back and raise."""
        async with self._measuring:
            await self._checkpoint()
            epoch = await self._take_over()
            self._state.forward_only = True
            await uncancellable(self._move_route(epoch))
            await uncancellable(self.aftermath())

    async def _take_over(self) -> int:
        """Return the epoch at which the candidate leads."""
        plan, state = self._switch.plan, self._state
        try:
            end_lsn = await {Mode.FORCED: self._prove, Mode.DISCARD: self._count}.get(plan.mode, self._fence)()
        except (asyncio.CancelledError, FailureError) as error:
            return await uncancellable(self._go_back(error, promote_sent=False))
        state.left_to_do = all_that_follows(self._switch.plan)
        try:
            discards = plan.mode is Mode.DISCARD
            within = self._budget.within(CHANGE_SOON)
            proof = state.details.proof
            wanted_lsn = proof.wanted_lsn if proof else None
            if discards:
                promoted = await uncancellable(step(SwitchActivities.revert, self._switch))
            else:
                request = PromoteRequest(switch=self._switch, end_lsn=end_lsn, wanted_lsn=wanted_lsn)
                promoted = await uncancellable(step(SwitchActivities.promote, request, posture=within))
        except FailureError as error:
            state.enter(Phase.STRANDED, f"{plan.candidate} did not confirm its promotion: {cause_of(error)[1]}")
            return await uncancellable(self._go_back(error, promote_sent=True))
        state.details.promoted = promoted
        return promoted.epoch

    async def _checkpoint(self) -> None:
        if self._switch.plan.mode is not Mode.FORCED:
            self._state.enter(Phase.CLAIMING, "checkpoint first")
            await step(SwitchActivities.checkpoint, self._switch)

    async def _claim(self) -> None:
        state, plan = self._state, self._switch.plan
        state.would_undo = (f"give writes back to {plan.primary} at epoch {self._switch.epoch + 1}",)
        state.enter(Phase.CLAIMING)
        if plan.mode is not Mode.DISCARD:  # its rows would be given up, and count against the caps
            self._measuring.begin(MeasureActivities.measure, MeasureRequest(target=self._switch.target, run=me()))
        target = self._switch.target
        claimed = await step(ClaimActivities.claim, ClaimRequest(target=target, plan=plan, run=me()))
        self._switch = claimed.of(target).model_copy(update={"plan": plan})
        state.details.epoch = self._switch.epoch

    async def _prove(self) -> str | None:
        """Claim, and wait for proof; return what the candidate must have received."""
        state, old = self._state, self._switch.plan.primary
        await self._claim()
        state.enter(Phase.PROVING, f"is {old} stopped?")
        proof = await proof_of(state, self._switch)
        state.details.proof = proof
        if proof.fenced is not None:
            state.details.fenced = proof.fenced
        state.enter(Phase.PROMOTING, proof.words)
        return proof.at_least_lsn

    async def _fence(self) -> str:
        """Claim and fence; return the end of the old primary's WAL."""
        fenced = await self._stop_it()
        self._state.enter(Phase.PROMOTING)
        return fenced.end_lsn

    async def _count(self) -> None:
        """Claim and fence; go on only if what is given up, now that nobody can add to it, is within the caps."""
        state, given_up = self._state, self._switch.plan.give_up
        fenced = await self._stop_it()
        state.details.loss = loss = counted_loss(given_up, fenced)
        must_be_within(given_up, loss)
        state.enter(Phase.PROMOTING, loss_words(loss))

    async def _stop_it(self) -> Fenced:
        await self._claim()
        await self._pause()
        self._state.enter(Phase.FENCING)
        self._budget.begin()
        fenced = await step(SwitchActivities.fence, self._switch, posture=self._budget.within(CHANGE))
        self._state.details.fenced = fenced
        return fenced

    async def _pause(self) -> None:
        """Wait while writes still flow: for a baseline of the measurement, and until no endpoint changes."""
        baseline = asyncio.create_task(workflow.sleep(_BASELINE, summary="let the measuring writer see a baseline"))
        try:
            if self._switch.target.cluster.thresholds.quiet:
                self._state.details.quiet = await step(SwitchActivities.await_quiet, self._switch)
        except FailureError as error:
            if was_cancelled(error):
                raise
            workflow.logger.warning("Goes on although it is unknown whether endpoints change", exc_info=error)
        await baseline

    async def _go_back(self, error: BaseException, *, promote_sent: bool) -> int:
        """Undo; raise ``error`` when undone, or return the epoch at which the candidate leads after all."""
        state, switch = self._state, self._switch
        error = self._budget.named(error)
        if not promote_sent:
            state.enter(Phase.UNDOING, cause_of(error)[1])
        # After a reset the claim belongs to an earlier run, whose promote may still be on its way.
        never_sent = not promote_sent and switch.run.run_id == workflow.info().run_id
        unknown = state.details.epoch is None and not is_answer(error)
        request = GiveBackRequest(switch=switch, never_sent=never_sent, claim_may_come=unknown)
        undo = step(UndoActivities.give_back, request, posture=COMPENSATE if never_sent else FORWARD)
        old = switch.plan.primary
        left = todo(Todo.RESTORE_PRIMARY, f"give writes back to {old} (start the same run again)", old)
        kind = Refusal.STRANDED if promote_sent else Refusal.ROLLBACK_INCOMPLETE
        result = await compensated(state, error, undo, left, kind)
        if result.outcome is GaveBack.CANDIDATE_LEADS:
            state.left_to_do = all_that_follows(self._switch.plan)
            return result.epoch
        state.left_to_do = ()
        if result.outcome is GaveBack.TAKEN_OVER:
            return await self._settle_earlier_run(error)
        if result.outcome is GaveBack.GIVEN_BACK and result.epoch > switch.epoch:
            state.undone = (result.message,)
        raise error

    async def _settle_earlier_run(self, error: BaseException) -> int:
        """Settle what an earlier run under this lock left after we had looked: this run was reset to before its claim."""
        state = self._state
        try:
            settlement = await step(UndoActivities.settle, SettleRequest(target=self._switch.target, run=me()))
        except FailureError as failure:
            if touched_nothing(failure):
                raise error from None
            left = f"what an interrupted run left is not recovered: {cause_of(failure)[1]}; start it again"
            words = f"{cause_of(error)[1]}; {left}"
            raise refuse(Refusal.ROLLBACK_INCOMPLETE, words) from failure
        if settlement.settled is not Settled.NOTHING:
            state.details.settlement = settlement
        if settlement.settled is Settled.UNDONE:
            state.undone = (settlement.message,)
        if settlement.switch is None:
            raise error
        self._switch = settlement.switch.of(self._switch.target)
        state.left_to_do = all_that_follows(self._switch.plan)
        return self._switch.epoch

    async def _move_route(self, epoch: int) -> None:
        state = self._state
        state.would_undo = ()
        state.enter(Phase.ROUTING)
        state.details.routed = await step(ClaimActivities.route, RouteRequest(switch=self._switch, epoch=epoch))
        state.done(Todo.ROUTE)

    async def aftermath(self) -> None:
        """Do what follows the change of route; what does not succeed stays in ``left_to_do``."""
        await Aftermath(self._state, self._switch, self._measuring).carry_out()

    def _around(self, measured: Measurement) -> Measurement:
        fenced, routed = self._state.details.fenced, self._state.details.routed
        return measured.around(fenced.stopped_at, routed.routed_at) if fenced and routed else measured
