r"""Return to a region that was left: the same move backwards, planned, without loss.

    survey -> approve -> survey -> claim -> start -> ready  ! databases -> traffic -> check -> pilot light -> report
    \____ nothing changed _____/  \_______ undone _______/ \__________________ forward only __________________/

Both regions answer. The applications of the first region get the pods back that a failover has taken from them, and are
Ready before anything is promoted: customers are served all the time, but for the seconds of the promotion. Each database's
own run, a child, moves it as a planned move, which loses no acknowledged write. In the end the surviving region runs its
pilot light again. What is not redundant yet is refused: ``region-recovery`` comes first.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.region.failover_models import RegionOrder, RegionPlan
from workflows.region.failback_planning import make_failback_plan, preconditions_back
from workflows.region.keeping import Clock
from workflows.region.models import RegionFailbackRequest
from workflows.region.procedure import RegionProcedure, Seen
from workflows.region.way_back import Back
from workflows.run import outcome


@workflow.defn(name="region-failback")
class RegionFailback(RegionProcedure[RegionFailbackRequest]):
    """One failback of one region; its workflow ID is the region's lock."""

    asks = RegionFailbackRequest
    serves = "serves again"

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Return to the region, or let everything be and say why."""
        return await self.conclude()

    async def preview(self, plan: RegionPlan) -> str:  # noqa: ARG002 - of what was surveyed for it
        """Return what the API server of the surviving region would change in the end."""
        survey = self.state.details.survey
        return "\n".join(survey.pilot_light.changes) if survey and survey.pilot_light else ""

    def new_region(self) -> str:
        """Return the region that was left."""
        return self.target.name

    def plan_of(self, seen: Seen) -> RegionPlan:
        """Keep the preconditions and return the plan."""
        survey, databases, traffic = seen
        self.state.details.preconditions = preconditions_back(self.target, survey, databases, traffic)
        self.must_hold()
        return make_failback_plan(self.target, survey, databases)

    def way(self, plan: RegionPlan, order: RegionOrder, clock: Clock) -> Back:
        """Return applications and pilot light."""
        return Back(self.state, plan, order, clock)

    def starts_first(self) -> bool:
        """Whether customers are served all the time: always."""
        return True

    def since(self) -> datetime:
        """Return when it has begun: nothing is broken."""
        return self.state.started_at
