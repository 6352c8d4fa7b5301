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


class Patience(TypedDict):
    """Options that every step chooses; both timeouts are required so that forgetting one is a type error."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


def _patience(*, attempt: timedelta, in_all: timedelta, slowest_retry: timedelta) -> Patience:
    return Patience(
        start_to_close_timeout=attempt,
        schedule_to_close_timeout=in_all,
        heartbeat_timeout=_HEARTBEAT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=100), backoff_coefficient=1.5, maximum_interval=slowest_retry
        ),
        # An undo must not overtake a step that is still running.
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


OBSERVE = _patience(attempt=timedelta(seconds=20), in_all=timedelta(minutes=1), slowest_retry=timedelta(seconds=1))
"""Reads: cheap to repeat, and a person is waiting for the answer."""

OBSERVE_LONG = _patience(attempt=timedelta(minutes=1), in_all=timedelta(minutes=2), slowest_retry=timedelta(seconds=1))
"""Looks that wait for something to happen, beside the rest."""

MUTATE = _patience(attempt=timedelta(seconds=45), in_all=timedelta(minutes=1), slowest_retry=timedelta(seconds=1))
"""Changes before the point of no return: better undone soon than insisted on while writes are stopped."""

UNHURRIED = _patience(attempt=timedelta(minutes=5), in_all=timedelta(minutes=10), slowest_retry=timedelta(seconds=1))
"""The checkpoint before the claim: it may take minutes, and the cluster is whole and takes writes meanwhile."""

URGENT = _patience(attempt=timedelta(seconds=10), in_all=timedelta(seconds=15), slowest_retry=timedelta(seconds=1))
"""The promotion: past the point of no return, but a dead candidate must be noticed while it still matters. And what is
only worth a short wait."""

INSISTENT = _patience(attempt=timedelta(minutes=1), in_all=timedelta(minutes=10), slowest_retry=timedelta(seconds=1))
"""The first write to the new leader: if it does not come, that one may be dead too, and a person must be able to act."""

FORWARD = _patience(attempt=timedelta(minutes=10), in_all=timedelta(days=1), slowest_retry=timedelta(seconds=5))
"""Past the point of no return: patient, since there is no way back."""

COMPENSATE = _patience(attempt=timedelta(minutes=2), in_all=timedelta(hours=1), slowest_retry=timedelta(seconds=2))
"""Undo: insists for an hour, then a person is needed."""

ENDLESS = _patience(attempt=timedelta(hours=6), in_all=timedelta(days=30), slowest_retry=timedelta(seconds=30))
"""Waits for something that may take weeks, such as a machine that comes back."""

ALONGSIDE = _patience(attempt=timedelta(days=2), in_all=timedelta(days=2), slowest_retry=timedelta(seconds=1))
"""Runs beside the others until it is cancelled."""
