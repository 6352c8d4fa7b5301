"""Who is there: whoever polls a task queue, as Temporal knows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from activities.detection.models import witness_queue
from activities.postgres.doctor import fault, ok, warning
from activities.run.models.doctor import Finding

_ALIVE_WITHIN = timedelta(seconds=75)
"""A waiting worker asks again at least every 60 s (Temporal's long poll)."""


async def of_witnesses(client: Client, queue: str, witnesses: tuple[str, ...]) -> list[Finding]:
    """Return what doctor says of the witnesses; nothing where the estate names none: nothing is watched then."""
    if not witnesses:
        return []
    kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    absent = [name for name in witnesses if not await polls(client, witness_queue(queue, name), kind)]
    there, subject = len(witnesses) - len(absent), "witnesses"
    if not absent:
        return [ok(subject, f"all {len(witnesses)} are there")]
    words = f"{there} of {len(witnesses)} are there, not {', '.join(absent)}"
    remedy = "see the StatefulSet failover-witness, and FAILOVER_WITNESS of each"
    if 2 * there > len(witnesses):
        return [warning(subject, words, remedy)]
    return [fault(subject, f"{words}: no majority, so no watch finds anything", remedy)]


async def polls(client: Client, queue: str, kind: TaskQueueType.ValueType) -> bool:
    """Return whether anybody has asked the task queue for work of that kind lately. RPCError: Temporal does not say."""
    request = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind)
    answer = await client.workflow_service.describe_task_queue(request)
    now = datetime.now(UTC)
    return any(now - poller.last_access_time.ToDatetime(UTC) < _ALIVE_WITHIN for poller in answer.pollers)
