"""How a change of the order of commands is gated, shown on the smallest workflow that waits for somebody.

``Fenced`` is how it was. ``FencedAfterACheckpoint`` does one step more and breaks every open run. ``Gated`` does the same
for runs that begin from now on, and goes the old way in those that had begun before: ``workflow.patched`` is for that.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

_WITHIN = timedelta(seconds=10)
_NAME = "shows-how-to-patch"


@activity.defn(name="example.checkpoint")
async def checkpoint() -> None:
    """Do nothing."""


@activity.defn(name="example.fence")
async def fence() -> None:
    """Do nothing."""


class _Waits:
    """Waits, as a run waits for people, and is told to go on."""

    def __init__(self) -> None:
        self._approved = False

    @workflow.signal
    def approve(self) -> None:
        self._approved = True


@workflow.defn(name=_NAME)
class Fenced(_Waits):
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(fence, start_to_close_timeout=_WITHIN)
        await workflow.wait_condition(lambda: self._approved)


@workflow.defn(name=_NAME)
class FencedAfterACheckpoint(_Waits):
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(checkpoint, start_to_close_timeout=_WITHIN)
        await workflow.execute_activity(fence, start_to_close_timeout=_WITHIN)
        await workflow.wait_condition(lambda: self._approved)


@workflow.defn(name=_NAME)
class Gated(_Waits):
    @workflow.run
    async def run(self) -> None:
        if workflow.patched("checkpoint-before-the-fence"):
            await workflow.execute_activity(checkpoint, start_to_close_timeout=_WITHIN)
        await workflow.execute_activity(fence, start_to_close_timeout=_WITHIN)
        await workflow.wait_condition(lambda: self._approved)


async def _waiting_run(client: Client, code: type) -> WorkflowHistory:
    """Let a run of ``code`` come to its wait; return what it has done, and end it."""
    queue = f"queue-{uuid4().hex[:8]}"
    steps = [checkpoint, fence]
    async with Worker(
        client, task_queue=queue, workflows=[code], activities=steps, workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = await client.start_workflow(_NAME, id=queue, task_queue=queue)
        await handle.signal("approve")
        await handle.result()
        return await handle.fetch_history()


async def _replays(history: WorkflowHistory, code: type) -> str:
    """Return why ``history`` does not replay with ``code``; empty when it does."""
    replayer = Replayer(workflows=[code], workflow_runner=UnsandboxedWorkflowRunner())
    return str((await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure or "")


async def test_without_patched_a_run_that_had_begun_before_stops(temporal: Client) -> None:
    before = await _waiting_run(temporal, Fenced)
    assert await _replays(before, Fenced) == ""
    assert "example.fence" in (why := await _replays(before, FencedAfterACheckpoint)), why


async def test_with_patched_it_goes_the_old_way_and_new_ones_the_new(temporal: Client) -> None:
    before, since = await _waiting_run(temporal, Fenced), await _waiting_run(temporal, Gated)
    assert await _replays(before, Gated) == ""
    assert await _replays(since, Gated) == ""
    scheduled = [event.activity_task_scheduled_event_attributes.activity_type.name for event in since.events]
    assert [one for one in scheduled if one] == ["example.checkpoint", "example.fence"]
