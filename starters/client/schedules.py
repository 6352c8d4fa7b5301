"""The calendar of drills as Temporal's schedules."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import ScheduleCalendarSpec, ScheduleRange, ScheduleSpec

from estate.drills import DAYS_OF_A_WEEK, Drill, Drills

CAUGHT_UP_WITHIN = timedelta(hours=2)
"""A drill whose time has passed while Temporal was away is held so late at most, and within its window."""


def spec_of(drills: Drills, drill: Drill) -> ScheduleSpec:
    """Return when Temporal is to begin it."""
    begins, words = drill.window.begins, f"{drill.kind.value} {drill.target}"
    at = {
        "second": [ScheduleRange(begins.second)],
        "minute": [ScheduleRange(begins.minute)],
        "hour": [ScheduleRange(begins.hour)],
    }
    regular = ScheduleCalendarSpec(
        **at,
        day_of_month=[ScheduleRange(*drill.days)],
        month=[ScheduleRange(month) for month in drill.due_in],
        day_of_week=[ScheduleRange((drill.day.number + 1) % DAYS_OF_A_WEEK)],  # Temporal's week begins on Sunday
        comment=words,
    )
    others = [
        ScheduleCalendarSpec(
            **at,
            day_of_month=[ScheduleRange(day.day)],
            month=[ScheduleRange(day.month)],
            year=[ScheduleRange(day.year)],
            comment=words,
        )
        for day in drill.also_on
    ]
    return ScheduleSpec(calendars=[regular, *others], time_zone_name=drills.time_zone, jitter=drill.jitter or None)
