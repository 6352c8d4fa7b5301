r"""Leave a region: its databases, its application and its traffic move to the region that survives.

    planned:  survey -> approve -> survey -> claim -> overlay -> ready  ! databases -> traffic -> check -> fence -> report
    forced:   survey -> approve -> survey -> claim -> fence  ! databases -> overlay -> ready -> traffic -> check -> report

Left of the mark, a failure undoes what was done; right of it there is only forward. The claim is a Lease in the surviving
region. The fence scales the applications of the region that is left to zero, as far as it can be reached. The point of no
return is the first promotion: the database's own run, a child, passes it. A child that says that nothing was promoted lets
everything be put back; one that does not say so leaves this run forward only. What
could not be fenced is fenced when the region returns, by a run that outlives this one (``region-fence``).
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from temporalio import workflow

from activities.region.failover_models import RegionOrder, RegionPlan
from estate.regions import RegionTarget
from gate.record import Mode
from workflows.region.failover_planning import make_region_plan, must_go_there, preconditions_of
from workflows.region.keeping import Clock
from workflows.region.models import RegionFailoverRequest
from workflows.region.procedure import RegionProcedure, Seen
from workflows.region.returning import fenced_on_return
from workflows.region.way_out import Out
from workflows.run import outcome


@workflow.defn(name="region-failover")
class RegionFailover(RegionProcedure[RegionFailoverRequest]):
    """One failover of one region; its workflow ID is the region's lock."""

    asks = RegionFailoverRequest

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Leave the region, or let everything be and say why."""
        return await self.conclude()

    async def resolve(self) -> RegionTarget:
        """Look the region up in the estate."""
        target = await super().resolve()
        must_go_there(self.request, target)
        return target

    async def preview(self, plan: RegionPlan) -> str:  # noqa: ARG002 - of what was surveyed for it
        """Return what the API server of the surviving region would change."""
        survey = self.state.details.survey
        return "\n".join(survey.overlay.changes) if survey else ""

    def new_region(self) -> str:
        """Return the surviving region."""
        return self.target.settings.to

    def plan_of(self, seen: Seen) -> RegionPlan:
        """Keep the preconditions and return the plan."""
        survey, databases, traffic = seen
        self.state.details.preconditions = preconditions_of(self.target, survey, databases, traffic, self.request.mode)
        self.must_hold()
        return make_region_plan(self.request, self.target, survey, databases)

    def way(self, plan: RegionPlan, order: RegionOrder, clock: Clock) -> Out:
        """Return overlay and fence."""
        return Out(self.state, plan, order, clock)

    async def part(self, part: Coroutine[Any, Any, None], *, last: bool) -> None:
        """Carry a part of the move out; what it has not fenced, though it should, is fenced when the region returns."""
        fences = last if self.request.mode is Mode.PLANNED else not last
        await (fenced_on_return(self.state, self.request, part) if fences else part)

    def starts_first(self) -> bool:
        """Whether customers are served all the time: not in a run from before, and not where the region is lost."""
        return self.request.mode is Mode.PLANNED and workflow.patched("region-starts-first")

    def since(self) -> datetime:
        """Return since when the region has not worked."""
        return self.request.down_since or self.state.started_at

    def not_fenced(self) -> str:
        """Return which applications may go on in the region that is left."""
        fenced = self.state.details.fenced
        return "".join(
            f"; NOT FENCED: {one.name} in {self.target.name} ({one.error})"
            for one in (fenced.applications if fenced else ())
            if one.error
        )
