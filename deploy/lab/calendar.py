"""A calendar of which the window is open now: at any hour of any day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo


def zone_far_from_midnight() -> str:
    """Return a time zone in which today lasts for at least 10 hours still, and has for an hour."""
    for name in ("UTC", "Asia/Tokyo", "America/Los_Angeles", "Asia/Kolkata"):
        local = datetime.now(UTC).astimezone(ZoneInfo(name))
        if timedelta(hours=1) < local - local.replace(hour=0, minute=0) < timedelta(hours=14):
            return name
    raise AssertionError


def open_now(**entries: dict[str, Any]) -> dict[str, Any]:
    """Return the estate's ``drills`` with one entry for each of ``entries``, due today."""
    zone = zone_far_from_midnight()
    today = datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
    usual = {
        "every": "month", "day": "Wednesday", "also_on": [today.isoformat()],
        "window": {"begins": "00:00", "ends": "23:59"}, "settled_within": "PT20S", "word_within": "PT60S",
    }  # fmt: skip
    return {"time_zone": zone, "calendar": {name: {**usual, **entry} for name, entry in entries.items()}}
