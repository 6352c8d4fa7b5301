"""Run control: the places where a run follows what people have ordered (``workflows.run.controllable``).

    hold -> (the phase that goes on ends) -> stands still before the next one -> release -> goes on
    skip STEP -> a step that goes on is ended, one that is ahead is not begun -> listed as left to do
    force STEP -> a step that goes on is ended and begun again in its ungraceful form

An order alone changes nothing: it is kept in the run's state, and the run looks at it where that is safe. Nothing is
held or skipped in an undo. A run that is held is cancelled as it would have been, goes on where it was after a restart of
its worker, and never goes on unasked: after ``_WARNED_EVERY`` it says so.

A step that is ended by an order has ended before the run goes on: nothing of it overtakes what comes next. One that was done
in that moment counts as done, and the order as too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.declare import declared
from activities.run.models.control import Control
from activities.run.models.todo import LeftToDo
from activities.run.postures import Posture
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import begin, was_nobodys_time

R = TypeVar("R")
T = TypeVar("T")

_WARNED_EVERY = timedelta(hours=4)


async def held_back(state: RunState[Any]) -> bool:
    """Stand still as long as people hold the run; return whether they did.

    Raises:
        CancelledError: the run is cancelled meanwhile, or before; the way back is still open.

    """
    control = state.control
    if not control.stops:
        return False
    began = control.held_since = workflow.now()
    state.enter(Phase.HELD, control.told)
    while control.stops:
        await _released(state, began)
    control.held_since = None
    state.waited_for_people = (*state.waited_for_people, (began, workflow.now()))
    return True


async def _released(state: RunState[Any], began: datetime) -> None:
    """Wait until nobody holds the run, or until it is time to say for how long it has been held."""
    control = state.control
    try:
        await workflow.wait_condition(
            lambda: not control.stops, timeout=_WARNED_EVERY, timeout_summary="held: warn when nobody releases it"
        )
    except TimeoutError:
        hours = int((workflow.now() - began) / timedelta(hours=1))
        state.remark = f"HELD FOR {hours} h: it goes on only when somebody releases it"
    state.explanation = control.told or state.explanation
    state.show()


async def optional_step(  # noqa: PLR0913 - what a step has, and what people may order of it
    state: RunState[Any],
    name: str,
    method: Callable[[Any, R], Awaitable[T]],
    request: R,
    *,
    ungraceful: R | None = None,
    posture: Posture | None = None,
) -> T | None:
    """Take a step that people may skip or force, before it begins or while it goes on; ``None``: it was skipped.

    ``ungraceful``: what it is asked for once it is forced.

    Raises:
        ActivityError: as ``step``.

    """
    control = state.control
    while control.ordered(Control.SKIP, name) is None:
        forced = ungraceful is not None and control.ordered(Control.FORCE, name) is not None
        taken = begin(method, ungraceful if forced and ungraceful is not None else request, posture=posture)
        control.begins(name, taken)
        began = workflow.now()
        try:
            answer = await taken
        except (asyncio.CancelledError, FailureError) as error:
            again = control.ends(name) or was_nobodys_time(error, began, posture or declared(method).posture)
            if not again or _is_cancelled(state):
                raise
            continue
        control.ends(name)
        control.over(name, Control.FORCE if forced else None)
        return answer
    control.over(name, Control.SKIP)
    return None


def _is_cancelled(state: RunState[Any]) -> bool:
    """Whether the run itself is to end, and the way back is open."""
    return workflow.cancellation_reason() is not None and not state.forward_only


async def optional_run(state: RunState[Any], name: str, work: Coroutine[Any, Any, T]) -> T | None:
    """Await a run that this one has begun, until people skip it; ``None``: they did, and that run goes on alone."""
    control = state.control
    running = asyncio.create_task(work)
    left = asyncio.get_running_loop().create_future()
    control.begins(name, left)
    await workflow.wait([running, left], return_when=asyncio.FIRST_COMPLETED)
    control.ends(name)
    if not running.done():
        running.add_done_callback(lambda task: task.cancelled() or task.exception())
        control.over(name, Control.SKIP)
        return None
    control.over(name)
    return running.result()


def leave_out(state: RunState[Any], what: Control, step: str, left: LeftToDo) -> None:
    """List what a skipped or forced step leaves to do, by whom and why; in place of what was listed of it already."""
    entry = state.control.ordered(what, step)
    if entry is None:
        return
    told = left.model_copy(update={"message": f"{left.message} ({what.done} {entry.why})"})
    same = {(one.kind, one.subject) == (left.kind, left.subject): one for one in state.left_to_do}.get(True)
    before = state.left_to_do
    state.left_to_do = tuple(told if one is same else one for one in before) if same else (*before, told)
    state.control.left_out = (*state.control.left_out, f"{step} {what.done} {entry.why}")
