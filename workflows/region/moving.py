r"""A region's application and its databases move: up to the point of no return, and past it.

    planned:  start the new region's application  ! databases -> traffic -> check -> stop the old region's application
    forced:   stop the old one's, as far as it can be reached  ! databases -> start the new one's -> traffic -> check

A planned move keeps serving: until traffic has moved, the old region's application writes through the endpoint, which leads
to the new primary. Of a lost region nobody knows what still runs there: it is fenced before anything is promoted.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.region.failover_models import (
    CheckOrder,
    DatabaseMove,
    DatabaseMoved,
)
from activities.region.failover_steps import RegionActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.control import Control
from activities.run.models.todo import LeftToDo, Todo, kinds_of, todo
from workflows.region.children import database_child, traffic_child
from workflows.region.models import RegionMove, flexible_lock_id
from workflows.region.plan_lines import moved_lines
from workflows.region.way import MARGIN, Way, hold, within
from workflows.run import outcome
from workflows.run.child_runs import run_child
from workflows.run.controlling import held_back, leave_out, optional_run, optional_step
from workflows.run.phases import Phase
from workflows.run.saga import Saga
from workflows.run.uncancellable import uncancellable

_ASKED_AGAIN = timedelta(seconds=2)
_GRAVE = {Refusal.STRANDED.value, Refusal.ROLLBACK_INCOMPLETE.value}
_KNOWN = {one.value for one in Refusal} - _GRAVE


class Moving:
    """Of one run. ``starts_first``: the new region's application is started before anything is promoted."""

    def __init__(self, asked: RegionMove, way: Way, *, starts_first: bool) -> None:
        """Write to the state of ``way`` what is done."""
        self._asked, self._way, self._starts_first = asked, way, starts_first
        self._state, self._plan, self._order, self._target = way.state, way.plan, way.order, way.target
        self._started = self._stopped = False

    @property
    def has_begun(self) -> bool:
        """Whether a database leads in the new region already: there is no way back."""
        return any(one.already for one in self._plan.databases)

    async def move(self, saga: Saga) -> None:
        """Do what comes before the promotions, and these. What is done before the first is undone by ``saga``."""
        if self.has_begun:
            self._forward()
        await (self._start(saga) if self._starts_first else self._stop(saga))
        if not self._starts_first:
            self._state.control.costs = f"clients are not served before the traffic leads to {self._way.new}"
        for one in self._plan.databases:
            if one.already:
                self._note(DatabaseMoved(name=one.name, words=f"{one.server} led already"))
            elif self._state.forward_only:
                await uncancellable(self._promoted(one))
            else:
                await self._promoted(one)

    async def serve(self, saga: Saga) -> None:
        """Do all that is left, in order. ApplicationError or ActivityError: what could not be done.

        Where people have skipped a traffic entry, the old region's application is not stopped: clients may need it.
        """
        if not self._started:
            await self._start(saga)
        await self._led()
        await self._checked()
        if not self._stopped and Todo.TRAFFIC not in kinds_of(self._state.left_to_do):
            await self._stop(saga)

    async def _start(self, saga: Saga) -> None:
        await self._way.start(saga)
        self._started = True

    async def _stop(self, saga: Saga) -> None:
        await self._way.stop(saga)
        self._stopped = True

    async def _promoted(self, move: DatabaseMove) -> None:
        """Have the database's own run promote its server.

        Raises:
            ApplicationError: ``Stranded``; nobody knows that nothing was promoted, or another one was promoted before.

        """
        state = self._state
        await held_back(state)
        await hold(self._order, state)
        state.enter(Phase.PROMOTING, self._way.clock.told(f"{move.server} (failover status {move.name})"))
        try:
            ended = await run_child(database_child(self._asked, move), state.votes)
        except FailureError as error:
            kind, words = outcome.cause_of(error)
            untouched = outcome.was_cancelled(error) or kind in _KNOWN
            if not untouched:
                self._forward()
            if state.forward_only:
                words = f"database {move.name}: {words}{self._apart(move, untouched=untouched)}"
                raise refuse(Refusal.STRANDED, words) from error
            if outcome.was_cancelled(error) and workflow.cancellation_reason() is None:
                raise refuse(Refusal.ROLLED_BACK, f"the run {flexible_lock_id(move.name)} was cancelled") from error
            raise
        self._forward()
        state.done(Todo.PROMOTE, move.name)
        told = ended.explanation if ended else f"{move.server} led already"
        figures = ended.model_dump(include={"outage_seconds", "lost", "complete_until"}) if ended else {}
        self._note(DatabaseMoved(name=move.name, words=told, **figures))

    def _apart(self, failed: DatabaseMove, *, untouched: bool) -> str:
        """Return which databases lead in the new region and which do not, to be read behind why one of them failed."""
        known = {one.name for one in self._state.details.moved}
        told = moved_lines(self._plan.databases, known, "" if untouched else failed.name, self._way.new)
        again = f"failover start {workflow.info().workflow_type} {self._target.name} with the same options"
        return f"{told}; no traffic was led: correct {failed.name}, then {again}" if told else ""

    def _note(self, moved: DatabaseMoved) -> None:
        self._state.details.moved = (*self._state.details.moved, moved)

    def _forward(self) -> None:
        """Pass the point of no return, once."""
        state = self._state
        if not state.forward_only:
            state.forward_only, state.left_to_do = True, self._left()
            self._way.passed()

    def _left(self) -> tuple[LeftToDo, ...]:
        """Return all that is to be done from the first promotion on."""
        way, checks = self._way, self._target.settings.checks
        return (
            *(
                todo(Todo.PROMOTE, f"promote: {one.server} leads {one.name} (failover report {one.name})", one.name)
                for one in self._plan.databases
                if not one.already
            ),
            *(() if self._started else way.left_to_start()),
            *(todo(Todo.TRAFFIC, f"traffic {one} leads to {way.new}", one) for one in self._plan.traffic),
            *((todo(Todo.CHECK, f"{checks.url} answers", self._target.name),) if checks else ()),
            *(way.not_stopped() if self._stopped else way.left_to_stop() if self._starts_first else ()),
        )

    async def _led(self) -> None:
        """Lead every traffic entry there; one that fails does not keep the others back."""
        state, failed = self._state, list[str]()
        for name in self._plan.traffic:
            await held_back(state)
            if not self._is_skipped(name):
                await hold(self._order, state)
                state.enter(Phase.ROUTING, self._way.clock.told(f"traffic {name}"))
                try:
                    await self._led_one(name)
                except FailureError as error:
                    failed.append(f"traffic {name}: {outcome.cause_of(error)[1]}")
        state.control.costs = ""
        if failed:
            raise refuse(Refusal.STRANDED, "; ".join(failed))

    async def _led_one(self, name: str) -> None:
        """Have the entry's own run lead it there; one that people skip goes on alone."""
        state, child = self._state, self._led_once_healthy(name)
        if workflow.patched("traffic-may-be-skipped"):
            ended = await optional_run(state, f"traffic/{name}", child)
            if self._is_skipped(name, f"; its own run goes on: failover status {name}"):
                return
        else:
            ended = await child
        told = ended.explanation if ended else "it led there already"
        state.details.traffic = (*state.details.traffic, f"{name}: {told}")
        state.done(Todo.TRAFFIC, name)

    async def _led_once_healthy(self, name: str) -> outcome.Summary | None:
        """Have the entry led there. Pods that are Ready may take seconds to be reached: such a refusal is asked again."""
        until = workflow.now() + self._target.settings.patience
        while True:
            try:
                return await run_child(traffic_child(self._asked, self._way.new, name), self._state.votes)
            except FailureError as error:
                kind, words = outcome.cause_of(error)
                if kind != Refusal.NOT_WHOLE or workflow.now() >= until:
                    raise
                self._state.remark = words
                self._state.show()
                await workflow.sleep(_ASKED_AGAIN, summary=words[:200])

    def _is_skipped(self, name: str, more: str = "") -> bool:
        """Whether people skip a traffic entry; it is then listed as left to do."""
        state, step_ = self._state, f"traffic/{name}"
        skipped = state.control.ordered(Control.SKIP, step_) is not None
        if skipped:
            state.control.over(step_, Control.SKIP)
            left = todo(Todo.TRAFFIC, f"traffic {name} leads to {self._way.new}{more}", name)
            leave_out(state, Control.SKIP, step_, left)
        return skipped

    async def _checked(self) -> None:
        state, settings = self._state, self._target.settings
        if settings.checks is None:
            return
        await held_back(state)
        state.enter(Phase.VERIFYING, self._way.clock.told(settings.checks.url))
        order = CheckOrder(target=self._target, run=self._order.run, until=workflow.now() + settings.patience)
        posture = within(settings.patience + MARGIN)
        checked = await optional_step(state, "check", RegionActivities.check_application, order, posture=posture)
        state.details.checked = checked
        if checked is None:
            leave_out(state, Control.SKIP, "check", todo(Todo.CHECK, f"{settings.checks.url} answers", self._target.name))
            return
        if not checked.fine:
            bad = "; ".join(f"{one.what}: {one.words}" for one in checked.answers if not one.fine)
            raise refuse(Refusal.STRANDED, f"{settings.checks.url} does not answer as it should: {bad}")
        state.done(Todo.CHECK)
