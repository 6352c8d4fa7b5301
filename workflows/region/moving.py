"""A region is fenced, and its databases are promoted elsewhere: up to the point of no return, and past it."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.region.failover_models import (
    DatabaseMove,
    DatabaseMoved,
    RegionDetails,
    RegionOrder,
    RegionPlan,
    UnfenceOrder,
)
from activities.region.failover_steps import RegionActivities
from activities.region.lease import LeaseActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.todo import LeftToDo, Todo, todo
from activities.run.postures import COMPENSATE, FORWARD, Posture, lasting
from estate.regions import RegionTarget
from workflows.region.children import database_child, run_child
from workflows.region.keeping import Clock
from workflows.region.models import RegionFailoverRequest, flexible_lock_id
from workflows.run import outcome
from workflows.run.controlling import held_back
from workflows.run.phases import Phase
from workflows.run.saga import Saga
from workflows.run.state import RunState
from workflows.run.steps import step
from workflows.run.uncancellable import uncancellable

_ATTEMPT = timedelta(minutes=1)
_GRAVE = {Refusal.STRANDED.value, Refusal.ROLLBACK_INCOMPLETE.value}
_KNOWN = {one.value for one in Refusal} - _GRAVE


def left_of(target: RegionTarget, plan: RegionPlan) -> tuple[LeftToDo, ...]:
    """Return all that is to be done from the first promotion on."""
    there = target.settings.to
    checks = target.settings.checks
    return (
        *(
            todo(Todo.PROMOTE, f"promote: {one.server} leads {one.name} (failover report {one.name})", one.name)
            for one in plan.databases
            if not one.already
        ),
        todo(Todo.OVERLAY, f"apply {target.settings.overlay} in {there}", target.name),
        todo(Todo.READY, f"pods {target.settings.ready.selector} in {there} are Ready", target.name),
        *(todo(Todo.TRAFFIC, f"traffic {one} leads to {there}", one) for one in plan.traffic),
        *((todo(Todo.CHECK, f"{checks.url} answers", target.name),) if checks else ()),
    )


async def hold(order: RegionOrder, state: RunState[RegionDetails]) -> None:
    """Renew the Lease before a change; past the point of no return patiently. ActivityError: another run has it."""
    await step(LeaseActivities.hold, order, posture=_patiently(order, state))


def _patiently(order: RegionOrder, state: RunState[RegionDetails]) -> Posture | None:
    """Return how long to insist past the point of no return; ``None``: before it, as the step itself says."""
    return lasting(FORWARD, attempt=_ATTEMPT, within=order.target.settings.patience) if state.forward_only else None


class Moving:
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

    @property
    def has_begun(self) -> bool:
        """Whether a database leads in the surviving region already: there is no way back."""
        return any(one.already for one in self._plan.databases)

    async def move(self, saga: Saga) -> None:
        """Fence, then promote. What is done before the first promotion is undone by ``saga``."""
        if self.has_begun:
            self._forward()
        await self._fenced(saga)
        self._state.control.costs = f"clients are not served before the traffic leads to {self._target.settings.to}"
        for one in self._plan.databases:
            if one.already:
                self._note(DatabaseMoved(name=one.name, words=f"{one.server} led already"))
            elif self._state.forward_only:
                await uncancellable(self._promoted(one))
            else:
                await self._promoted(one)

    async def _fenced(self, saga: Saga) -> None:
        state, target = self._state, self._target
        names = ", ".join(target.settings.applications)
        if not names:
            return
        left = todo(Todo.SCALE, f"scale {names} in {target.name} back: kubectl scale deployment", target.name)
        await held_back(state)
        saga.on_failure(self._unfenced, f"scale {names} in {target.name} back", left)
        state.enter(Phase.FENCING, self._clock.told(f"{names} in {target.name}"))
        state.details.fenced = await step(RegionActivities.fence, self._order, posture=_patiently(self._order, state))
        if state.forward_only:
            state.left_to_do = (*state.left_to_do, *self._not_fenced())

    def _not_fenced(self) -> tuple[LeftToDo, ...]:
        """Return what may go on in the lost region."""
        fenced, name = self._state.details.fenced, self._target.name
        return tuple(
            todo(Todo.SCALE, f"scale {one.name} in {name} to zero once it answers: {one.error}", name)
            for one in (fenced.applications if fenced else ())
            if one.error
        )

    async def _unfenced(self) -> str:
        """Give the applications back what they had.

        Raises:
            ApplicationError: ``Superseded``; another run may have the Lease, and count on the applications being gone.

        """
        target, fenced = self._target, self._state.details.fenced
        if fenced and fenced.applications and all(one.untouched for one in fenced.applications):
            return f"no application of {target.name} was scaled"
        try:
            await step(LeaseActivities.hold, self._order)
        except FailureError as error:
            kind, words = outcome.cause_of(error)
            if kind == Refusal.SUPERSEDED:
                stay = f"the applications of {target.name} stay as they are: {words}; scale them once that run has ended"
                raise refuse(Refusal.SUPERSEDED, f"{stay} and has promoted nothing") from error
            workflow.logger.warning("The Lease was not looked at", exc_info=error)
        order = UnfenceOrder(target=target, run=self._order.run, fenced=fenced)
        posture = lasting(COMPENSATE, attempt=_ATTEMPT, within=target.settings.patience)
        back = await step(RegionActivities.unfence, order, posture=posture)
        return "; ".join(back) or f"no application of {target.name} was scaled"

    async def _promoted(self, move: DatabaseMove) -> None:
        """Have the database's own run promote its server.

        Raises:
            ApplicationError: ``Stranded``; nobody knows that nothing was promoted, or another one was promoted before.

        """
        state = self._state
        await held_back(state)
        await hold(self._order, state)
        state.enter(Phase.PROMOTING, self._clock.told(f"{move.server} (failover status {move.name})"))
        try:
            ended = await run_child(database_child(self._asked, move), state.votes)
        except FailureError as error:
            kind, words = outcome.cause_of(error)
            if not (outcome.was_cancelled(error) or kind in _KNOWN):
                self._forward()
            if state.forward_only:
                raise refuse(Refusal.STRANDED, f"database {move.name}: {words}") from error
            if outcome.was_cancelled(error) and workflow.cancellation_reason() is None:
                raise refuse(Refusal.ROLLED_BACK, f"the run {flexible_lock_id(move.name)} was cancelled") from error
            raise
        self._forward()
        state.done(Todo.PROMOTE, move.name)
        told = ended.explanation if ended else f"{move.server} led already"
        figures = {"outage_seconds": ended.outage_seconds, "lost": ended.lost} if ended else {}
        self._note(DatabaseMoved(name=move.name, words=told, **figures))

    def _note(self, moved: DatabaseMoved) -> None:
        self._state.details.moved = (*self._state.details.moved, moved)

    def _forward(self) -> None:
        """Pass the point of no return, once."""
        state = self._state
        if not state.forward_only:
            state.forward_only, state.left_to_do = True, (*left_of(self._target, self._plan), *self._not_fenced())
