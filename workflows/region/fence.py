r"""Wait for a region that was left, and fence it at first contact: nothing may write there while the other region leads.

    look -> approve -> look -> [ wait until something answers -> who leads? -> fence it ] until nothing is left to fence

``region-failover`` begins it, with the approvals of its own plan, and goes on; a person can start it, too. It fences what
answers: applications are scaled to zero, an old primary that takes writes is stopped through Azure. A replica is left alone.
Each change is made only while Azure, the endpoint and SQL agree that the other region leads; where they do not, it waits.

Nothing is undone: a cancel leaves what is fenced. It ends once all is fenced, or once the region leads again.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.region.models import READY
from activities.region.returning import ReturningActivities
from activities.region.returning_models import Lead, Old, RegionFenceDetails, RegionFencePlan, Returned, ReturnLook, Verdict
from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from estate.base import ApprovalPolicy
from estate.regions import RegionTarget
from workflows.region.fence_models import RegionFenceRequest
from workflows.region.returning import Returning
from workflows.run import outcome
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.steps import step


@workflow.defn(name="region-fence")
class RegionFence(Procedure[RegionFenceRequest, RegionTarget, RegionFencePlan, RegionFenceDetails]):
    """One wait for one region; its workflow ID is a lock of its own."""

    asks, details = RegionFenceRequest, RegionFenceDetails
    waits_out_absence = True
    outlives = True

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Fence the region when it returns, or say why not."""
        return await self.conclude()

    async def resolve(self) -> RegionTarget:
        """Look the region up in the estate."""
        return await step(EstateActivities.resolve_region, ResolveRequest(cluster=self.request.region, by=self.asker))

    async def make_plan(self) -> RegionFencePlan:
        """Look at the region and at who leads its databases. ApplicationError: it leads, so there is nothing to fence."""
        state, target = self.state, self.target
        state.enter(Phase.SURVEYING)
        seen = state.details.returned = await step(ReturningActivities.look, ReturnLook(target=target))
        must_be_left(target, seen)
        state.plan = plan = make_fence_plan(self.request, target, seen)
        state.show()
        return plan

    @staticmethod
    def policy(target: RegionTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve: as for a failover of the region."""
        return target.settings.approvals.of(mode)

    def would(self, plan: RegionFencePlan) -> str:
        """Return what a dry run has found."""
        left = self.state.details.returned.words if self.state.details.returned else ""
        return f"{plan.cluster} would be fenced when it returns; {left or 'all is fenced'}; nothing was changed"

    async def execute(self, plan: RegionFencePlan) -> str:  # noqa: ARG002 - each look decides anew
        """Wait and fence until nothing is left to fence."""
        details, name = self.state.details, self.target.name
        seen = await Returning(self.state, self.target).fenced()
        details.notes = notes_of(self.target, seen)
        servers = ", ".join(f"{one.server} {one.old.value}" for one in seen.databases)
        names = ", ".join(one.name for one in seen.applications) or "no application"
        return f"{name} is fenced: {names} at zero; {servers}"


def must_be_left(target: RegionTarget, seen: Returned) -> None:
    """Refuse a region that leads: there is nothing to fence there. ApplicationError: ``MovedAlready``."""
    if seen.verdict is Verdict.LEADS_AGAIN:
        servers = ", ".join(f"{one.server} leads {one.name}" for one in seen.databases)
        raise refuse(Refusal.MOVED_ALREADY, f"{target.name} leads: {servers}; nothing is fenced there")


def make_fence_plan(request: RegionFenceRequest, target: RegionTarget, seen: Returned) -> RegionFencePlan:
    """Return the plan."""
    settings, there = target.settings, target.settings.to
    names, servers = ", ".join(settings.applications), tuple(one.server for one in seen.databases)
    unknown = [one.words for one in seen.databases if one.lead is Lead.UNKNOWN]
    return RegionFencePlan(
        cluster=target.name,
        mode=request.mode,
        primary=target.name,
        candidate=there,
        applications=settings.applications,
        servers=servers,
        steps=(
            f"wait until {target.name} answers, for 30 days",
            *((f"fence: {names} scaled to zero at first contact",) if names else ()),
            f"fence: {', '.join(servers)} stopped through Azure if it takes writes; a replica is left alone",
        ),
        warnings=(
            *(f"nothing is changed before this is known: {words}" for words in unknown),
            *((f"not fenced yet: {seen.words}",) if seen.words else ()),
        ),
    ).sealed()


def notes_of(target: RegionTarget, seen: Returned) -> tuple[str, ...]:
    """Return what is to be known of servers that are stopped."""
    return tuple(
        f"{one.server} is {one.old.value}, not {READY}: Azure may start it by itself for maintenance; region-recovery"
        f" {target.name} makes the pair redundant again"
        for one in seen.databases
        if one.old is Old.STOPPED
    )
