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

from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from estate.postgres import PostgresTarget
from gate.loop.pause import is_paused, pause_words
from gate.record import Mode
from workflows.postgres import steps
from workflows.postgres.planning.discard import make_discard_plan, previous_member
from workflows.postgres.planning.planned import make_plan, usable_record
from workflows.postgres.recovery import approved, settled, switch_of
from workflows.postgres.transfer.staged import Switchover
from workflows.run import outcome
from workflows.run.cancelling import cancel_and_wait
from workflows.run.inputs import parse
from workflows.run.models import FailoverRequest, RollbackMode, RollbackRequest, Run
from workflows.run.phases import Phase
from workflows.run.preconditions import admitted
from workflows.run.state import Journal
from workflows.run.voting import Decidable


@workflow.defn(name="postgres-rollback")
class PostgresRollback(Decidable):
    """One way back of one cluster; its workflow ID is the cluster's lock."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self._request, self._bad_input = parse(RollbackRequest, args)
        self._journal = Journal(self._request)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Go back, or put everything as it was and say why."""
        return await outcome.conclude(self._journal, self._story())

    async def _story(self) -> None:
        journal, request = self._journal, admitted(self._journal, self._request, self._bad_input)
        _check_caps(request)
        target = journal.target = await steps.resolve(request.cluster)
        if request.run is Run.PLAN:
            await self._preview(request, target)
            return
        if await settled(journal, target):
            return
        if request.mode is RollbackMode.LOSSLESS:
            await self._bring_back(target)
        plan = await approved(journal, target.cluster.approvals.rollback, target, lambda: self._plan(request, target))
        await Switchover(journal, switch_of(target, plan)).carry_out()
        journal.close(Outcome.COMPLETED, f"{plan.candidate} leads {target.name} again")

    async def _plan(self, request: RollbackRequest, target: PostgresTarget) -> Plan:
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        journal.survey = survey = await steps.survey(target)
        if request.mode is RollbackMode.DISCARD:
            journal.plan = make_discard_plan(request, target, survey)
            return journal.plan
        to = previous_member(usable_record(survey, target), target)
        journal.plan = make_plan(FailoverRequest(cluster=request.cluster, mode=Mode.PLANNED, to=to), target, survey)
        return journal.plan

    async def _preview(self, request: RollbackRequest, target: PostgresTarget) -> None:
        plan = await self._plan(request, target)
        self._journal.facts["preview"] = await steps.preview(switch_of(target, plan))
        self._journal.close(Outcome.PLANNED_ONLY, f"{plan.candidate} would lead {target.name} again; nothing was changed")

    async def _bring_back(self, target: PostgresTarget) -> None:
        """Return once the member that led before is a synchronous standby. Its gate does that; this asks and watches.

        Raises:
            ApplicationError: ``NoStandby`` when it is not one in time, or when bringing it back is paused.

        """
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        journal.survey = await steps.survey(target)
        record = usable_record(journal.survey, target)
        member, within = previous_member(record, target), target.cluster.rollback.back_within
        if member in record.sync_members:
            return
        if is_paused(record, workflow.now()):
            why = f"{member} is not brought back: {pause_words(record)}; end the pause, or start postgres-rejoin for it"
            raise refuse(Refusal.NO_STANDBY, why)
        journal.enter(Phase.SURVEYING, f"waits until {member} is a synchronous standby")
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


def _check_caps(request: RollbackRequest) -> None:
    discards, caps = request.mode is RollbackMode.DISCARD, (request.max_bytes, request.max_transactions)
    if discards and None in caps:
        raise refuse(Refusal.BAD_INPUT, "max_bytes, max_transactions: mode discard needs both; how much may be lost?")
    if not discards and caps != (None, None):
        raise refuse(Refusal.BAD_INPUT, "max_bytes, max_transactions: only for mode discard; lossless loses nothing")
