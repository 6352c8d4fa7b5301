"""How long to insist, by the kind of step. No call site writes a timeout of its own.

Every step heartbeats (``activities.run.heartbeat``): a worker that dies is noticed after ``_HEARTBEAT`` and the step runs
again elsewhere; a cancel reaches a running step within the heartbeat's throttle.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

_HEARTBEAT = timedelta(seconds=1.5)


class Posture(TypedDict):
    """Options that every step chooses; both timeouts are required so that forgetting one is a type error."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


def _posture(*, attempt: timedelta, within: timedelta, slowest_retry: float = 1) -> Posture:
    return Posture(
        start_to_close_timeout=attempt,
        schedule_to_close_timeout=within,
        heartbeat_timeout=_HEARTBEAT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=100),
            backoff_coefficient=1.5,
            maximum_interval=timedelta(seconds=slowest_retry),
        ),
        # An undo must not overtake a step that is still running.
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


def lasting(posture: Posture, *, attempt: timedelta, within: timedelta) -> Posture:
    """Return the same posture with other limits."""
    return {**posture, "start_to_close_timeout": attempt, "schedule_to_close_timeout": within}


READ = _posture(attempt=timedelta(seconds=20), within=timedelta(minutes=1))
"""Cheap to repeat, and a person is waiting for the answer."""

WAIT = _posture(attempt=timedelta(days=2), within=timedelta(days=2))
"""Runs beside the others until it is cancelled."""

CHANGE = _posture(attempt=timedelta(seconds=45), within=timedelta(minutes=1))
"""Before the point of no return: better undone soon than insisted on while writes are stopped."""

FORWARD = _posture(attempt=timedelta(minutes=10), within=timedelta(days=1), slowest_retry=5)
"""Past the point of no return: patient, since there is no way back."""

COMPENSATE = _posture(attempt=timedelta(minutes=2), within=timedelta(hours=1), slowest_retry=2)
"""Undo: insists for an hour, then a person is needed."""

READ_LONG = lasting(READ, attempt=timedelta(minutes=1), within=timedelta(minutes=2))
"""Looks that wait for something to happen, beside the rest."""

CHANGE_SOON = lasting(CHANGE, attempt=timedelta(seconds=10), within=timedelta(seconds=15))
"""A promotion: a candidate that has died must be noticed while it still matters. And what is only worth a short wait."""

CHANGE_UNHURRIED = lasting(CHANGE, attempt=timedelta(minutes=5), within=timedelta(minutes=10))
"""What may take minutes while the service is up, such as the checkpoint before the claim."""

INSIST = lasting(CHANGE, attempt=timedelta(minutes=1), within=timedelta(minutes=10))
"""The first write to the new leader: if it does not come, that one may be dead too, and a person must be able to act."""

ENDLESS = _posture(attempt=timedelta(hours=6), within=timedelta(days=30), slowest_retry=30)
"""Waits for something that may take weeks, such as a machine that comes back."""
