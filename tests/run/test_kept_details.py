"""What a step has kept for its next attempt is there, however soon an attempt ends and however many follow one another."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.run.heartbeat import Heartbeat, keep_details

_ENOUGH_BEATS_SECONDS = 0.5
_TELLING = 3
"""The attempt that says what it has found."""


def _again() -> ApplicationError:
    return ApplicationError("the worker was asked to end")


@activity.defn(name="example.ends-at-once")
async def ends_at_once() -> list[str]:
    """Keep something and fail before the next beat; every other attempt keeps nothing."""
    return await _attempt(beats=False)


@activity.defn(name="example.beats")
async def beats() -> list[str]:
    """Do the same, but live for some beats first."""
    return await _attempt(beats=True)


async def _attempt(*, beats: bool) -> list[str]:
    info = activity.info()
    if info.attempt == _TELLING:
        return [str(one) for one in info.heartbeat_details]
    await asyncio.sleep(_ENOUGH_BEATS_SECONDS if beats else 0.05)
    if info.attempt == 1:
        keep_details("asked", "twice")
    raise _again()


@workflow.defn(name="tries-three-times")
class TriesThreeTimes:
    @workflow.run
    async def run(self, step: str) -> list[str]:
        found: list[str] = await workflow.execute_activity(
            step,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=30),  # what is held back stays so for 24 s
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=_TELLING),
            result_type=list[str],
        )
        return found


async def _found_by_the_third(client: Client, step: str) -> list[str]:
    queue = f"kept-{uuid4().hex[:8]}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[TriesThreeTimes],
        activities=[ends_at_once, beats],
        interceptors=[Heartbeat()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        found: list[str] = await client.execute_workflow(TriesThreeTimes.run, step, id=queue, task_queue=queue)
    return found


async def test_what_was_kept_is_not_forgotten_by_an_attempt_that_keeps_nothing(temporal: Client) -> None:
    """The first beat of an attempt tells what the attempts before it have kept."""
    assert await _found_by_the_third(temporal, "example.beats") == ["asked", "twice"]


async def test_what_was_kept_just_before_the_end_is_told(temporal: Client) -> None:
    assert await _found_by_the_third(temporal, "example.ends-at-once") == ["asked", "twice"]
