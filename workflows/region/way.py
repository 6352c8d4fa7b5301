r"""The two ways between two regions: which one's application is started, and which one's is stopped.

    out:   start = overlay applied in the surviving region, pods Ready      stop = applications of the lost one at zero
    back:  start = applications of the first region have their pods again   stop = pilot light applied in the surviving one

What is started before the first promotion is stopped again when the run fails; nothing is led there before that. What is
stopped before it (a lost region is fenced first) is started again. Past the promotion neither is undone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.region.failover_models import ReadyOrder, RegionDetails, RegionOrder, RegionPlan
from activities.region.failover_steps import RegionActivities
from activities.region.lease import LeaseActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.control import Control
from activities.run.models.todo import LeftToDo, Todo, todo
from activities.run.postures import COMPENSATE, FORWARD, Posture, lasting
from workflows.region.keeping import Clock
from workflows.run import outcome
from workflows.run.controlling import held_back, leave_out, optional_step
from workflows.run.phases import Phase
from workflows.run.saga import Saga
from workflows.run.state import RunState
from workflows.run.steps import step

_ATTEMPT = timedelta(minutes=1)
MARGIN = timedelta(minutes=1)
"""What a step that waits until a time gets beyond it."""


def within(span: timedelta) -> Posture:
    """Return how a step insists that may take ``span``."""
    return lasting(FORWARD, attempt=span, within=span)


def within_patience(order: RegionOrder, *, attempt: timedelta) -> Posture:
    """Return how long the estate says to insist, and always long enough for one ``attempt``."""
    return lasting(FORWARD, attempt=attempt, within=max(order.target.settings.patience, attempt))


def undoing(order: RegionOrder) -> Posture:
    """Return how long an undo insists."""
    return lasting(COMPENSATE, attempt=_ATTEMPT, within=order.target.settings.patience)


def patiently(order: RegionOrder, state: RunState[RegionDetails]) -> Posture | None:
    """Return how long to insist past the point of no return; ``None``: before it, as the step itself says."""
    return within_patience(order, attempt=_ATTEMPT) if state.forward_only else None


async def hold(order: RegionOrder, state: RunState[RegionDetails]) -> None:
    """Renew the Lease before a change; past the point of no return patiently. ActivityError: another run has it."""
    await step(LeaseActivities.hold, order, posture=patiently(order, state))


class Way(ABC):
    """Of one run."""

    old: str
    """Region that is left."""
    new: str
    """Region that is to serve."""

    def __init__(self, state: RunState[RegionDetails], plan: RegionPlan, order: RegionOrder, clock: Clock) -> None:
        """Write to ``state`` what is done."""
        self.state, self.plan, self.order, self.clock, self.target = state, plan, order, clock, order.target
        self._later: tuple[Control, LeftToDo] | None = None

    @abstractmethod
    async def start(self, saga: Saga) -> None:
        """Have the application run in the region that is to serve. ApplicationError: its pods are not Ready."""

    @abstractmethod
    async def stop(self, saga: Saga) -> None:
        """Have the application stop in the region that is left."""

    @abstractmethod
    def left_to_start(self) -> tuple[LeftToDo, ...]:
        """Return what ``start`` does."""

    @abstractmethod
    def left_to_stop(self) -> tuple[LeftToDo, ...]:
        """Return what ``stop`` does."""

    @abstractmethod
    def not_stopped(self) -> tuple[LeftToDo, ...]:
        """Return what ``stop`` has not reached."""

    @property
    def preparing(self) -> Phase:
        """The phase in which a region is prepared: a cancel is honoured until something was promoted."""
        return Phase.APPLYING if self.state.forward_only else Phase.PREPARING

    def undo_with(self, saga: Saga, undo: Callable[[], Any], would: str, left: LeftToDo) -> None:
        """Register an undo, while there is a way back."""
        if not self.state.forward_only:
            saga.on_failure(undo, would, left)

    async def must_be_ours(self, stays: str) -> None:
        """Look at the Lease before an undo. ApplicationError: ``Superseded``; another run may count on what was done."""
        try:
            await step(LeaseActivities.hold, self.order)
        except FailureError as error:
            kind, words = outcome.cause_of(error)
            if kind == Refusal.SUPERSEDED:
                told = f"{stays}: {words}; see to them once that run has ended and has promoted nothing"
                raise refuse(Refusal.SUPERSEDED, told) from error
            workflow.logger.warning("The Lease was not looked at", exc_info=error)

    async def ready(self, *, back: bool) -> None:
        """Wait for the pods of the region that is to serve."""
        state, wanted = self.state, self.target.settings.ready
        await held_back(state)
        state.enter(Phase.SETTLING, self.clock.told(f"pods {wanted.selector} in {self.new}"))
        order = ReadyOrder(target=self.target, until=workflow.now() + wanted.within, back=back)
        some, posture = order.model_copy(update={"enough": 1}), within(wanted.within + MARGIN)
        seen = await optional_step(state, "ready", RegionActivities.await_ready, order, ungraceful=some, posture=posture)
        state.details.ready = seen
        left = self.left_to_be_ready()
        if seen is None:
            self._leave_out(Control.SKIP, left)
        elif not seen.words:
            state.done(Todo.READY)
        elif seen.ready and state.control.ordered(Control.FORCE, "ready"):
            self._leave_out(Control.FORCE, left.model_copy(update={"message": f"{left.message}: {seen.words}"}))
        else:
            span = f"{wanted.within.total_seconds():.0f} s"
            kind = Refusal.STRANDED if state.forward_only else Refusal.NOT_WHOLE
            raise refuse(kind, f"the pods in {self.new} are not Ready within {span}: {seen.words}")

    def _leave_out(self, what: Control, left: LeftToDo) -> None:
        """List the pods as left to do; where the way back is open, only once it is not."""
        if self.state.forward_only:
            leave_out(self.state, what, "ready", left)
        else:
            self._later = (what, left)

    def passed(self) -> None:
        """Take note that the way back is closed."""
        if self._later is not None:
            leave_out(self.state, self._later[0], "ready", self._later[1])

    def left_to_be_ready(self) -> LeftToDo:
        """Return the wait for the pods."""
        return todo(Todo.READY, f"pods {self.target.settings.ready.selector} in {self.new} are Ready", self.target.name)
