r"""What a region's failover and its failback share: survey, approvals, the claim, and how they end.

Approvals are collected once and handed to the children. Started again, a run goes on where the last one stood: a database
that leads in the new region already is done, and everything after it is safe to repeat. The claim is a Lease in the
surviving region, whichever way the move goes.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.region.failover_models import RegionDetails, RegionLook, RegionOrder, RegionPlan, RegionSurvey
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
from workflows.region.failover_planning import TrafficSeen, must_hold
from workflows.region.fence_models import fence_lock_id
from workflows.region.keeping import Clock, Keeping
from workflows.region.models import RegionFailbackRequest, RegionFailoverRequest
from workflows.region.moving import Moving
from workflows.region.plan_lines import DatabaseSeen
from workflows.region.planning import make_flexible_plan, must_be_given_up
from workflows.region.way import Way
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

R = TypeVar("R", RegionFailoverRequest, RegionFailbackRequest)
Seen = tuple[RegionSurvey, tuple[DatabaseSeen, ...], tuple[TrafficSeen, ...]]
"""Both clusters, the databases, the traffic."""


class RegionProcedure(Procedure[R, RegionTarget, RegionPlan, RegionDetails], Generic[R]):
    """One move of one region; its workflow ID is the region's lock, whichever way it goes."""

    details = RegionDetails
    waits_out_absence = True
    serves: ClassVar[str] = "serves"
    """What the new region does in the end."""
    leeways = (
        Leeway("ready", skip="nobody waits for the pods: traffic may be led to pods that do not serve",
               force="goes on once one pod is Ready"),
        Leeway("traffic", skip="this entry is not led there, or not waited for", of_each="NAME"),
        Leeway("check", skip="nobody asks whether the application answers"),
    )  # fmt: skip

    @abstractmethod
    def new_region(self) -> str:
        """Return the region that is to serve."""

    @abstractmethod
    def plan_of(self, seen: Seen) -> RegionPlan:
        """Keep the preconditions and return the plan. ApplicationError: what does not hold, by name."""

    @abstractmethod
    def way(self, plan: RegionPlan, order: RegionOrder, clock: Clock) -> Way:
        """Return how applications are started and stopped."""

    @abstractmethod
    def starts_first(self) -> bool:
        """Whether the new region's application is started before anything is promoted."""

    @abstractmethod
    def since(self) -> datetime:
        """Return from when on the objective counts."""

    def not_fenced(self) -> str:
        """Return what goes on in the region that is left, to be read behind how the run has ended; empty: nothing."""
        return ""

    async def part(self, part: Coroutine[Any, Any, None], *, last: bool) -> None:  # noqa: ARG002 - for those that add to one
        """Carry a part of the move out: up to the last promotion, or what comes after it."""
        await part

    async def resolve(self) -> RegionTarget:
        """Look the region up in the estate."""
        return await step(EstateActivities.resolve_region, ResolveRequest(cluster=self.request.region, by=self.asker))

    async def make_plan(self) -> RegionPlan:
        """Look at both regions, the databases and the traffic, and decide. ApplicationError: what does not hold, by name."""
        state, target, new = self.state, self.target, self.new_region()
        state.enter(Phase.SURVEYING)
        back = new == target.name
        look = RegionLook(target=target, back=back, fence=fence_lock_id(target.name) if back else "")
        survey = state.details.survey = await step(RegionLookActivities.survey, look)
        databases = tuple([await self._database(one) for one in target.databases])
        traffic = tuple([await plan_traffic(self.request, new, one) for one in target.settings.traffic])
        state.plan = plan = self.plan_of((survey, databases, traffic))
        state.show()
        return plan

    def must_hold(self) -> None:
        """Return if every precondition holds. ApplicationError: what does not, by name."""
        must_hold(self.state.details.preconditions)

    async def _database(self, target: FlexibleTarget) -> DatabaseSeen:
        """Return what the database's own failover would plan now."""
        server = self.target.server_in(self.new_region(), target)
        request = database_request(self.request, target.name, server)
        survey = await step(FlexibleLookActivities.survey, FlexibleLook(target=target))
        try:
            plan = make_flexible_plan(request, target, survey)
            must_be_given_up(plan, attested=False)
        except ApplicationError as error:
            return DatabaseSeen(target, server, survey, refusal=error.type or "", words=error.message)
        return DatabaseSeen(target, server, survey, plan)

    @staticmethod
    def policy(target: RegionTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.settings.approvals.of(mode)

    def would(self, plan: RegionPlan) -> str:
        """Return what a dry run has found."""
        return f"{plan.candidate} would serve instead of {plan.primary}; nothing was changed"

    async def execute(self, plan: RegionPlan) -> str:
        """Claim; move; serve from the new region."""
        state, target = self.state, self.target
        order = RegionOrder(target=target, run=me())
        clock = Clock(state, self.since(), target.objective.rto)
        self._offer(plan)
        state.enter(Phase.CLAIMING, clock.told(f"a Lease in {target.settings.to}"))
        await self._claimed(order)
        moving = Moving(self.request, self.way(plan, order, clock), starts_first=self.starts_first())
        async with Keeping(state, order, clock), Saga(state) as saga:
            left = todo(Todo.SCALE, f"the Lease in {target.settings.to} expires by itself", target.name)
            saga.on_failure(lambda: self._lease_back(order), "give the Lease back", left)
            moved = moving.move(saga)
            await self.part(uncancellable(moved) if moving.has_begun else moved, last=False)
            await self.part(uncancellable(moving.serve(saga)), last=True)
        await uncancellable(self._lease_back(order))
        return self._ended(plan, clock)

    def _offer(self, plan: RegionPlan) -> None:
        """Let people skip what they may, from now on."""
        control = self.state.control
        control.offer("ready")
        control.offer("traffic", plan.traffic)
        if self.target.settings.checks:
            control.offer("check")

    def _ended(self, plan: RegionPlan, clock: Clock) -> str:
        """Return what is known to be so: that clients are served only where somebody has asked, or has led them."""
        state, target, not_fenced = self.state, self.target, self.not_fenced()
        left = kinds_of(state.left_to_do)
        ways = {target.name: target.region.location, target.settings.to: target.to.location}
        there, old = ways[plan.candidate], ways[plan.primary]
        if state.details.checked is None and not state.details.traffic:
            pods = "nobody has seen all pods" if Todo.READY in left else "pods are"
            return f"{pods} Ready in {there}; nobody asked the application, no traffic was led{not_fenced}"
        if Todo.TRAFFIC in left:
            return f"{there} can serve, and not all traffic is known to lead there{not_fenced}"
        count_recovery(state, clock.since, workflow.now())
        return f"{there} {self.serves} instead of {old}{not_fenced}"

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
