"""A client that measures beside the run: it begins before writes stop and ends when they flow again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.models.measure import Measurement
from workflows.run.outcome import cause_of
from workflows.run.state import RunState
from workflows.run.steps import begin
from workflows.run.uncancellable import uncancellable

R = TypeVar("R")


class Measuring:
    """``async with Measuring(state)``: whatever happens inside, the client ends, and no run fails for its measurement."""

    def __init__(
        self, state: RunState[Any], around: Callable[[Measurement], Measurement] = lambda measured: measured
    ) -> None:
        """Keep what it sees in ``state``; ``around`` narrows it to the outage that the run made."""
        self._state, self._around = state, around
        self._client: workflow.ActivityHandle[Measurement] | None = None

    def begin(self, method: Callable[[Any, R], Awaitable[Measurement]], request: R) -> None:
        """Let the client begin."""
        self._client = begin(method, request)

    async def end(self) -> None:
        """End it and keep what it saw; the second time nothing happens."""
        client, self._client = self._client, None
        if client is None:
            return
        client.cancel()
        try:
            measured = await client
        except (asyncio.CancelledError, FailureError) as error:
            measured = Measurement(note=f"not measured: {cause_of(error)[1]}")
        self._state.measurement = self._around(measured)

    async def __aenter__(self) -> Self:
        """Begin nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the client. A run that a worker forgets ends in another way, and must do nothing more."""
        if error is None or isinstance(error, asyncio.CancelledError | FailureError):
            await uncancellable(self.end())
