"""The orderly end of a step that is no longer wanted: what comes next must not overtake it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError


async def cancel_and_wait(step: asyncio.Task[Any]) -> None:
    """Cancel ``step`` and wait until it has ended, however it does; one that is over is left as it is."""
    step.cancel()
    with suppress(asyncio.CancelledError, FailureError):
        await step


async def ended(step: asyncio.Task[Any]) -> None:
    """Return once ``step`` has ended by a cancel, or before it. CancelledError: this run is cancelled meanwhile."""
    step.cancel()
    await workflow.wait({step})
