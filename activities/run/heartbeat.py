"""One heartbeat for every step, so that no step can forget it.

A worker that dies stops beating and its step runs again elsewhere within the heartbeat timeout; a cancel travels back on
the next beat. The beat runs on the worker's event loop: a step that blocks the loop stops beating, which is the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

_PERIOD_SECONDS = 0.3


class Heartbeat(Interceptor):
    """Worker interceptor; give it to every worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - SDK's name
        """Wrap each step."""
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 - SDK's signature
        beat = asyncio.create_task(_beat_for_ever())
        try:
            return await super().execute_activity(input)
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat


_details: dict[bytes, tuple[Any, ...]] = {}


def keep_details(*details: Any) -> None:  # noqa: ANN401 - whatever the step wants back on its next attempt
    """Send ``details`` now and with every further beat of this step; its next attempts find them in ``heartbeat_details``.

    An attempt that keeps nothing leaves what those before it have kept. What a worker that is killed has kept in its last
    1.2 s can be lost: the SDK holds a beat back for 0.8 of the heartbeat's timeout.
    """
    _details[activity.info().task_token] = details
    activity.heartbeat(*details)


async def _beat_for_ever() -> None:
    token, before = activity.info().task_token, activity.info().heartbeat_details
    try:
        while True:
            activity.heartbeat(*_details.get(token, before))  # one without details would make the server forget them
            await asyncio.sleep(_PERIOD_SECONDS)
    finally:
        _details.pop(token, None)
