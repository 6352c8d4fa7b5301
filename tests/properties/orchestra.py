"""A Temporal in one event loop: runs the product's own workflows and steps, on any clock, and lets a test harm them.

What it keeps to: a step is tried again as its posture says; a cancel reaches a running step with the next heartbeat, and the
run waits for its answer; a worker that dies or freezes is noticed after the heartbeat timeout, and its step is given to
another one, while the frozen one goes on whenever it is thawed; a terminated run never takes another decision. It has no
history: replay is tested elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

from tests.properties.attempt import ASKED, ENDED, Attempt

_EPOCH_SECONDS = 1_700_000_000
_LOOK_AGAIN_SECONDS = 0.01
_BEAT_SECONDS = 0.3
_current: ContextVar[Run] = ContextVar("current run")


class TerminatedError(BaseException):
    """The run takes no further decision."""


@dataclass(eq=False)
class Run:
    """One run of one workflow."""

    workflow_id: str
    run_id: str
    workflow_type: str
    parent: None = None
    """No watch has begun it."""
    cancel_reason: str | None = None
    terminated: bool = False
    task: asyncio.Task[Any] | None = None
    instance: Any = None

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return not self.terminated and self.task is not None and not self.task.done()

    @property
    def ending(self) -> str:
        """How it ended: an outcome, or ``terminated``."""
        if self.terminated:
            return "terminated"
        outcome = self.instance.state.outcome
        if outcome is None and self.task is not None:
            self.task.result()
        return str(outcome)


class Orchestra:
    """The server, and all its workers."""

    def __init__(self, steps: list[Callable[..., Any]]) -> None:
        self._steps = {activity._Definition.must_from_callable(step).name: step for step in steps}
        self.attempts: list[Attempt] = []
        self.runs: list[Run] = []
        workflow._Runtime.set_on_loop(asyncio.get_running_loop(), cast("Any", self))

    def start(self, kind: type, request: dict[str, Any], workflow_id: str) -> Run:
        """Start a workflow; one with the same ID must be closed."""
        assert not any(run.is_open and run.workflow_id == workflow_id for run in self.runs)
        run = Run(workflow_id, f"run-{len(self.runs) + 1}", kind.__name__)
        self.runs.append(run)
        run.task = asyncio.create_task(self._play(run, kind, request))
        run.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return run

    async def _play(self, run: Run, kind: type, request: dict[str, Any]) -> Any:
        _current.set(run)
        run.instance = kind(request)
        return await run.instance.run(request)

    def cancel(self, run: Run) -> None:
        """Ask the run to end."""
        if run.is_open and run.cancel_reason is None and run.task is not None:
            run.cancel_reason = ""
            run.task.cancel()

    def terminate(self, run: Run) -> None:
        """End the run at once; its steps learn that with their next heartbeat."""
        run.terminated = True
        for attempt in self.attempts:
            if attempt.run is run:
                asyncio.get_running_loop().call_later(_BEAT_SECONDS, attempt.cancel, ENDED)

    async def _step(self, run: Run, name: str, argument: Any, patience: dict[str, Any]) -> Any:
        clock, again = asyncio.get_running_loop().time, patience["retry_policy"]
        ends, pause = clock() + patience["schedule_to_close_timeout"].total_seconds(), again.initial_interval
        details: Sequence[Any] = ()
        for number in count(1):
            attempt = Attempt(name, run, self._steps[name], argument, number, details)
            self.attempts.append(attempt)
            asked = await _answered(attempt, min(patience["start_to_close_timeout"].total_seconds(), ends - clock()))
            self.attempts.remove(attempt)
            error = attempt.error
            if error is None:
                return attempt.result
            delay = getattr(error, "next_retry_delay", None) or pause
            final = isinstance(error, ApplicationError) and error.non_retryable
            if final or asked or clock() + delay.total_seconds() > ends or isinstance(error, CancelledError):
                raise _failed(name) from error
            try:
                await asyncio.sleep(delay.total_seconds())
            except asyncio.CancelledError:
                raise _failed(name) from CancelledError()
            pause, details = min(pause * again.backoff_coefficient, again.maximum_interval), attempt.details
        raise AssertionError

    # What follows is what ``temporalio.workflow`` asks its runtime for.

    def workflow_info(self) -> Any:
        return _current.get()

    def workflow_patch(self, *_: Any, **__: Any) -> bool:
        return True

    def workflow_memo_value(self, _: str, default: Any, **__: Any) -> Any:
        return default

    def workflow_is_replaying_history_events(self) -> bool:
        """Say yes, so that nothing is logged."""
        return True

    def workflow_time_ns(self) -> int:
        return int((_EPOCH_SECONDS + asyncio.get_running_loop().time()) * 1e9)

    def workflow_cancellation_reason(self) -> str | None:
        return _current.get().cancel_reason

    def workflow_upsert_search_attributes(self, *_: Any, **__: Any) -> None:
        _must_go_on()

    def workflow_set_current_details(self, details: str) -> None:
        """Show nobody."""

    def workflow_all_handlers_finished(self) -> bool:
        return True

    def workflow_start_activity(self, step: Any, argument: Any, **patience: Any) -> asyncio.Task[Any]:
        _must_go_on()
        name = activity._Definition.must_from_callable(step).name
        return asyncio.create_task(self._step(_current.get(), str(name), argument, patience))

    async def workflow_sleep(self, duration: float, **_: Any) -> None:
        await asyncio.sleep(duration)
        _must_go_on()

    async def workflow_wait_condition(self, holds: Callable[[], bool], timeout: float | None = None, **_: Any) -> None:
        ends = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while not holds():
            if ends is not None and asyncio.get_running_loop().time() >= ends:
                raise TimeoutError
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            _must_go_on()


def _must_go_on() -> None:
    if _current.get().terminated:
        raise TerminatedError


async def _answered(attempt: Attempt, seconds: float) -> bool:
    """Wait for the answer; return whether a cancel was asked for meanwhile."""
    asked, loop = False, asyncio.get_running_loop()
    ends = loop.time() + seconds
    while not attempt.answered.is_set():
        try:
            async with asyncio.timeout_at(ends):
                await attempt.answered.wait()
        except TimeoutError:
            attempt.give_up()
        except asyncio.CancelledError:
            asked = True
            loop.call_later(_BEAT_SECONDS, attempt.cancel, ASKED)
    return asked


def _failed(name: str) -> ActivityError:
    return ActivityError(
        "failed", scheduled_event_id=0, started_event_id=0, identity="", activity_type=name, activity_id="", retry_state=None
    )
