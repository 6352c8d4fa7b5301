"""The runbook's calendar: the next dates of each drill, and the same from a real Temporal server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleState

from estate.drills import Drill, Drills
from starters.client.schedules import spec_of

_SUNDAY = {"day": "Sunday", "window": {"begins": "02:00", "ends": "04:00"}}
_RUNBOOK: dict[str, dict[str, Any]] = {
    "pod": {"kind": "pod", "target": "api", "every": "month", "day": "Wednesday",
            "window": {"begins": "10:00", "ends": "11:00"}},
    "node": {"kind": "node", "target": "workers", "every": "quarter", **_SUNDAY},
    "redis": {"kind": "redis", "target": "mymaster", "every": "quarter", "week": 2, **_SUNDAY},
    "database": {"kind": "database", "target": "orders", "every": "half-year", "week": 3, "day": "Sunday",
                 "window": {"begins": "01:00", "ends": "05:00"}},
    "region": {"kind": "region", "target": "eastus", "every": "year", "months": [5], "day": "Sunday",
               "window": {"begins": "01:00", "ends": "07:00"}},
}  # fmt: skip
_NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
_DATES = {
    "pod": ["2026-12-02", "2027-01-06", "2027-02-03", "2027-03-03", "2027-04-07"],
    "node": ["2027-01-03", "2027-04-04", "2027-07-04", "2027-10-03", "2028-01-02"],
    "redis": ["2027-01-10", "2027-04-11", "2027-07-11", "2027-10-10", "2028-01-09"],
    "database": ["2027-01-17", "2027-07-18", "2028-01-16", "2028-07-16", "2029-01-21"],
    "region": ["2027-05-02", "2028-05-07", "2029-05-06", "2030-05-05", "2031-05-04"],
}


def _drills(zone: str, **entry: Any) -> tuple[Drills, Drill]:
    drills = Drills.model_validate({"time_zone": zone, "calendar": {"one": entry}})
    return drills, drills.calendar["one"]


def _next(zone: str, number: int = 5, now: datetime = _NOW, **entry: Any) -> list[datetime]:
    drills, drill = _drills(zone, **entry)
    return [one.astimezone(drills.zone) for one in islice(drill.times(drills.zone, now), number)]


@pytest.mark.parametrize("name", _RUNBOOK)
def test_the_next_five_dates_of_the_runbook_s_table(name: str) -> None:
    due = _next("Asia/Taipei", **_RUNBOOK[name])
    assert [f"{one:%Y-%m-%d}" for one in due] == _DATES[name]
    assert {f"{one:%A %H:%M}" for one in due} == {f"{_RUNBOOK[name]['day']} {_RUNBOOK[name]['window']['begins']}"}


def test_a_leap_day_is_a_day_like_others() -> None:
    entry = {**_RUNBOOK["pod"], "day": "Tuesday", "week": 4, "months": list(range(1, 13))}
    due = _next("UTC", 3, datetime(2028, 2, 1, tzinfo=UTC), **entry)
    assert [f"{one:%m-%d}" for one in due] == ["02-22", "03-28", "04-25"]


def test_a_time_that_is_skipped_when_clocks_are_set_forward_is_not_due() -> None:
    entry = {**_RUNBOOK["pod"], "day": "Sunday", "week": 4, "window": {"begins": "02:30", "ends": "04:00"}}
    due = _next("Europe/Berlin", 3, datetime(2027, 2, 1, tzinfo=UTC), **entry)
    assert [f"{one:%m-%d %H:%M}" for one in due] == ["02-28 02:30", "04-25 02:30", "05-23 02:30"]


def test_a_time_that_comes_twice_when_clocks_are_set_back_is_due_the_first_time() -> None:
    entry = {**_RUNBOOK["pod"], "day": "Sunday", "week": 4, "window": {"begins": "02:30", "ends": "04:00"}}
    [due] = _next("Europe/Berlin", 1, datetime(2026, 10, 1, tzinfo=UTC), **entry)
    assert due.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Taipei", "Europe/Berlin", "America/New_York", "UTC"])
async def test_temporal_begins_them_at_the_same_times(temporal: Client, zone: str) -> None:
    entries = {**_RUNBOOK, "at night": {**_RUNBOOK["pod"], "day": "Sunday", "week": 4,
                                        "window": {"begins": "02:30", "ends": "04:00"}}}  # fmt: skip
    for entry in entries.values():
        drills, drill = _drills(zone, **entry)
        action = ScheduleActionStartWorkflow("failover-drill", id=f"drill-{uuid4().hex}", task_queue="nobody")
        paused = ScheduleState(paused=True)
        handle = await temporal.create_schedule(
            f"drill-{uuid4().hex}", Schedule(action=action, spec=spec_of(drills, drill), state=paused)
        )
        told = (await handle.describe()).info
        await handle.delete()
        ours = list(islice(drill.times(drills.zone, told.created_at), len(told.next_action_times)))
        assert told.next_action_times
        assert list(told.next_action_times) == ours


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": {"begins": "04:00", "ends": "02:00"}}, "ends 02:00 is not after begins 04:00"),
        ({"months": [1, 2]}, "a drill of every month has 12 of them, and 2 are named"),
        ({"months": [13]}, "less than or equal to 12"),
        ({"week": 5}, "less than or equal to 4"),
        ({"jitter": timedelta(hours=1)}, "it must be less than the window, which is 1:00:00 long"),
        ({"day": "Wednsday"}, "Input should be"),
    ],
)
def test_a_line_that_cannot_be_kept_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _drills("UTC", **{**_RUNBOOK["pod"], **change})


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="knows no zone 'Asia/Taipeh'; write one of the time zone database"):
        _drills("Asia/Taipeh", **_RUNBOOK["pod"])
