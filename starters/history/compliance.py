"""What was due in a month or a year by the calendar, and what became of it.

The calendar is the one that the estate has now. A drill is the one that was due when it is of the same kind and target and
has begun in its window; a drill that was held at another time is listed, and does not stand for one that was missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from estate.drills import Drill, Drills
from starters.history.series import Line

_MOMENT = timedelta(microseconds=1)


class Standing(StrEnum):
    """What became of a drill that was due."""

    PASSED = "passed"
    FAILED = "failed"
    UNCONFIRMED = "not confirmed"
    """It has passed by its criteria, and nobody has said so."""
    MISSED = "missed"
    OPEN = "to come"


_OF_RESULT = {"PASS": Standing.PASSED, "FAIL": Standing.FAILED}


class Period(BaseModel):
    """A month or a year of local time."""

    name: str
    """``2026-11`` or ``2026``."""
    begins: datetime
    ends: datetime
    """The first moment after it."""


class Due(BaseModel):
    """One date of the calendar."""

    drill: str
    kind: str
    target: str
    at: datetime
    standing: Standing
    line: Line | None = None


class Compliance(BaseModel):
    """All that a summary says."""

    period: Period
    zone: str
    due: tuple[Due, ...]
    besides: tuple[Line, ...]
    """Drills that were held and not due then."""
    last: Line | None
    """The newest record of the period."""

    def count(self, *standings: Standing) -> int:
        """Return how many that were due stand like that."""
        return sum(one.standing in standings for one in self.due)

    @property
    def held(self) -> tuple[Line, ...]:
        """Every drill of the period."""
        return tuple(sorted((*(one.line for one in self.due if one.line), *self.besides), key=lambda line: line.sealed_at))


def one_month(year: int, number: int, zone: ZoneInfo) -> Period:
    """Return a month."""
    following = (year + number // 12, number % 12 + 1)
    begins, ends = datetime(year, number, 1, tzinfo=zone), datetime(*following, 1, tzinfo=zone)
    return Period(name=f"{year:04d}-{number:02d}", begins=begins, ends=ends)


def whole_year(year: int, zone: ZoneInfo) -> Period:
    """Return a year."""
    return Period(name=f"{year:04d}", begins=datetime(year, 1, 1, tzinfo=zone), ends=datetime(year + 1, 1, 1, tzinfo=zone))


def compliance(drills: Drills, period: Period, lines: tuple[Line, ...], now: datetime) -> Compliance:
    """Return what was due in ``period`` and what of it was done, as of ``now``."""
    within = [line for line in lines if period.begins <= line.record.began_at < period.ends]
    due = sorted(_due(drills, period, within, now), key=lambda one: (one.at, one.drill))
    counted = {one.line.name for one in due if one.line}
    return Compliance(
        period=period,
        zone=drills.time_zone,
        due=tuple(due),
        besides=tuple(line for line in within if line.name not in counted),
        last=within[-1] if within else None,
    )


def _due(drills: Drills, period: Period, lines: list[Line], now: datetime) -> Iterator[Due]:
    for name, drill in drills.calendar.items():
        times = drill.times(drills.zone, period.begins - _MOMENT)
        for at in takewhile(lambda one: one < period.ends, times):
            day = at.astimezone(drills.zone).date()
            ends = datetime.combine(day, drill.window.ends, drills.zone).astimezone(UTC)
            line = _held(drill, at, ends, lines)
            standing = standing_of(line) if line else Standing.MISSED if now >= ends else Standing.OPEN
            yield Due(drill=name, kind=drill.kind, target=drill.target, at=at, standing=standing, line=line)


def _held(drill: Drill, begins: datetime, ends: datetime, lines: list[Line]) -> Line | None:
    """Return the drill that was held in the window: one that has passed, else the last one."""
    found = [
        line for line in lines
        if (line.record.kind, line.record.target) == (drill.kind, drill.target)
        and begins <= line.record.began_at < ends
    ]  # fmt: skip
    return max(found, key=lambda line: (line.record.counts, line.sealed_at), default=None)


def standing_of(line: Line) -> Standing:
    """Return what became of a drill that was held."""
    return _OF_RESULT.get(line.result, Standing.UNCONFIRMED)
