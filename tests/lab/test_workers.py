"""A worker is killed with -9 after each step of a planned failover, while another one is there.

All steps belong to ``./run matrix``; the one before the point of no return is tried every time.
"""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from activities.models.report import Outcome
from deploy.lab.breaking import kill_processes
from deploy.lab.switching import Handle, approve, ending, start
from tests.lab.conftest import Platform

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

_ALWAYS = {"postgres.fence"}
_STEPS = (
    "estate.resolve", "postgres.settle", "postgres.survey", "postgres.checkpoint", "postgres.claim",
    "kubernetes.await_quiet", "postgres.fence", "postgres.promote", "postgres.route", "postgres.verify",
    "kubernetes.reconnect", "postgres.finish",
)  # fmt: skip


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=[] if step in _ALWAYS else [pytest.mark.matrix]) for step in _STEPS]
)
async def test_the_run_goes_on_within_three_seconds(platform: Platform, step: str) -> None:
    leader = platform.standby
    handle = await start(platform.client)
    approving = asyncio.create_task(approve(handle, within=60))
    resumed = await _kill_after(platform, handle, step)
    await approving
    facts = await ending(handle)
    await platform.fresh_pods()
    print(f"killed after {step}: resumed in {resumed:.2f} s")
    assert facts.outcome is Outcome.COMPLETED
    assert platform.leader == leader
    assert resumed <= 3


async def _kill_after(platform: Platform, handle: Handle, step: str) -> float:
    """Kill the worker that did ``step`` when it is done; return the seconds until another one does something."""
    scheduled, killed, at = 0, "", 0.0
    async for event in handle.fetch_history_events(wait_new_event=True):
        if _names(event, step):
            scheduled = event.event_id
        if not killed and event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            if done.scheduled_event_id == scheduled:
                killed = done.identity.partition("@")[2]
                await asyncio.to_thread(kill_processes, platform.lab, platform.binaries, killed, signal.SIGKILL)
                at = time.time()
        elif killed and event.event_type in _BEGINNINGS:
            after = event.event_time.ToDatetime(UTC).timestamp() - at
            # The killed pod comes back within a second or two, under its old name: what begins later is done by the living.
            if after >= 0 or killed not in str(event):
                return max(after, 0.0)
    return 0.0


_BEGINNINGS = {EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED}


def _names(event: HistoryEvent, step: str) -> bool:
    return event.activity_task_scheduled_event_attributes.activity_type.name == step
