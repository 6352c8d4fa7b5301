r"""Move a PostgreSQL cluster's writes to a standby: from a primary that lives (planned) or that is gone (forced).

    settle -> survey -> approve -> survey -> claim -> fence or prove  !  promote -> route -> verify
                                             \______ undone _______/    \_____ forward only _____...
                                                          -> evict -> reconnect -> redundancy

A planned switch loses nothing and refuses when it could. A forced one confirms first that the primary is gone, and promotes
only once there is proof that it is stopped; the rules are in ``workflows.postgres.planning.forced`` and
``activities.postgres.fencing``.

``!`` is the point of no return. Before it every failure, rejection, expiry or cancel gives the writes back to the old
primary. After it the run goes forward only, with one exception that needs proof: a candidate that does not confirm its
promotion is *sealed* at a higher epoch; if its gate answers that it was never promoted, the writes go back; if it was,
the run goes on; while it is silent the run is STRANDED and keeps asking.

A run that was terminated or reset leaves its intent in the record. The next run settles that first: undone if its
candidate was not promoted, finished if it was.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from estate.postgres import PostgresTarget
from gate.record import Mode
from workflows.postgres import steps
from workflows.postgres.planning.forced import make_forced_plan, must_be_gone
from workflows.postgres.planning.planned import make_plan
from workflows.postgres.recovery import approved, settled, switch_of
from workflows.postgres.transfer.staged import Switchover
from workflows.run import outcome
from workflows.run.automatic import found_by_watch, must_not_be_held
from workflows.run.inputs import parse
from workflows.run.models import FailoverRequest, Run
from workflows.run.phases import Phase
from workflows.run.preconditions import admitted
from workflows.run.state import Journal
from workflows.run.voting import Decidable


@workflow.defn(name="postgres-failover")
class PostgresFailover(Decidable):
    """One switch of one cluster; its workflow ID is the cluster's lock."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self._request, self._bad_input = parse(FailoverRequest, args)
        self._journal = Journal(self._request)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Switch over, or put everything back and say why."""
        return await outcome.conclude(self._journal, self._story())

    async def _story(self) -> None:
        request = admitted(self._journal, self._request, self._bad_input)
        target = self._journal.target = await steps.resolve(request.cluster)
        if request.attest:
            self._journal.attest(request.by, target)
        if request.run is Run.PLAN:
            await self._preview(request, target)
            return
        if await settled(self._journal, target):
            return
        policies = target.cluster.approvals
        policy = policies.forced if request.mode is Mode.FORCED else policies.planned
        plan = await approved(self._journal, policy, target, lambda: self._plan(request, target))
        await Switchover(self._journal, switch_of(target, plan)).carry_out()
        self._journal.close(Outcome.COMPLETED, f"{plan.candidate} leads {target.name}")

    async def _plan(self, request: FailoverRequest, target: PostgresTarget) -> Plan:
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        forced = request.mode is Mode.FORCED
        found = found_by_watch()
        gone = (found.member,) if found else ()
        journal.survey = await steps.survey(target, hurried=forced, before=journal.survey, gone=gone)
        must_not_be_held(journal.survey.record)
        make = make_forced_plan if forced else make_plan
        journal.plan = plan = make(request, target, journal.survey)
        if request.run is not Run.PLAN:
            must_be_gone(plan, target, attested_by=journal.attested_by)
        return plan

    async def _preview(self, request: FailoverRequest, target: PostgresTarget) -> None:
        plan = await self._plan(request, target)
        self._journal.facts["preview"] = await steps.preview(switch_of(target, plan))
        self._journal.close(Outcome.PLANNED_ONLY, f"{plan.candidate} would lead {target.name}; nothing was changed")
