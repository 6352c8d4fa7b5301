"""The calendar of drills, as the worker's estate has it: commands run where there is no estate."""

from __future__ import annotations

from activities.run.declare import step
from activities.run.inventory import Inventory
from activities.run.models.wire import Wire
from activities.run.postures import READ
from estate.drills import Drills


class CalendarLook(Wire):
    """Which entries."""

    drill: str = ""
    """Of this one only; empty: of all."""


class CalendarSeen(Wire):
    """The calendar as it is now."""

    drills: Drills | None = None
    """``None``: the estate has none."""


class CalendarActivities:
    """Reads the calendar."""

    def __init__(self, inventory: Inventory) -> None:
        """Read it from ``inventory``."""
        self._inventory = inventory

    @step("drills.calendar", READ, lambda _: "the calendar of drills")
    async def calendar(self, request: CalendarLook) -> CalendarSeen:
        """Return the calendar. Changes nothing. ApplicationError: ``BadEstate``, the file cannot be used."""
        drills = self._inventory.estate().drills
        if drills is None or not request.drill:
            return CalendarSeen(drills=drills)
        entries = {name: one for name, one in drills.calendar.items() if name == request.drill}
        return CalendarSeen(drills=drills.model_copy(update={"calendar": entries}))
