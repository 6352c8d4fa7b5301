"""The surviving region begins to serve: overlay, pods, traffic, and the application's own answers. Forward only."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.region.failover_models import ApplyOrder, CheckOrder, ReadyOrder, RegionDetails, RegionOrder, RegionPlan
from activities.region.failover_steps import RegionActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.todo import Todo
from activities.run.postures import FORWARD, Posture, lasting
from workflows.region.children import run_child, traffic_child
from workflows.region.keeping import Clock
from workflows.region.models import RegionFailoverRequest
from workflows.region.moving import hold
from workflows.run import outcome
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
        await hold(self._order, state)
        state.enter(Phase.APPLYING, self._clock.told(settings.overlay))
        order = ApplyOrder(target=self._target, digest=self._plan.overlay)
        state.details.applied = await step(RegionActivities.apply_overlay, order, posture=self._within(settings.patience))
        state.done(Todo.OVERLAY)

    async def _ready(self) -> None:
        state, wanted = self._state, self._target.settings.ready
        state.enter(Phase.SETTLING, self._clock.told(f"pods {wanted.selector}"))
        order = ReadyOrder(target=self._target, until=workflow.now() + wanted.within)
        seen = await step(RegionActivities.await_ready, order, posture=self._within(wanted.within + _MARGIN))
        state.details.ready = seen
        if seen.words:
            within = f"{wanted.within.total_seconds():.0f} s"
            raise refuse(Refusal.STRANDED, f"the pods are not Ready within {within}: {seen.words}")
        state.done(Todo.READY)

    async def _led(self) -> None:
        """Lead every traffic entry there; one that fails does not keep the others back."""
        state, failed = self._state, list[str]()
        for name in self._plan.traffic:
            await hold(self._order, state)
            state.enter(Phase.ROUTING, self._clock.told(f"traffic {name}"))
            try:
                ended = await run_child(traffic_child(self._asked, self._target, name), state.votes)
            except FailureError as error:
                failed.append(f"traffic {name}: {outcome.cause_of(error)[1]}")
                continue
            told = ended.explanation if ended else "it led there already"
            state.details.traffic = (*state.details.traffic, f"{name}: {told}")
            state.done(Todo.TRAFFIC, name)
        if failed:
            raise refuse(Refusal.STRANDED, "; ".join(failed))

    async def _checked(self) -> None:
        state, settings = self._state, self._target.settings
        if settings.checks is None:
            return
        state.enter(Phase.VERIFYING, self._clock.told(settings.checks.url))
        order = CheckOrder(target=self._target, run=self._order.run, until=workflow.now() + settings.patience)
        checked = await step(RegionActivities.check_application, order, posture=self._within(settings.patience + _MARGIN))
        state.details.checked = checked
        if not checked.fine:
            bad = "; ".join(f"{one.what}: {one.words}" for one in checked.answers if not one.fine)
            raise refuse(Refusal.STRANDED, f"{settings.checks.url} does not answer as it should: {bad}")
        state.done(Todo.CHECK)

    @staticmethod
    def _within(span: timedelta) -> Posture:
        return lasting(FORWARD, attempt=span, within=span)
