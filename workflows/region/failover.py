r"""Leave a region: its databases, its application and its traffic move to the region that survives.

    survey -> approve -> survey -> claim -> fence  ! databases -> overlay -> ready -> traffic -> check -> report
    \____ nothing changed _____/  \_____ undone ____/ \____________________ forward only ___________________/

The claim is a Lease in the surviving region. The fence scales the applications of the lost region to zero, as far as it can
be reached. The point of no return is the first promotion: the database's own run, a child, passes it. A child that
says that nothing was promoted lets everything be put back; one that does not say so leaves this run forward only.

Approvals are collected once and handed to the children. Started again, a run goes on where the last one stood: a database
that leads in the surviving region already is done, and everything after it is safe to repeat.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.region.failover_models import RegionDetails, RegionLook, RegionOrder, RegionPlan
from activities.region.failover_survey import RegionLookActivities
from activities.region.lease import LeaseActivities
from activities.region.models import FlexibleLook
from activities.region.survey import FlexibleLookActivities
from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import Todo, kinds_of, todo
from activities.run.postures import COMPENSATE, lasting
from estate.base import ApprovalPolicy
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget
from workflows.region.children import database_request, plan_traffic
from workflows.region.failover_planning import (
    DatabaseSeen,
    make_region_plan,
    must_go_there,
    must_hold,
    preconditions_of,
)
from workflows.region.keeping import Clock, Keeping
from workflows.region.models import RegionFailoverRequest
from workflows.region.moving import Moving
from workflows.region.planning import make_flexible_plan, must_be_given_up
from workflows.region.serving import Serving
from workflows.run import outcome
from workflows.run.control import Leeway
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.recovering import count_recovery
from workflows.run.saga import Saga
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable

_GIVEN_BACK = lasting(COMPENSATE, attempt=timedelta(seconds=20), within=timedelta(seconds=30))
"""A Lease that is not given back expires: nobody waits an hour for it."""


@workflow.defn(name="region-failover")
class RegionFailover(Procedure[RegionFailoverRequest, RegionTarget, RegionPlan, RegionDetails]):
    """One failover of one region; its workflow ID is the region's lock."""

    asks, details = RegionFailoverRequest, RegionDetails
    leeways = (
        Leeway("ready", skip="nobody waits for the pods: traffic may be led to pods that do not serve",
               force="goes on once one pod is Ready"),
        Leeway("traffic", skip="this entry is not led there, or not waited for", of_each="NAME"),
        Leeway("check", skip="nobody asks whether the application answers"),
    )  # fmt: skip

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
        asked = ResolveRequest(cluster=self.request.region, by=self.asker)
        target = await step(EstateActivities.resolve_region, asked)
        must_go_there(self.request, target)
        return target

    async def make_plan(self) -> RegionPlan:
        """Look at both regions, the databases and the traffic, and decide. ApplicationError: what does not hold, by name."""
        state, target = self.state, self.target
        state.enter(Phase.SURVEYING)
        survey = state.details.survey = await step(RegionLookActivities.survey, RegionLook(target=target))
        databases = tuple([await self._database(one) for one in target.databases])
        traffic = tuple([await plan_traffic(self.request, target, one) for one in target.settings.traffic])
        found = state.details.preconditions = preconditions_of(target, survey, databases, traffic)
        must_hold(found)
        state.plan = plan = make_region_plan(self.request, target, survey, databases)
        state.show()
        return plan

    async def _database(self, target: FlexibleTarget) -> DatabaseSeen:
        """Return what the database's own failover would plan now."""
        server = self.target.server_in_survivor(target)
        request = database_request(self.request, target.name, server)
        survey = await step(FlexibleLookActivities.survey, FlexibleLook(target=target))
        try:
            plan = make_flexible_plan(request, target, survey)
            must_be_given_up(plan, attested=False)
        except ApplicationError as error:
            return DatabaseSeen(target, server, survey, refusal=error.type or "", words=error.message)
        return DatabaseSeen(target, server, survey, plan)

    async def preview(self, plan: RegionPlan) -> str:  # noqa: ARG002 - of what was surveyed for it
        """Return what the API server of the surviving region would change."""
        survey = self.state.details.survey
        return "\n".join(survey.overlay.changes) if survey else ""

    @staticmethod
    def policy(target: RegionTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.settings.approvals.of(mode)

    def would(self, plan: RegionPlan) -> str:
        """Return what a dry run has found."""
        return f"{plan.candidate} would serve instead of {plan.cluster}; nothing was changed"

    async def execute(self, plan: RegionPlan) -> str:
        """Claim, fence, promote; then serve from the surviving region."""
        state, target = self.state, self.target
        order = RegionOrder(target=target, run=me())
        clock = Clock(state, self.request.down_since or state.started_at, target.objective.rto)
        self._offer(plan)
        state.enter(Phase.CLAIMING, clock.told(f"a Lease in {target.settings.to}"))
        await self._claimed(order)
        moving = Moving(state, self.request, plan, order, clock)
        async with Keeping(state, order, clock), Saga(state) as saga:
            left = todo(Todo.SCALE, f"the Lease in {target.settings.to} expires by itself", target.name)
            saga.on_failure(lambda: self._lease_back(order), "give the Lease back", left)
            if moving.has_begun:
                await uncancellable(moving.move(saga))
            else:
                await moving.move(saga)
            await uncancellable(Serving(state, self.request, plan, order, clock).serve())
        await uncancellable(self._lease_back(order))
        return self._ended(clock)

    def _offer(self, plan: RegionPlan) -> None:
        """Let people skip what they may, from now on."""
        control = self.state.control
        control.offer("ready")
        control.offer("traffic", plan.traffic)
        if self.target.settings.checks:
            control.offer("check")

    def _ended(self, clock: Clock) -> str:
        """Return what is known to be so: that clients are served only where somebody has asked, or has led them."""
        target, details = self.target, self.state.details
        fenced = details.fenced.applications if details.fenced else ()
        not_fenced = "".join(f"; NOT FENCED: {one.name} in {target.name} ({one.error})" for one in fenced if one.error)
        left, there = kinds_of(self.state.left_to_do), target.to.location
        if details.checked is None and not details.traffic:
            pods = "nobody has seen all pods" if Todo.READY in left else "pods are"
            return f"{pods} Ready in {there}; nobody asked the application, no traffic was led{not_fenced}"
        if Todo.TRAFFIC in left:
            return f"{there} can serve, and not all traffic is known to lead there{not_fenced}"
        count_recovery(self.state, clock.since, workflow.now())
        return f"{target.to.location} serves instead of {target.region.location}{not_fenced}"

    async def _claimed(self, order: RegionOrder) -> None:
        try:
            await step(LeaseActivities.claim, order)
        except (asyncio.CancelledError, FailureError) as error:
            if not outcome.is_answer(error):  # it may have been taken
                held, words = await uncancellable(self._given_back(order))
                self.state.undone = (words,) if held else ()
            raise

    async def _lease_back(self, order: RegionOrder) -> str:
        """Give the Lease back; return what has become of it."""
        return (await self._given_back(order))[1]

    async def _given_back(self, order: RegionOrder) -> tuple[bool, str]:
        """Give the Lease back; return whether this run may have held it, and what has become of it. It expires otherwise."""
        try:
            held = await step(LeaseActivities.give_back, order, posture=_GIVEN_BACK)
        except FailureError as error:
            return True, f"the Lease was not given back and expires within 6 min ({outcome.cause_of(error)[1]})"
        return held, "the Lease is given back" if held else "the Lease was not held"
