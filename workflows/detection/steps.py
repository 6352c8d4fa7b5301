"""The steps of a watch as it calls them."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from activities.detection.models import Sighting, WatchedTarget, WatchRequest, witness_queue
from activities.detection.witness import WitnessActivities

_LASTS = timedelta(minutes=10)
_LONGEST = timedelta(hours=1)
"""A look that has something in sight goes on beyond its time."""
_SILENT_AFTER = timedelta(seconds=5)


async def look(
    target: WatchedTarget, witness: str, told: Sighting | None, *, heard: bool, silent_since: datetime | None
) -> Sighting:
    """Let a witness look until it has something new to say.

    A witness that is ``heard`` must begin to look again at once, or its word counts no longer; one whose word does not
    count may stay away for ever, and goes on from what it ``told`` last.

    Raises:
        ActivityError: the witness has fallen silent.

    """
    return await workflow.execute_activity_method(
        WitnessActivities.look,
        WatchRequest(target=target, witness=witness, told=told, heard=heard, silent_since=silent_since, lasts=_LASTS),
        task_queue=witness_queue(workflow.info().task_queue, witness),
        schedule_to_start_timeout=_SILENT_AFTER if heard else None,
        start_to_close_timeout=_LONGEST,
        heartbeat_timeout=_SILENT_AFTER,
        retry_policy=RetryPolicy(maximum_attempts=1),
        cancellation_type=ActivityCancellationType.TRY_CANCEL,
        summary=f"{witness} looks",
    )
