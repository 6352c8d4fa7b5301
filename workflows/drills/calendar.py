"""Answers a command with the calendar of drills, which only workers have."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.drills.calendar import CalendarActivities, CalendarLook, CalendarSeen
from workflows.run.steps import step


@workflow.defn(name="drills-calendar")
class DrillsCalendar:
    """One question."""

    @workflow.run
    async def run(self, *_: Any) -> CalendarSeen:  # noqa: ANN401 - anything can be typed into a form
        """Return the calendar as it is now."""
        return await step(CalendarActivities.calendar, CalendarLook())
