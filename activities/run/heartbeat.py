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
    """Send ``details`` with every further beat of this step; its next attempt finds them in ``heartbeat_details``."""
    _details[activity.info().task_token] = details


async def _beat_for_ever() -> None:
    token = activity.info().task_token
    try:
        while True:
            activity.heartbeat(*_details.get(token, ()))
            await asyncio.sleep(_PERIOD_SECONDS)
    finally:
        _details.pop(token, None)
