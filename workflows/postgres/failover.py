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

from activities.postgres.models.plan import PostgresPlan
from estate.base import ApprovalPolicy
from estate.postgres import PostgresTarget
from gate.record import Mode
from workflows.postgres import steps
from workflows.postgres.models import FailoverRequest
from workflows.postgres.planning.forced import make_forced_plan, must_be_gone
from workflows.postgres.planning.planned import make_plan, must_hand_over
from workflows.postgres.procedure import PostgresProcedure
from workflows.postgres.transfer.staged import Switchover
from workflows.run.automatic import found_in_memo, must_not_be_held
from workflows.run.models import Run
from workflows.run.outcome import Summary
from workflows.run.phases import Phase


@workflow.defn(name="postgres-failover")
class PostgresFailover(PostgresProcedure[FailoverRequest]):
    """One transfer of one cluster."""

    asks = FailoverRequest

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Move the writes, or put everything back and say why."""
        return await self.conclude()

    async def make_plan(self) -> PostgresPlan:
        """Survey the cluster and choose who leads next; a forced plan also says whether the primary is gone."""
        state, target, request = self.state, self.target, self.request
        state.enter(Phase.SURVEYING)
        forced = request.mode is Mode.FORCED
        found = found_in_memo() if state.by_watch else None
        gone = (found.member,) if found and forced else ()
        survey = await steps.survey(target, hurried=forced, before=state.details.survey, gone=gone)
        state.details.survey = survey
        must_not_be_held(survey.record)
        if found and not forced:
            must_hand_over(found.member, survey, target)
        make = make_forced_plan if forced else make_plan
        state.plan = plan = self.with_applications(make(request, target, survey), survey)
        if request.run is not Run.PLAN:
            must_be_gone(plan, target, attested_by=state.vouched_by)
        return plan

    def node_of_suspect(self) -> str:
        """Return the node of the old primary's pod."""
        plan, survey = self.state.plan, self.state.details.survey
        return survey.node_of(plan.primary) if plan and survey else ""

    @staticmethod
    def policy(target: PostgresTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.cluster.approvals.of(mode)

    def would(self, plan: PostgresPlan) -> str:
        """Return what a dry run has found."""
        return f"{plan.candidate} would lead {self.target.name}; nothing was changed"

    async def execute(self, plan: PostgresPlan) -> str:
        """Claim, stop the old primary, promote, route, and do what follows."""
        await Switchover(self.state, steps.switch_of(self.target, plan)).carry_out()
        return f"{plan.candidate} leads {self.target.name}"
