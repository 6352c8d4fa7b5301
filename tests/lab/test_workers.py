"""A worker is killed with -9 after each step of a planned failover, while another one is there.

All steps belong to ``./run matrix``; the one before the point of no return is tried every time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import UTC

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from activities.run.models.report import Outcome
from deploy.lab.breaking import pids_of
from deploy.lab.patience import stretched
from deploy.lab.switching import Handle, approve, ending, start
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab

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
    pids = {pod: pids_of(platform.lab, platform.binaries, pod) for pod in platform.pods("failover-worker")}
    handle = await start(platform.client)
    async with asyncio.timeout(stretched(120)), asyncio.TaskGroup() as both:
        both.create_task(approve(handle, within=60))
        resumed = await _kill_after(handle, step, pids)
    facts = await ending(handle)
    await platform.fresh_pods()
    print(f"killed after {step}: resumed in {resumed:.2f} s")
    assert facts.outcome is Outcome.COMPLETED
    assert platform.leader == leader
    assert resumed <= 3


async def _kill_after(handle: Handle, step: str, pids: dict[str, list[int]]) -> float:
    """Kill the worker that did ``step`` as soon as it is done; return the seconds until one does something after that.

    ``pids``: of each worker's processes, found before: what is looked up only now would be killed a step later.
    """
    scheduled, killed, at = 0, "", 0.0
    async for event in handle.fetch_history_events(wait_new_event=True):
        if _names(event, step):
            scheduled = event.event_id
        if not killed and event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            if done.scheduled_event_id == scheduled:
                killed = done.identity.partition("@")[2]
                for pid in pids[killed]:
                    os.kill(pid, signal.SIGKILL)
                at = time.time()
        elif killed and event.event_type in _BEGINNINGS:
            after = event.event_time.ToDatetime(UTC).timestamp() - at
            if after >= 0:  # the killed one had begun nothing since, and its pod comes back only after a second or two
                return after
    pytest.fail(f"the run ended and {step} was not its end" if killed else f"the run ended without {step}")


_BEGINNINGS = {EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED}


def _names(event: HistoryEvent, step: str) -> bool:
    return event.activity_task_scheduled_event_attributes.activity_type.name == step
