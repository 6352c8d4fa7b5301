"""Answers a command with the calendar of drills, which only workers have."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.drills.calendar import CalendarActivities, CalendarLook, CalendarSeen
from workflows.drills.models import CalendarRequest
from workflows.run.inputs import parse, taken
from workflows.run.steps import step


@workflow.defn(name="drills-calendar")
class DrillsCalendar:
    """One question."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the request."""
        self._request, self._bad_input = parse(CalendarRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> CalendarSeen:  # noqa: ANN401
        """Return the calendar as it is now."""
        asked = taken(self._request, self._bad_input)
        return await step(CalendarActivities.calendar, CalendarLook(drill=asked.drill or ""))
