"""Doctor's look at the witnesses: whether each polls its task queue."""

from __future__ import annotations

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client

from activities.detection.models import witness_queue
from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding
from activities.run.pollers import polls


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
    remedy = (
        f"`kubectl logs {absent[0]}` says why; witnesses need TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE of the workers"
        " (ConfigMap failover-temporal) and the name in FAILOVER_WITNESS that the estate lists"
    )
    if 2 * there > len(witnesses):
        return [warning(subject, words, remedy)]
    return [fault(subject, f"{words}: no majority, so automatic detection finds nothing", remedy)]
