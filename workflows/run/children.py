"""A run that another one has begun is awaited to its end: only that end says what it has changed.

A cancel that comes before Temporal has said that the child has begun makes the SDK raise at once, while the child goes on.
Whoever believed that would undo around a change that is being made. So the beginning is awaited however often the caller is
cancelled; then the cancel is passed on, and the child's own end is the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio.workflow import ChildWorkflowHandle

from activities.run.errors import Refusal, refuse


async def end_of(beginning: Coroutine[Any, Any, ChildWorkflowHandle[Any, Any]]) -> Any:  # noqa: ANN401 - the child's result
    """Await ``beginning``, and then the result of the child; a cancel of the caller cancels the child.

    Raises:
        ChildWorkflowError: it was refused, undone, cancelled or stranded; says why.
        WorkflowAlreadyStartedError: its workflow ID is taken.
        ApplicationError: ``Stranded``; the cancel has hidden how it ended.

    """
    starting, cancelled = asyncio.create_task(beginning), False
    while not starting.done():
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():
                raise
            cancelled = True
        except Exception:  # noqa: BLE001, S110 - raised by result() below
            pass
    child = starting.result()
    if cancelled:
        child.cancel()
    try:
        return await child
    except asyncio.CancelledError:
        raise refuse(Refusal.STRANDED, f"nobody knows how the run {child.id} has ended: look at it") from None
