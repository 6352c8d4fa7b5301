"""How long a procedure took until all was healthy again, without the time in which people were asked or held the run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from activities.run.models.report import RecoveryDetails
from workflows.run.state import RunState, Span

D = TypeVar("D", bound=RecoveryDetails)


def count_recovery(state: RunState[D], began: datetime, healthy: datetime) -> None:
    """Keep how long it took from ``began`` to ``healthy``."""
    people = seconds_within(state.waited_for_people, began, healthy)
    state.details.recovery_seconds = (healthy - began).total_seconds() - people
    state.details.people_seconds = people


def seconds_within(spans: Iterable[Span], began: datetime, ended: datetime) -> float:
    """Return for how long at least one of ``spans`` went on between ``began`` and ``ended``."""
    seconds, counted = 0.0, began
    for start, end in sorted(spans):
        if (until := min(end, ended)) > (since := max(start, counted)):
            seconds += (until - since).total_seconds()
            counted = until
    return seconds
