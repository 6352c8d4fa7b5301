"""When which drill is due: a weekday of some months, in a window of local time.

"The first Wednesday of each month, 10:00 to 11:00" names one day in each month, whatever the month's length, and a
Wednesday is a working day. Clocks that are set forward skip a time of day: a drill that would begin then is not due on that
day. Where clocks are set back a time of day comes twice: it is due the first time. Temporal's schedules do the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from estate.base import Entry, MasterName, Name
from estate.signers import SigningKey

DAYS_OF_A_WEEK = 7


class Kind(StrEnum):
    """What is drilled."""

    POD = "pod"
    NODE = "node"
    REDIS = "redis"
    DATABASE = "database"
    REGION = "region"

    @property
    def section(self) -> str:
        """The section of the estate that lists its targets."""
        return _SECTIONS[self]


_SECTIONS = {
    Kind.POD: "workloads",
    Kind.NODE: "node_pools",
    Kind.REDIS: "redis",
    Kind.DATABASE: "postgres",
    Kind.REGION: "region_failovers",
}


class Every(StrEnum):
    """How often."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half-year"
    YEAR = "year"


_MONTHS = {
    Every.MONTH: tuple(range(1, 13)), Every.QUARTER: (1, 4, 7, 10), Every.HALF_YEAR: (1, 7), Every.YEAR: (1,),
}  # fmt: skip
"""In which months, where the entry does not say."""


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "Monday"
    TUESDAY = "Tuesday"
    WEDNESDAY = "Wednesday"
    THURSDAY = "Thursday"
    FRIDAY = "Friday"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"

    @property
    def number(self) -> int:
        """Monday is 0, as in ``datetime``."""
        return list(Weekday).index(self)


class Window(Entry):
    """From when to when a drill may go on, in local time of one day."""

    begins: time
    ends: time

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.ends <= self.begins:
            message = f"ends {self.ends:%H:%M} is not after begins {self.begins:%H:%M}; a window lies within one day"
            raise ValueError(message)
        return self

    @property
    def length(self) -> timedelta:
        """By the clock on the wall."""
        day = date(2000, 1, 1)
        return datetime.combine(day, self.ends) - datetime.combine(day, self.begins)


class Drill(Entry):
    """One line of the calendar."""

    kind: Kind
    target: MasterName
    """A name of the inventory: of a workload, node pool, Redis master, database or region."""
    every: Every
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = ()
    """In these months instead of January and those that ``every`` counts from there."""
    week: Annotated[int, Field(ge=1, le=4)] = 1
    """The first, second, third or fourth such day of the month."""
    day: Weekday
    also_on: tuple[date, ...] = ()
    """On these days, too: a date that was announced, a drill that is repeated."""
    window: Window
    jitter: timedelta = timedelta(0)
    """It begins at a random time of so long a span."""
    participants: tuple[str, ...] = ()
    """Roles that take part."""
    owner: str = ""
    """Who answers for it: asks where the calendar begins it, and so cannot approve it."""
    notice: str = ""
    """Region: how and when customers were told."""
    application: Name | None = None
    """A workload whose answers are watched all the time by a client; ``None``: only what the procedure measures."""
    settled_within: timedelta = timedelta(minutes=10)
    """How long all may take to be as before once the way back has ended."""
    word_within: timedelta = timedelta(days=3)
    """How long the drill waits for a person's word, PASS or FAIL."""

    @model_validator(mode="after")
    def _is_one_plan(self) -> Self:
        wanted = len(_MONTHS[self.every])
        if self.months and len(set(self.months)) != wanted:
            message = (
                f"months: a drill of every {self.every.value} has {wanted} of them, and {len(set(self.months))} are named"
            )
            raise ValueError(message)
        if not timedelta(0) <= self.jitter < self.window.length:
            message = f"jitter: it must be less than the window, which is {self.window.length} long"
            raise ValueError(message)
        return self

    @property
    def due_in(self) -> tuple[int, ...]:
        """The months, in order."""
        return tuple(sorted(set(self.months))) or _MONTHS[self.every]

    @property
    def days(self) -> tuple[int, int]:
        """First and last day of the month on which it may be."""
        first = (self.week - 1) * DAYS_OF_A_WEEK + 1
        return first, first + DAYS_OF_A_WEEK - 1

    def window_at(self, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """Return begin and end, in UTC, of the window that is open at ``now``; ``None``: it is not open today."""
        day = now.astimezone(zone).date()
        if day not in self._days_of(day.year):
            return None
        begins, ends = (datetime.combine(day, at, zone).astimezone(UTC) for at in (self.window.begins, self.window.ends))
        return (begins, ends) if begins <= now < ends else None

    def times(self, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Yield when it is due after that moment, for ever, in UTC."""
        year = after.astimezone(zone).year
        while True:
            for day in self._days_of(year):
                begins = datetime.combine(day, self.window.begins, zone)
                exists = begins.astimezone(UTC).astimezone(zone).time() == self.window.begins
                if exists and begins > after:
                    yield begins.astimezone(UTC)
            year += 1

    def _days_of(self, year: int) -> list[date]:
        return sorted({*(self._day_of(year, month) for month in self.due_in), *(d for d in self.also_on if d.year == year)})

    def _day_of(self, year: int, month: int) -> date:
        first = date(year, month, self.days[0])
        return first + timedelta(days=(self.day.number - first.weekday()) % DAYS_OF_A_WEEK)


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        message = f"knows no zone {name!r}; write one of the time zone database, such as Asia/Taipei"
        raise ValueError(message) from None
    return name


class Maintenance(Entry):
    """A time in which nothing is drilled."""

    begins: AwareDatetime
    ends: AwareDatetime
    what: str

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.ends <= self.begins:
            message = f"ends {self.ends} is not after begins {self.begins}"
            raise ValueError(message)
        return self


class Drills(Entry):
    """The calendar."""

    time_zone: Annotated[str, AfterValidator(_is_zone)]
    calendar: dict[Name, Drill] = Field(default={})
    maintenance: tuple[Maintenance, ...] = ()
    """Announced: a drill whose window touches it does not begin."""
    sealed_by: tuple[SigningKey, ...] = ()
    """The keys of workers that a record's signature counts by. One that has served its time stays, with ``valid_before``."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone of all windows."""
        return ZoneInfo(self.time_zone)
