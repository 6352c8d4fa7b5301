"""The way back: the first region's applications have their pods again, and the surviving one runs its pilot light."""

from __future__ import annotations

from activities.region.failover_models import ApplyOrder, RegionDetails, RegionOrder, RegionPlan, StopOrder
from activities.region.failover_steps import RegionActivities
from activities.run.models.todo import LeftToDo, Todo, todo
from workflows.region.keeping import Clock
from workflows.region.way import Way, hold, patiently, undoing, within
from workflows.run.controlling import held_back
from workflows.run.phases import Phase
from workflows.run.saga import Saga
from workflows.run.state import RunState
from workflows.run.steps import step


class Back(Way):
    """From the surviving region to the one that was left."""

    def __init__(self, state: RunState[RegionDetails], plan: RegionPlan, order: RegionOrder, clock: Clock) -> None:
        """Begin with nothing started."""
        super().__init__(state, plan, order, clock)
        self.old, self.new = self.target.settings.to, self.target.name

    async def start(self, saga: Saga) -> None:
        """Give the applications their pods again, and wait for these."""
        state, asleep = self.state, self.plan.asleep
        await held_back(state)
        await hold(self.order, state)
        if asleep:
            names = ", ".join(asleep)
            left = todo(Todo.SCALE, f"scale {names} in {self.new} to zero: kubectl scale deployment", self.target.name)
            self.undo_with(saga, self._stopped_again, f"scale {names} in {self.new} to zero", left)
        state.enter(self.preparing, self.clock.told(", ".join(asleep) or f"everything runs in {self.new}"))
        posture = patiently(self.order, state)
        state.details.started = await step(RegionActivities.start_applications, self.order, posture=posture)
        state.done(Todo.START)
        await self.ready(back=True)

    async def _stopped_again(self) -> str:
        """Take the pods again that this run has given. ApplicationError: ``Superseded``; another run may count on them."""
        await self.must_be_ours(f"the applications of {self.new} keep their pods")
        order = StopOrder(target=self.target, run=self.order.run, names=self.plan.asleep)
        return "; ".join(await step(RegionActivities.stop_applications, order, posture=undoing(self.order)))

    async def stop(self, saga: Saga) -> None:  # noqa: ARG002 - past every way back
        """Apply the pilot light in the region that has served meanwhile."""
        state, settings = self.state, self.target.settings
        if not self.plan.pilot_light or settings.pilot_light is None:
            words = f"{self.old} keeps what {settings.overlay} has applied: no pilot_light is named"
            state.details.notes = (*state.details.notes, words)
            return
        await held_back(state)
        await hold(self.order, state)
        state.enter(Phase.APPLYING, self.clock.told(settings.pilot_light))
        order = ApplyOrder(target=self.target, digest=self.plan.pilot_light, pilot_light=True)
        state.details.pilot_light = await step(RegionActivities.apply_overlay, order, posture=within(settings.patience))
        state.done(Todo.OVERLAY)

    def left_to_start(self) -> tuple[LeftToDo, ...]:
        """Return applications and pods."""
        names = ", ".join(self.target.settings.applications)
        started = (todo(Todo.START, f"scale {names} in {self.new} up", self.target.name),) if names else ()
        return (*started, self.left_to_be_ready())

    def left_to_stop(self) -> tuple[LeftToDo, ...]:
        """Return the pilot light."""
        path = self.target.settings.pilot_light
        return (todo(Todo.OVERLAY, f"apply {path} in {self.old}", self.target.name),) if self.plan.pilot_light else ()

    def not_stopped(self) -> tuple[LeftToDo, ...]:
        """Return nothing: a pilot light that is not applied strands the run."""
        return ()
