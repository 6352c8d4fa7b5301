"""The items of one gate of one run: looked at by steps, said by people, waited for. The rules are in ``checklists``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.checks import Checkable, ChecklistActivities, LookRequest
from activities.run.errors import Refusal, refuse
from activities.run.models.checks import CheckEntry, CheckState, Looked, holding
from activities.run.models.control import Control
from activities.run.models.todo import Todo, todo
from activities.run.postures import READ, lasting
from estate.base import Target
from estate.checklists import Checklist, Gate, item_of
from workflows.run.control import Leeway
from workflows.run.outcome import cause_of, was_cancelled
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import step

STEP = "checklist"
_LEEWAY = Leeway(STEP, skip="the run goes on although this item is not done", of_each="KEY")
_AGAIN, _SELDOM = timedelta(seconds=30), timedelta(minutes=5)
"""Between two looks at what is not done; where the wait is long: a history has room for 50,000 events."""
_FRESH = timedelta(minutes=10)
_MARGIN = timedelta(seconds=10)
"""More than a look needs for itself."""


class Listed:
    """The items of one gate of one run."""

    def __init__(self, state: RunState[Any], target: Target, gate: Gate) -> None:
        """Take the lists that the estate has for this run; nothing is looked at yet."""
        self._state, self._target, self._gate = state, target, gate
        self._procedure = workflow.info().workflow_type
        self._lists = _lists(target, self._procedure, state.mode)
        self._opened_at = workflow.now()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look at."""
        return not any(one.items(self._gate) for one in self._lists)

    def open(self) -> None:
        """Show the items, and let people say and skip them."""
        state, control = self._state, self._state.control
        state.checks += tuple(
            CheckEntry(gate=self._gate, key=one.key, title=one.title, kind=one.kind, mandatory=one.mandatory)
            for checklist in self._lists
            for one in checklist.items(self._gate)
        )
        state.checking = self._gate
        if _LEEWAY not in control.declared:
            control.declared = (*control.declared, _LEEWAY)
        control.offer(STEP, (one.key for one in self._own if one.mandatory))
        state.show()

    def close(self) -> None:
        """Let nobody say or skip anything more."""
        self._state.checking = None
        for one in self._own:
            self._state.control.over(f"{STEP}/{one.key}", Control.SKIP if one.state is CheckState.SKIPPED else None)

    @property
    def _own(self) -> tuple[CheckEntry, ...]:
        return tuple(one for one in self._state.checks if one.gate is self._gate)

    @property
    def holding(self) -> tuple[CheckEntry, ...]:
        """The items that the run waits for. Orders of people count from here on."""
        for one in self._own:
            order = self._state.control.ordered(Control.SKIP, f"{STEP}/{one.key}")
            if order is not None and one.state not in {CheckState.SKIPPED, CheckState.DONE}:
                update = {"state": CheckState.SKIPPED, "by": order.by, "note": order.reason, "at": order.at}
                self._state.keep_check(one.model_copy(update={**update, "signed_with": order.key}))
        return holding(self._state.checks, self._gate)

    async def look(self, *, all_: bool = False) -> None:
        """Look at what holds the run, and at what was seen long ago; ``all_``: at every item that steps look at."""
        due = [one for one in self._own if not one.human and (all_ or (one.mandatory and self._is_due(one)))]
        await asyncio.gather(*map(self._look, due))

    def _is_due(self, entry: CheckEntry) -> bool:
        if entry.state is CheckState.SKIPPED:
            return False
        return entry.state is not CheckState.DONE or self._is_old(entry)

    @staticmethod
    def _is_old(entry: CheckEntry) -> bool:
        return not entry.human and entry.at is not None and workflow.now() - entry.at > _FRESH

    @property
    def _stale(self) -> bool:
        return any(one.mandatory and one.state is CheckState.DONE and self._is_old(one) for one in self._own)

    async def _look(self, entry: CheckEntry) -> None:
        """Look at one item. Whatever goes wrong is what was seen of it."""
        request = LookRequest(target=cast("Checkable", self._target), procedure=self._procedure, key=entry.key)
        item = item_of(self._target.checklists, self._procedure, entry.key)
        within = getattr(item, "within", timedelta(0)) + _MARGIN
        try:
            looked = await step(ChecklistActivities.look, request, posture=lasting(READ, attempt=within, within=2 * within))
        except FailureError as error:
            if was_cancelled(error) and self._gate is Gate.BEFORE:
                raise
            looked = Looked(met=None, source="", seen=(cause_of(error)[1],), at=workflow.now())
        now = next(one for one in self._own if one.key == entry.key)  # people may have skipped it meanwhile
        if now.state is not CheckState.SKIPPED:
            self._state.keep_check(now.after(looked))
            self._state.show()

    async def passed(self, first: asyncio.Task[None]) -> bool:
        """Return once nothing mandatory is open; whether that took a wait, after which nothing surveyed counts any more.

        Raises:
            ApplicationError: ``ChecklistOpen`` or ``Withdrawn``; nothing was changed.
            CancelledError: the run is cancelled meanwhile.

        """
        state, began, waited = self._state, workflow.now(), not first.done()
        await first
        await self.look()
        if not self.holding:
            return waited
        while self.holding or self._stale:
            state.enter(Phase.CHECKING, _waits_for(self.holding))
            if not await self._until(lambda: not self.holding or state.is_withdrawn, self._ends(began)):
                raise self._refused()
            if state.is_withdrawn:
                raise refuse(Refusal.WITHDRAWN, f"withdrawn by detection: {state.withdrawn}; nothing was changed")
            await self.look()
        state.waited_for_people = (*state.waited_for_people, (began, workflow.now()))
        return True

    async def _until(self, holds: Callable[[], bool], ends: datetime) -> bool:
        """Wait until ``holds``, looking again meanwhile; whether that was before ``ends``."""
        while not holds():
            left = ends - workflow.now()
            if left <= timedelta(0):
                return False
            with suppress(TimeoutError):
                pause = min(left, max(_AGAIN, min(_SELDOM, (workflow.now() - self._opened_at) / 10)))
                await workflow.wait_condition(holds, timeout=pause, timeout_summary="look at the checklist again")
                return True
            await self.look()
        return True

    def _ends(self, began: datetime) -> datetime:
        """Return until when the run waits: as the list says that has most patience."""
        after = self._gate is Gate.AFTER
        return began + max(one.after_within if after else one.before_within for one in self._lists if one.items(self._gate))

    def _refused(self) -> Exception:
        name = self._state.request.target if self._state.request else "TARGET"
        told = "; ".join(one.told() for one in self.holding)
        return refuse(Refusal.CHECKLIST_OPEN, f"checklist: {told}; nothing was changed: failover attest {name} --item KEY")

    async def reviewed(self) -> str:
        """Wait for what is open after all has succeeded; return what to say of it. Raises nothing, undoes nothing.

        A cancel ends the wait, and so does the list's time.
        """
        state, began = self._state, workflow.now()
        state.enter(Phase.REVIEWING, "all is done but the checklist")
        await self.look(all_=True)
        ends = self._ends(began)
        while self.holding:
            state.enter(Phase.REVIEWING, f"all is done; {_waits_for(self.holding)}")
            over = await self._until(lambda: not self.holding or _is_cancelled(), ends)
            if not over or _is_cancelled():
                break
        state.waited_for_people = (*state.waited_for_people, (began, workflow.now()))
        return self.listed()

    def listed(self) -> str:
        """List what is open as left to do; return how many, to be read behind how the run has ended."""
        left = self.holding
        self._state.left_to_do += tuple(todo(Todo.CHECKLIST, f"checklist: {one.told()}", one.key) for one in left)
        return f"; {len(left)} of the checklist not done: {', '.join(one.key for one in left)}" if left else ""


def _lists(target: Target, procedure: str, mode: str) -> tuple[Checklist, ...]:
    found = (one for _, one in sorted(target.checklists.items()))
    return tuple(one for one in found if one.is_for(procedure, mode if mode in {"planned", "forced"} else ""))


def _waits_for(items: tuple[CheckEntry, ...]) -> str:
    return f"waits for {', '.join(one.key for one in items)} of the checklist" if items else "looks at the checklist again"


def _is_cancelled() -> bool:
    return workflow.cancellation_reason() is not None
