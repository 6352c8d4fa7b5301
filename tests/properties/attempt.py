"""One attempt of one step at one worker, which can die, freeze, and wake up too late."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError, FailureError, TimeoutError, TimeoutType  # noqa: A004
from temporalio.testing import ActivityEnvironment

from activities.run import heartbeat

_HEARTBEAT_SECONDS = 1.5
ASKED = activity.ActivityCancellationDetails(cancel_requested=True)
ENDED = activity.ActivityCancellationDetails(not_found=True)
_SHUT_DOWN = activity.ActivityCancellationDetails(worker_shutdown=True)

current_attempt: ContextVar[Attempt | None] = ContextVar("current attempt", default=None)
"""On whose behalf a client is called: a frozen one goes no further."""


class Attempt:
    """The answer is what the server gets: from the step, or because no heartbeat came."""

    def __init__(  # noqa: PLR0913, PLR0917 - an attempt is all of these
        self, name: str, run: object, step: Callable[..., Any], argument: Any, number: int, details: Sequence[Any]
    ) -> None:
        self.name, self.run = name, run
        self.answered = asyncio.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.thawed = asyncio.Event()
        self.thawed.set()
        self._silent = False
        self._lost: asyncio.TimerHandle | None = None
        self._awaited: activity.ActivityCancellationDetails | None = None
        self._token = f"{name}/{id(self)}".encode()
        self._environment = ActivityEnvironment()
        self._environment.info = dataclasses.replace(
            self._environment.info, activity_type=name, attempt=number, heartbeat_details=details, task_token=self._token
        )
        self.details: Sequence[Any] = ()
        """What its heartbeats carried last."""
        self.task = asyncio.create_task(self._work(step, argument))

    async def _work(self, step: Callable[..., Any], argument: Any) -> None:
        current_attempt.set(self)
        result, error = None, None
        try:
            result = await self._environment.run(step, argument)
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001 - whatever it is, it is the answer
            error = _as_failure(raised)
        await self.thawed.wait()
        if not self._silent:
            self._answer(result, error)

    def _answer(self, result: Any, error: BaseException | None) -> None:
        if not self.answered.is_set():
            self.result, self.error = result, error
            self.details = heartbeat._details.pop(self._token, ())
            self.answered.set()

    def give_up(self) -> None:
        """Let the server wait no longer."""
        self._answer(None, TimeoutError("no answer", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[]))

    def cancel(self, why: activity.ActivityCancellationDetails) -> None:
        """Let a heartbeat bring a cancel; a frozen worker sends its next one when it is thawed."""
        if self.thawed.is_set():
            self._environment.cancel(why)
        else:
            self._awaited = why

    def kill(self) -> None:
        """End it where it is; the server notices when no heartbeat comes."""
        self._silent = True
        self.thawed.set()
        self._environment.cancel(_SHUT_DOWN)
        self._expect_no_heartbeat()

    def freeze(self) -> None:
        """Let it stand still; the server gives its step to another worker."""
        self.thawed.clear()
        self._expect_no_heartbeat()

    def thaw(self) -> None:
        """Let it go on, in time or too late."""
        self.thawed.set()
        if self._lost is not None and not self._silent:
            self._lost.cancel()
        if self._awaited is not None:
            self.cancel(self._awaited)

    def _expect_no_heartbeat(self) -> None:
        self._lost = asyncio.get_running_loop().call_later(_HEARTBEAT_SECONDS, self.give_up)


def _as_failure(error: BaseException) -> FailureError:
    """Return what a workflow is told of ``error``."""
    if isinstance(error, asyncio.CancelledError):
        return CancelledError()
    if isinstance(error, FailureError):
        return error
    return ApplicationError(str(error), type=type(error).__name__)
