"""Waiting for a moment in a run, by its history."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.api.enums.v1 import EventType

from deploy.lab.patience import stretched
from deploy.lab.switching import Handle
from deploy.lab.switching import facts as facts_of_run


async def completed(handle: Handle, step: str, *, within: float = 180) -> str:
    """Return once ``step`` is done: the pod of the worker that did it. TimeoutError: not ``within`` so many seconds."""
    async with asyncio.timeout(stretched(within)):
        return await _completed(handle, step)


async def _completed(handle: Handle, step: str) -> str:
    scheduled = 0
    async for event in handle.fetch_history_events(wait_new_event=True):
        if event.activity_task_scheduled_event_attributes.activity_type.name == step:
            scheduled = event.event_id
        done = event.activity_task_completed_event_attributes
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED and done.scheduled_event_id == scheduled:
            return done.identity.partition("@")[2]
    pytest.fail(f"the run ended before {step}: {(await facts_of_run(handle)).reason}")
