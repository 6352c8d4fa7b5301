"""Carries out a plan: claim, fence, promote, route and what follows, with the one way back.

The undo is a single step (``postgres.give_back``) that is written down before the claim and tolerates that nothing
happened yet. Its answer decides the direction: *given back* ends the run, *candidate leads* means that the promotion has
happened after all, and then only forward is safe.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.errors import Refusal, refuse
    from activities.models import GaveBack, Measurement, Redundancy, Settled, Switch
    from workflows import steps
    from workflows.endings import cause_of, was_cancelled
    from workflows.journal import Journal
    from workflows.phases import Phase
    from workflows.uncancellable import uncancellable

_BASELINE = timedelta(milliseconds=250)
"""The measuring writer needs acknowledgements before the outage to measure it; nothing is stopped meanwhile."""


_WATCHED_AFTER_CANCEL = timedelta(seconds=10)


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
            epoch = await self._take_over()
            self._journal.forward_only = True
            await uncancellable(self._move_route(epoch))
            await uncancellable(self.aftermath())
        finally:
            await uncancellable(self._stop_writer())

    async def _take_over(self) -> int:
        """Return the epoch at which the candidate leads."""
        plan, journal = self._switch.plan, self._journal
        try:
            end_lsn = await self._fence()
        except (asyncio.CancelledError, FailureError) as error:
            return await uncancellable(self._go_back(error, promote_sent=False))
        journal.left_to_do = self._all_that_follows()
        try:
            promoted = await uncancellable(steps.promote(self._switch, end_lsn))
        except FailureError as error:
            journal.enter(Phase.STRANDED, f"{plan.candidate} did not confirm its promotion: {cause_of(error)[1]}")
            return await uncancellable(self._go_back(error, promote_sent=True))
        journal.facts["promoted"] = promoted
        return promoted.epoch

    async def _fence(self) -> str:
        """Claim, checkpoint, fence; return the end of the old primary's WAL."""
        journal, plan = self._journal, self._switch.plan
        journal.would_undo = (f"give writes back to {plan.primary} at epoch {self._switch.epoch + 1}",)
        journal.enter(Phase.CLAIMING)
        self._writer = steps.measure(self._switch.target)
        self._switch = await steps.claim(self._switch.target, plan)
        journal.facts["epoch"] = self._switch.epoch
        await steps.checkpoint(self._switch)
        await self._pause()
        journal.enter(Phase.FENCING)
        fenced = await steps.fence(self._switch)
        journal.facts["fenced"] = fenced
        journal.enter(Phase.PROMOTING)
        return fenced.end_lsn

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
        unknown = "epoch" not in journal.facts and not isinstance(_behind(error), ApplicationError)
        try:
            result = await steps.give_back(switch, never_sent=never_sent, claim_may_come=unknown)
        except FailureError as failure:
            kind = Refusal.STRANDED if promote_sent else Refusal.ROLLBACK_INCOMPLETE
            journal.left_to_do = (f"give writes back to {switch.plan.primary} (start the same run again)",)
            raise refuse(kind, f"{cause_of(error)[1]}; the undo failed: {cause_of(failure)[1]}") from error
        if result.outcome is GaveBack.CANDIDATE_LEADS:
            journal.left_to_do = self._all_that_follows()
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
        except FailureError:
            raise error from None
        if settlement.settled is not Settled.NOTHING:
            journal.facts["settlement"] = settlement
        if settlement.settled is Settled.UNDONE:
            journal.facts["undone"] = (settlement.message,)
        if settlement.switch is None:
            raise error
        self._switch = settlement.switch
        journal.left_to_do = self._all_that_follows()
        return self._switch.epoch

    async def _move_route(self, epoch: int) -> None:
        journal = self._journal
        journal.would_undo = ()
        journal.enter(Phase.ROUTING)
        journal.facts["routed"] = await steps.route(self._switch, epoch)
        self._done("route")

    async def aftermath(self) -> None:
        """Verify, reconnect, wait for redundancy; what does not succeed stays in ``left_to_do``."""
        journal, switch = self._journal, self._switch
        journal.forward_only = True
        journal.left_to_do = journal.left_to_do or self._all_that_follows()[1:]
        journal.enter(Phase.VERIFYING)
        journal.facts["verified"] = verified = await steps.verify(switch)
        self._done("verify")
        journal.enter(Phase.RECONNECTING, "service is restored")
        routed = journal.facts.get("routed")
        rejoining = asyncio.create_task(steps.await_redundancy(switch, routed.routed_at if routed else verified.verified_at))
        await self._reconnect()
        await self._stop_writer()
        journal.enter(Phase.REJOINING, "service is restored")
        await self._await_redundancy(rejoining)
        await steps.finish(switch)
        self._done("finish")
        if journal.left_to_do:
            raise refuse(Refusal.STRANDED, "service is restored, but not all is done")

    async def _await_redundancy(self, watch: asyncio.Task[Redundancy]) -> None:
        """Watch the old primary come back; after a cancel only a little longer, since the gates go on by themselves.

        Without this a member that never comes back would hold the cluster's lock for a day.
        """
        await workflow.wait_condition(lambda: watch.done() or workflow.cancellation_reason() is not None)
        try:
            await workflow.wait_condition(
                watch.done, timeout=_WATCHED_AFTER_CANCEL, timeout_summary="cancelled: a last look"
            )
        except TimeoutError:
            watch.cancel()
        try:
            self._journal.facts["redundancy"] = await watch
        except (asyncio.CancelledError, FailureError) as error:
            if not was_cancelled(error):
                raise
        else:
            self._done("redundancy")

    async def _reconnect(self) -> None:
        """Restart the applications side by side; one that fails does not hold up the others."""
        applications = self._switch.plan.applications
        answers = await asyncio.gather(
            *(steps.reconnect(self._switch, application) for application in applications), return_exceptions=True
        )
        done = []
        for application, answer in zip(applications, answers, strict=True):
            if isinstance(answer, FailureError):
                self._journal.left_to_do += (f"{application.deployment}: {cause_of(answer)[1]}",)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                done.append(answer)
        self._journal.facts["reconnected"] = tuple(done)
        self._done("reconnect")

    async def _stop_writer(self) -> None:
        """End the measurement and keep what it saw; a run does not fail for it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.cancel()
        try:
            self._journal.facts["measurement"] = self._of_the_switch(await writer)
        except (asyncio.CancelledError, FailureError) as error:
            self._journal.facts["measurement"] = Measurement(note=f"not measured: {cause_of(error)[1]}")

    def _of_the_switch(self, measured: Measurement) -> Measurement:
        fenced, routed = self._journal.facts.get("fenced"), self._journal.facts.get("routed")
        return measured.around(fenced.stopped_at, routed.routed_at) if fenced and routed else measured

    def _all_that_follows(self) -> tuple[str, ...]:
        plan = self._switch.plan
        return (
            f"route: writes to {plan.candidate}",
            f"verify: a write reaches {plan.candidate}",
            "reconnect: applications",
            f"redundancy: {plan.primary} follows {plan.candidate}",
            "finish: take the mark of an unfinished switch off the record",
        )

    def _done(self, step: str) -> None:
        journal = self._journal
        journal.left_to_do = tuple(left for left in journal.left_to_do if not left.startswith(f"{step}:"))


def _behind(error: BaseException) -> BaseException | None:
    return error.cause if isinstance(error, ActivityError) else error
