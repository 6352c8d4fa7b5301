"""Work that a cancel must not interrupt: compensation, and everything past the point of no return."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uncancellable(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` to its end, however often the caller is cancelled meanwhile.

    ``asyncio.shield`` alone protects the inner task but not the wait for it: the workflow would close while its
    compensation is still running.
    """
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
        except Exception:  # noqa: BLE001, S110 - raised by result() below
            pass
    return task.result()
