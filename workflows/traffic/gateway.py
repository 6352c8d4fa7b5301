r"""Take unhealthy backends out of an application gateway and put healthy ones back; keep its declared probe in place.

    survey -> approve -> survey -> change (one PUT) -> wait for Azure -> the gateway calls all Up
    \____ nothing changed ____/    \_________ whatever fails is put back, place by place _______/

There is no point of no return. A failure or a cancel before the end puts back what this run has changed, and nothing else:
each place is compared first, and what somebody else has changed since is left and named (ROLLBACK_INCOMPLETE).

A gateway that is busy, or that was changed between look and change, is looked at again and decided on again. People who have
approved are asked anew by another start; where nobody had to approve the new decision is carried out.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.control import Control
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import Todo, todo
from activities.traffic.gateway_change import GatewayChangeActivities
from activities.traffic.gateway_models import (
    Await,
    AwaitHealth,
    Begun,
    Changed,
    Edit,
    Ended,
    GatewayDetails,
    GatewayLook,
    GatewayOrder,
    GatewayPlan,
)
from activities.traffic.gateway_survey import GatewayLookActivities
from estate.base import ApprovalPolicy
from estate.gateways import GatewayTarget
from workflows.run.control import Leeway
from workflows.run.controlling import leave_out, optional_step
from workflows.run.outcome import Summary
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.saga import compensated
from workflows.run.steps import step
from workflows.run.uncancellable import uncancellable
from workflows.traffic.gateway_models import GatewayFailoverRequest
from workflows.traffic.gateway_planning import make_gateway_plan

_BUSY = timedelta(seconds=2)
"""Between two requests while Azure is busy with something else. A cancel is honoured then."""
_UNDONE_WITHIN = timedelta(hours=1)


@workflow.defn(name="gateway-failover")
class GatewayFailover(Procedure[GatewayFailoverRequest, GatewayTarget, GatewayPlan, GatewayDetails]):
    """One look after one gateway; its workflow ID is the gateway's lock."""

    asks, details = GatewayFailoverRequest, GatewayDetails
    waits_out_absence = True
    leeways = (Leeway("proof", skip="the change stays; nobody waits until the gateway calls all backends Up"),)

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)
        self._made: tuple[Edit, ...] = ()

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Change the gateway, or let everything be and say why."""
        return await self.conclude()

    async def resolve(self) -> GatewayTarget:
        """Look the gateway up in the estate."""
        return await step(EstateActivities.resolve_gateway, ResolveRequest(cluster=self.request.gateway, by=self.asker))

    async def make_plan(self) -> GatewayPlan:
        """Ask Azure and every backend, and decide."""
        state = self.state
        state.enter(Phase.SURVEYING)
        survey = state.details.survey = await step(GatewayLookActivities.survey, GatewayLook(target=self.target))
        plan = make_gateway_plan(self.request, self.target, survey)
        state.plan = plan
        state.show()
        return plan

    @staticmethod
    def policy(target: GatewayTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.gateway.approvals.failover

    def would(self, plan: GatewayPlan) -> str:
        """Return what a dry run has found."""
        return f"{plan.heading()}; nothing was changed"

    async def execute(self, plan: GatewayPlan) -> str:
        """Change the gateway and see that it is healthy; put back what was changed when that fails."""
        began = workflow.now()
        self.state.control.offer("proof")
        try:
            plan = await self._change(plan)
            if plan.edits:
                await self._verify(plan, began)
        except (asyncio.CancelledError, FailureError) as error:
            await uncancellable(self._put_back(error))
            raise
        self.state.details.notes = plan.warnings
        if not plan.edits:
            return f"{len(plan.goal)} backends of {self.target.name} are healthy: nothing was to be done"
        if self.state.details.routed is None:
            return f"{self.target.name} is changed, and nobody has seen it healthy; {plan.heading()}"
        return f"{self.target.name} sends requests to {len(plan.goal)} healthy backends; {plan.heading()}"

    async def _change(self, plan: GatewayPlan) -> GatewayPlan:
        """Ask for the change until Azure has made it; return the plan that was carried out. Empty: nothing is left to do."""
        until = workflow.now() + self.target.gateway.thresholds.changed_within
        while plan.edits:
            self.state.enter(Phase.CHANGING, plan.heading())
            begun = await uncancellable(self._begun(plan))
            if begun.refused:
                raise refuse(Refusal.CHANGE_REFUSED, begun.refused)
            if not (begun.busy or begun.differs):
                changed = self.state.details.changed = await self._ended(begun, until)
                if changed.ended is Ended.SUCCEEDED:
                    return plan
                self._must_go_on(changed)
            plan = await self._decided_again(plan, begun, until)
        return plan

    async def _begun(self, plan: GatewayPlan) -> Begun:
        """Ask once, and take note of what may have been changed."""
        details, before = self.state.details, self._made
        self._may_have_made((*before, *plan.edits))
        order = GatewayOrder(target=self.target, edits=plan.edits, basis=plan.basis)
        begun = details.begun = await step(GatewayChangeActivities.change, order)
        details.changes_asked += begun.asked
        if not (begun.asked or begun.unsure):
            self._may_have_made(before)
        return begun

    def _may_have_made(self, edits: tuple[Edit, ...]) -> None:
        """Keep the newest edit of each place: what was there before it is what is put back."""
        self._made = tuple({(edit.place, edit.name, edit.key): edit for edit in edits}.values())
        self.state.would_undo = tuple(edit.undone().words for edit in reversed(self._made))

    async def _ended(self, begun: Begun, until: datetime) -> Changed:
        wait = Await(target=self.target, operation=begun.operation, until=until)
        return await step(GatewayChangeActivities.await_change, wait)

    def _must_go_on(self, changed: Changed) -> None:
        """Return where another change came in between. ApplicationError: Azure has not made this one."""
        if changed.ended is not Ended.SUPERSEDED:
            raise refuse(Refusal.CHANGE_FAILED, f"Azure has not changed {self.target.name}: {changed.message}")

    async def _decided_again(self, plan: GatewayPlan, begun: Begun, until: datetime) -> GatewayPlan:
        """Look again and decide again, once the gateway is ready. ApplicationError: time is up, or people must decide."""
        why = begun.busy or "; ".join(begun.differs) or "another change came in between"
        await workflow.sleep(begun.after or _BUSY, summary=why[:200])
        while True:
            if workflow.now() >= until:
                raise refuse(Refusal.BUSY, f"{self.target.name} was busy all the time: {why}")
            try:
                again = await self.make_plan()
            except ApplicationError as error:
                if error.type != Refusal.BUSY.value:
                    raise
                await workflow.sleep(_BUSY, summary=error.message[:200])
                continue
            if self.state.approvals is not None and again.decisions() != plan.decisions():
                words = f"another plan would be made now ({again.heading()}): start it again"
                raise refuse(Refusal.PLAN_CHANGED, words)
            return again

    async def _verify(self, plan: GatewayPlan, began: datetime) -> None:
        """Wait until the gateway calls everybody Up who is to be."""
        state, within = self.state, self.target.gateway.thresholds.healthy_within
        state.enter(Phase.MENDING, f"{self.target.name} is to call {', '.join(plan.goal) or 'nobody'} Up")
        wait = AwaitHealth(target=self.target, goal=plan.goal, gone=plan.take_out, until=workflow.now() + within)
        routed = state.details.routed = await optional_step(state, "proof", GatewayChangeActivities.await_health, wait)
        if routed is None:
            left = todo(Todo.VERIFY, f"see that {self.target.name} calls {', '.join(plan.goal)} Up", self.target.name)
            leave_out(state, Control.SKIP, "proof", left)
            state.enter(Phase.MENDING, "nobody waits for it")  # as below
            return
        state.details.recovery_seconds = (routed.at - began).total_seconds()
        if not routed.healthy:
            raise refuse(Refusal.NOT_VERIFIED, f"{self.target.name} is not healthy after the change: {routed.words}")
        state.enter(Phase.MENDING, "it is healthy")  # a cancel that came while the step ran is honoured here

    async def _put_back(self, error: BaseException) -> None:
        """Undo what this run may have changed; nothing where it has changed nothing."""
        state = self.state
        if not self._made:
            return
        state.phase = Phase.UNDOING
        left = todo(Todo.TRAFFIC, f"put back: {'; '.join(edit.undone().words for edit in self._made)}", self.target.name)
        if undone := await compensated(state, error, self._undone(), left):
            state.undone = (*state.undone, undone)
        state.would_undo = ()

    async def _undone(self) -> str:
        """Put back place by place, until Azure has done it; return what was undone, empty when nothing was to be."""
        details, until, asked = self.state.details, workflow.now() + _UNDONE_WITHIN, False
        order = GatewayOrder(target=self.target, edits=tuple(edit.undone() for edit in reversed(self._made)))
        while True:
            begun = details.undo = await step(GatewayChangeActivities.undo, order)
            details.changes_asked += begun.asked
            asked = asked or begun.asked or begun.unsure
            if begun.refused:
                raise refuse(Refusal.CHANGE_REFUSED, begun.refused)
            if not begun.busy:
                ended = await self._ended(begun, until) if begun.asked else None
                if ended is not None and ended.ended in {Ended.FAILED, Ended.LATE}:
                    raise refuse(Refusal.CHANGE_FAILED, ended.message)
                if ended is None or ended.ended is Ended.SUCCEEDED:
                    break
            if workflow.now() >= until:
                raise refuse(Refusal.BUSY, f"{self.target.name} was busy all the time: {begun.busy}")
            await workflow.sleep(begun.after or _BUSY, summary="Azure is busy with something else")
        if begun.differs:
            raise refuse(Refusal.ROLLBACK_INCOMPLETE, f"left as somebody else has made it: {'; '.join(begun.differs)}")
        return f"{self.target.name} is as it was" if asked else ""
