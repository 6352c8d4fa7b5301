"""Who is there: whoever polls a task queue, as Temporal knows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

_ALIVE_WITHIN = timedelta(seconds=75)
"""A waiting worker asks again at least every 60 s (Temporal's long poll)."""


async def polls(client: Client, queue: str, kind: TaskQueueType.ValueType) -> bool:
    """Return whether anybody has asked the task queue for work of that kind lately. RPCError: Temporal does not say."""
    return await pollers(client, queue, kind) > 0


async def pollers(client: Client, queue: str, kind: TaskQueueType.ValueType) -> int:
    """Return how many processes have asked the task queue for work of that kind lately. RPCError: Temporal does not say."""
    request = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind)
    answer = await client.workflow_service.describe_task_queue(request)
    now = datetime.now(UTC)
    alive = [one for one in answer.pollers if now - one.last_access_time.ToDatetime(UTC) < _ALIVE_WITHIN]
    return len({one.identity for one in alive})
