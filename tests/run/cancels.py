"""A cancel that the workflow itself has heard.

The server answers a cancel before the workflow is told. A step that ends in between reaches the workflow in the same task as
the cancel, and then either may come first: a test that goes on after the server's answer has two endings.
"""

from __future__ import annotations

import asyncio

from temporalio.api.enums.v1 import EventType

from deploy.lab.patience import stretched
from tests.postgres.bench import Handle


async def cancel(handle: Handle) -> None:
    """Cancel a run, and return once its workflow has been told. A worker must serve it."""
    await handle.cancel()
    asked = False
    async with asyncio.timeout(stretched(20)):
        async for event in handle.fetch_history_events(wait_new_event=True):
            asked = asked or event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
            if asked and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                return
