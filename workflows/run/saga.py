"""Compensation: what was done is undone newest first, whatever fails or is cancelled; never a false "undone"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from temporalio.exceptions import FailureError

from activities.run.errors import Refusal, refuse
from activities.run.models.todo import LeftToDo
from workflows.run.outcome import cause_of
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.uncancellable import uncancellable

T = TypeVar("T")


async def compensated(
    state: RunState[Any],
    error: BaseException,
    undo: Awaitable[T],
    left: LeftToDo,
    kind: Refusal = Refusal.ROLLBACK_INCOMPLETE,
) -> T:
    """Await ``undo`` of what ``error`` has interrupted.

    Raises:
        ApplicationError: ``kind``; the undo failed too, and ``left`` is what is left to do.

    """
    try:
        return await undo
    except FailureError as failure:
        state.left_to_do = (left,)
        raise refuse(kind, f"{cause_of(error)[1]}; the undo failed: {cause_of(failure)[1]}") from error


class Saga:
    """``async with Saga(state) as saga``: register an undo before each change; past the point of no return none is run."""

    def __init__(self, state: RunState[Any]) -> None:
        """Begin with nothing to undo."""
        self._state = state
        self._undos: list[tuple[Callable[[], Coroutine[Any, Any, str]], LeftToDo]] = []

    def on_failure(self, undo: Callable[[], Coroutine[Any, Any, str]], would: str, left: LeftToDo) -> None:
        """Have ``undo`` run when what follows fails; it returns what was undone. ``would``: what ``status`` says of it."""
        self._undos.append((undo, left))
        self._state.would_undo = (would, *self._state.would_undo)

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Undo after a failure or a cancel. A run that a worker forgets ends in another way, and must do nothing more."""
        if isinstance(error, asyncio.CancelledError | FailureError) and not self._state.forward_only:
            await uncancellable(self._undo(error))

    async def _undo(self, error: BaseException) -> None:
        self._state.phase = Phase.UNDOING
        for undo, left in reversed(self._undos):
            done = await compensated(self._state, error, undo(), left)
            self._state.undone = (*self._state.undone, done)
        self._undos.clear()
