r"""Take a promotion back that turned out bad: writes return to the member that led before it.

    lossless:  settle -> bring it back -> approve -> (the planned switch of ``workflows.postgres.transfer.staged``)
    discard:   settle -> survey -> approve -> survey -> claim -> fence -> count  !  revert -> route -> verify
                                             \_________ undone __________/    \_____ forward only ____...
                                                          -> evict -> reconnect -> redundancy

*Lossless* keeps every write: the former primary becomes a synchronous standby first, by its gate, and the move back is a
planned switch like any other. *Discard* gives up what was written since the promotion. It is possible only while the
former primary is held as it was (``workflows.postgres.planning.discard``), and only within the caps that were asked for and
approved: the loss is counted again once the new primary is stopped, and above a cap everything is undone.

``!`` is the point of no return: from there the former primary begins a timeline that nobody has used (``gate.loop.revert``).
Before it, every failure or cancel gives the writes back to the new primary. The given-up directory is never deleted.
A terminated or reset run is settled by the next one under the cluster's lock, as with ``postgres-failover``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow

from activities.postgres.models.plan import PostgresPlan
from activities.run.errors import Refusal, refuse
from estate.base import ApprovalPolicy
from estate.postgres import PostgresTarget
from gate.loop.pause import is_paused, pause_words
from gate.record import Mode
from workflows.postgres import steps
from workflows.postgres.models import FailoverRequest, RollbackMode, RollbackRequest
from workflows.postgres.planning.discard import make_discard_plan, previous_member
from workflows.postgres.planning.planned import make_plan, usable_record
from workflows.postgres.procedure import PostgresProcedure
from workflows.postgres.transfer.staged import Switchover
from workflows.run.cancelling import cancel_and_wait
from workflows.run.outcome import Summary
from workflows.run.phases import Phase


@workflow.defn(name="postgres-rollback")
class PostgresRollback(PostgresProcedure[RollbackRequest]):
    """One way back of one cluster."""

    asks = RollbackRequest

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Go back, or put everything as it was and say why."""
        return await self.conclude()

    async def recover(self) -> bool:
        """Deal with what an interrupted run left; lossless: then bring the former primary back."""
        if await super().recover():
            return True
        if self.request.mode is RollbackMode.LOSSLESS:
            await self._bring_back()
        return False

    async def make_plan(self) -> PostgresPlan:
        """Survey the cluster and plan the way back."""
        state, target, request = self.state, self.target, self.request
        state.enter(Phase.SURVEYING)
        state.details.survey = survey = await steps.survey(target, before=state.details.survey)
        if request.mode is RollbackMode.DISCARD:
            plan = make_discard_plan(request, target, survey)
        else:
            to = previous_member(usable_record(survey, target), target)
            plan = make_plan(FailoverRequest(cluster=request.cluster, mode=Mode.PLANNED, to=to), target, survey)
        state.plan = plan = self.with_applications(plan, survey)
        return plan

    @staticmethod
    def policy(target: PostgresTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.cluster.approvals.rollback

    def would(self, plan: PostgresPlan) -> str:
        """Return what a dry run has found."""
        return f"{plan.candidate} would lead {self.target.name} again; nothing was changed"

    async def execute(self, plan: PostgresPlan) -> str:
        """Move the writes back."""
        await Switchover(self.state, steps.switch_of(self.target, plan)).carry_out()
        return f"{plan.candidate} leads {self.target.name} again"

    async def _bring_back(self) -> None:
        """Return once the member that led before is a synchronous standby. Its gate does that; this asks and watches.

        Raises:
            ApplicationError: ``NoStandby`` when it is not one in time, or when bringing it back is paused.

        """
        state, target = self.state, self.target
        state.enter(Phase.SURVEYING)
        state.details.survey = survey = await steps.survey(target)
        record = usable_record(survey, target)
        member, within = previous_member(record, target), target.cluster.rollback.back_within
        if member in record.sync_members:
            return
        if is_paused(record, workflow.now()):
            why = f"{member} is not brought back: {pause_words(record)}; end the pause, or start postgres-rejoin for it"
            raise refuse(Refusal.NO_STANDBY, why)
        state.enter(Phase.SURVEYING, f"waits until {member} is a synchronous standby")
        following = asyncio.create_task(steps.follows(target, record, member))
        try:
            await workflow.wait_condition(following.done, timeout=within, timeout_summary=f"{member} comes back")
        except TimeoutError:
            raise refuse(
                Refusal.NO_STANDBY, f"{member} is no synchronous standby after {within} (rollback.back_within); see its gate"
            ) from None
        finally:
            await cancel_and_wait(following)
        await following
