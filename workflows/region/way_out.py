"""The way out: the application starts in the surviving region by its overlay, and stops in the lost one by a fence.

The fence scales each application to zero, as far as it can be reached, and keeps its number in an annotation.
"""

from __future__ import annotations

from activities.region.failover_models import ApplyOrder, RegionDetails, RegionOrder, RegionPlan, UnfenceOrder
from activities.region.failover_steps import RegionActivities
from activities.run.models.todo import LeftToDo, Todo, todo
from workflows.region.keeping import Clock
from workflows.region.way import Way, hold, patiently, undoing, within
from workflows.run.controlling import held_back
from workflows.run.phases import Phase
from workflows.run.saga import Saga
from workflows.run.state import RunState
from workflows.run.steps import step


class Out(Way):
    """From the region that the estate's entry names to the one that survives it."""

    def __init__(self, state: RunState[RegionDetails], plan: RegionPlan, order: RegionOrder, clock: Clock) -> None:
        """Begin with nothing fenced."""
        super().__init__(state, plan, order, clock)
        self.old, self.new = self.target.name, self.target.settings.to

    async def start(self, saga: Saga) -> None:
        """Apply the overlay and wait for the pods."""
        state, settings = self.state, self.target.settings
        await held_back(state)
        await hold(self.order, state)
        left = todo(Todo.OVERLAY, f"apply {settings.pilot_light or 'the pilot light'} in {self.new}", self.target.name)
        self.undo_with(saga, self._darkened, f"apply the pilot light in {self.new}", left)
        state.enter(self.preparing, self.clock.told(settings.overlay))
        order = ApplyOrder(target=self.target, digest=self.plan.overlay)
        state.details.applied = await step(RegionActivities.apply_overlay, order, posture=within(settings.patience))
        state.done(Todo.OVERLAY)
        await self.ready(back=False)

    async def _darkened(self) -> str:
        """Apply the pilot light again; nothing was led to these pods.

        Raises:
            ApplicationError: ``Superseded``; another run may have the Lease, and serve by these pods.

        """
        path = self.target.settings.pilot_light
        if not self.plan.pilot_light or path is None:
            overlay = self.target.settings.overlay
            return f"what {overlay} has applied stays in {self.new}, without traffic: no pilot_light is named"
        await self.must_be_ours(f"the applications of {self.new} stay as they are")
        order = ApplyOrder(target=self.target, digest=self.plan.pilot_light, pilot_light=True)
        await step(RegionActivities.apply_overlay, order, posture=undoing(self.order))
        return f"{path} is applied in {self.new} again"

    async def stop(self, saga: Saga) -> None:
        """Scale the applications to zero, as far as they can be reached."""
        state, target = self.state, self.target
        names = ", ".join(target.settings.applications)
        if not names:
            return
        await held_back(state)
        left = todo(Todo.SCALE, f"scale {names} in {target.name} back: kubectl scale deployment", target.name)
        self.undo_with(saga, self._unfenced, f"scale {names} in {target.name} back", left)
        state.enter(Phase.FENCING, self.clock.told(f"{names} in {target.name}"))
        state.details.fenced = await step(RegionActivities.fence, self.order, posture=patiently(self.order, state))
        state.done(Todo.SCALE)
        if state.forward_only:
            state.left_to_do = (*state.left_to_do, *self.not_stopped())

    async def _unfenced(self) -> str:
        """Give the applications back what they had.

        Raises:
            ApplicationError: ``Superseded``; another run may have the Lease, and count on the applications being gone.

        """
        target, fenced = self.target, self.state.details.fenced
        if fenced and fenced.applications and all(one.untouched for one in fenced.applications):
            return f"no application of {target.name} was scaled"
        await self.must_be_ours(f"the applications of {target.name} stay as they are")
        order = UnfenceOrder(target=target, run=self.order.run, fenced=fenced)
        back = await step(RegionActivities.unfence, order, posture=undoing(self.order))
        return "; ".join(back) or f"no application of {target.name} was scaled"

    def left_to_start(self) -> tuple[LeftToDo, ...]:
        """Return overlay and pods."""
        overlay = todo(Todo.OVERLAY, f"apply {self.target.settings.overlay} in {self.new}", self.target.name)
        return (overlay, self.left_to_be_ready())

    def left_to_stop(self) -> tuple[LeftToDo, ...]:
        """Return the applications."""
        names = ", ".join(self.target.settings.applications)
        return (todo(Todo.SCALE, f"scale {names} in {self.old} to zero", self.target.name),) if names else ()

    def not_stopped(self) -> tuple[LeftToDo, ...]:
        """Return what may go on in the region that is left."""
        fenced = self.state.details.fenced
        return tuple(
            todo(Todo.SCALE, f"scale {one.name} in {self.old} to zero once it answers: {one.error}", self.old)
            for one in (fenced.applications if fenced else ())
            if one.error
        )
