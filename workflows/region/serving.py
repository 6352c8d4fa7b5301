"""The surviving region begins to serve: overlay, pods, traffic, and the application's own answers. Forward only."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.region.failover_models import ApplyOrder, CheckOrder, ReadyOrder, RegionDetails, RegionOrder, RegionPlan
from activities.region.failover_steps import RegionActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.control import Control
from activities.run.models.todo import Todo, todo
from activities.run.postures import FORWARD, Posture, lasting
from workflows.region.children import run_child, traffic_child
from workflows.region.keeping import Clock
from workflows.region.models import RegionFailoverRequest
from workflows.region.moving import hold
from workflows.run import outcome
from workflows.run.controlling import held_back, leave_out, optional_run, optional_step
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import step

_MARGIN = timedelta(minutes=1)
"""What a step that waits until a time gets beyond it."""


class Serving:
    """Of one run."""

    def __init__(
        self,
        state: RunState[RegionDetails],
        asked: RegionFailoverRequest,
        plan: RegionPlan,
        order: RegionOrder,
        clock: Clock,
    ) -> None:
        """Write to ``state`` what is done."""
        self._state, self._asked, self._plan, self._order, self._clock = state, asked, plan, order, clock
        self._target = order.target

    async def serve(self) -> None:
        """Do all that is left, in order. ApplicationError or ActivityError: what could not be done."""
        await self._applied()
        await self._ready()
        await self._led()
        await self._checked()

    async def _applied(self) -> None:
        state, settings = self._state, self._target.settings
        await held_back(state)
        await hold(self._order, state)
        state.enter(Phase.APPLYING, self._clock.told(settings.overlay))
        order = ApplyOrder(target=self._target, digest=self._plan.overlay)
        state.details.applied = await step(RegionActivities.apply_overlay, order, posture=self._within(settings.patience))
        state.done(Todo.OVERLAY)

    async def _ready(self) -> None:
        state, wanted = self._state, self._target.settings.ready
        await held_back(state)
        state.enter(Phase.SETTLING, self._clock.told(f"pods {wanted.selector}"))
        order = ReadyOrder(target=self._target, until=workflow.now() + wanted.within)
        some, posture = order.model_copy(update={"enough": 1}), self._within(wanted.within + _MARGIN)
        seen = await optional_step(state, "ready", RegionActivities.await_ready, order, ungraceful=some, posture=posture)
        state.details.ready = seen
        left = todo(Todo.READY, f"pods {wanted.selector} in {self._target.settings.to} are Ready", self._target.name)
        if seen is None:
            leave_out(state, Control.SKIP, "ready", left)
        elif not seen.words:
            state.done(Todo.READY)
        elif seen.ready and state.control.ordered(Control.FORCE, "ready"):
            leave_out(state, Control.FORCE, "ready", left.model_copy(update={"message": f"{left.message}: {seen.words}"}))
        else:
            within = f"{wanted.within.total_seconds():.0f} s"
            raise refuse(Refusal.STRANDED, f"the pods are not Ready within {within}: {seen.words}")

    async def _led(self) -> None:
        """Lead every traffic entry there; one that fails does not keep the others back."""
        state, failed = self._state, list[str]()
        for name in self._plan.traffic:
            await held_back(state)
            if not self._is_skipped(name):
                await hold(self._order, state)
                state.enter(Phase.ROUTING, self._clock.told(f"traffic {name}"))
                try:
                    await self._led_one(name)
                except FailureError as error:
                    failed.append(f"traffic {name}: {outcome.cause_of(error)[1]}")
        state.control.costs = ""
        if failed:
            raise refuse(Refusal.STRANDED, "; ".join(failed))

    async def _led_one(self, name: str) -> None:
        """Have the entry's own run lead it there; one that people skip goes on alone."""
        state, child = self._state, run_child(traffic_child(self._asked, self._target, name), self._state.votes)
        if workflow.patched("traffic-may-be-skipped"):
            ended = await optional_run(state, f"traffic/{name}", child)
            if self._is_skipped(name, f"; its own run goes on: failover status {name}"):
                return
        else:
            ended = await child
        told = ended.explanation if ended else "it led there already"
        state.details.traffic = (*state.details.traffic, f"{name}: {told}")
        state.done(Todo.TRAFFIC, name)

    def _is_skipped(self, name: str, more: str = "") -> bool:
        """Whether people skip a traffic entry; it is then listed as left to do."""
        state, step_ = self._state, f"traffic/{name}"
        skipped = state.control.ordered(Control.SKIP, step_) is not None
        if skipped:
            state.control.over(step_, Control.SKIP)
            left = todo(Todo.TRAFFIC, f"traffic {name} leads to {self._target.settings.to}{more}", name)
            leave_out(state, Control.SKIP, step_, left)
        return skipped

    async def _checked(self) -> None:
        state, settings = self._state, self._target.settings
        if settings.checks is None:
            return
        await held_back(state)
        state.enter(Phase.VERIFYING, self._clock.told(settings.checks.url))
        order = CheckOrder(target=self._target, run=self._order.run, until=workflow.now() + settings.patience)
        posture = self._within(settings.patience + _MARGIN)
        checked = await optional_step(state, "check", RegionActivities.check_application, order, posture=posture)
        state.details.checked = checked
        if checked is None:
            leave_out(state, Control.SKIP, "check", todo(Todo.CHECK, f"{settings.checks.url} answers", self._target.name))
            return
        if not checked.fine:
            bad = "; ".join(f"{one.what}: {one.words}" for one in checked.answers if not one.fine)
            raise refuse(Refusal.STRANDED, f"{settings.checks.url} does not answer as it should: {bad}")
        state.done(Todo.CHECK)

    @staticmethod
    def _within(span: timedelta) -> Posture:
        return lasting(FORWARD, attempt=span, within=span)
