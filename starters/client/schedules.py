"""The calendar of drills as Temporal's schedules: one for each entry, made, changed and removed until they say the same.

A schedule begins ``drill-due``. Where Temporal was away it begins late, by 2 h at most. A date that comes while the drill of
the last one goes on is left out. A drill that did not pass pauses its schedule, until somebody has looked.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from estate.drills import DAYS_OF_A_WEEK, Drill, Drills
from starters.client.server import task_queue
from workflows.drills.models import DueRequest
from workflows.run.models import TASK_TIMEOUT

CAUGHT_UP_WITHIN = timedelta(hours=2)
"""A drill whose time has passed while Temporal was away is held so late at most, and within its window."""
PREFIX = "drill/"
"""What the ID of each schedule begins with; the name of the entry follows."""
_DATES = 5
_ENTRY = "calendar"
"""Memo of what a schedule begins: a digest of its entry."""


class Applied(StrEnum):
    """What has become of a schedule."""

    MADE = "made"
    CHANGED = "changed"
    SAME = "as before"
    REMOVED = "removed"


def spec_of(drills: Drills, drill: Drill) -> ScheduleSpec:
    """Return when Temporal is to begin it."""
    first, last = drill.days
    regular = _calendar(
        drill,
        day_of_month=[ScheduleRange(first, last)],
        month=[ScheduleRange(month) for month in drill.due_in],
        day_of_week=[ScheduleRange((drill.day.number + 1) % DAYS_OF_A_WEEK)],  # Temporal's week begins on Sunday
    )
    others = [
        _calendar(
            drill,
            day_of_month=[ScheduleRange(day.day)],
            month=[ScheduleRange(day.month)],
            year=[ScheduleRange(day.year)],
        )
        for day in drill.also_on
    ]
    return ScheduleSpec(calendars=[regular, *others], time_zone_name=drills.time_zone, jitter=drill.jitter or None)


def _calendar(drill: Drill, **days: list[ScheduleRange]) -> ScheduleCalendarSpec:
    begins = drill.window.begins
    return ScheduleCalendarSpec(
        second=[ScheduleRange(begins.second)],
        minute=[ScheduleRange(begins.minute)],
        hour=[ScheduleRange(begins.hour)],
        comment=f"{drill.kind.value} {drill.target}",
        **days,
    )


def next_dates(drills: Drills, drill: Drill, after: datetime) -> list[datetime]:
    """Return the next five times at which it is due, in the calendar's zone."""
    return [at.astimezone(drills.zone) for at in islice(drill.times(drills.zone, after), _DATES)]


def handle_of(client: Client, name: str) -> ScheduleHandle:
    """Return Temporal's handle of the schedule of an entry."""
    return client.get_schedule_handle(f"{PREFIX}{name}")


async def described(client: Client, name: str) -> ScheduleDescription | None:
    """Return the schedule of an entry as it stands; ``None``: there is none."""
    try:
        return await handle_of(client, name).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def apply(client: Client, drills: Drills) -> dict[str, Applied]:
    """Make schedules say what the calendar says; return entry → what was done. Safe to repeat; a pause stays."""
    done = {name: await _apply_one(client, name, drills, drill) for name, drill in sorted(drills.calendar.items())}
    async for name in listed(client):
        if name not in drills.calendar:
            await handle_of(client, name).delete()
            done[name] = Applied.REMOVED
    return done


async def listed(client: Client) -> AsyncIterator[str]:
    """Yield the entries that have a schedule on our task queue."""
    async for one in await client.list_schedules():
        name = one.id.removeprefix(PREFIX)
        if name == one.id or (found := await described(client, name)) is None:
            continue
        action = found.schedule.action
        if isinstance(action, ScheduleActionStartWorkflow) and action.task_queue == task_queue():
            yield name


async def _apply_one(client: Client, name: str, drills: Drills, drill: Drill) -> Applied:
    wanted, digest = _schedule(name, drills, drill), _digest(drills, drill)
    found = await described(client, name)
    if found is None:
        try:
            await client.create_schedule(f"{PREFIX}{name}", wanted)
        except ScheduleAlreadyRunningError:  # a colleague was quicker
            return await _apply_one(client, name, drills, drill)
        return Applied.MADE
    if await _digest_in(client, found) == digest:
        return Applied.SAME

    def changed(now: ScheduleUpdateInput) -> ScheduleUpdate:
        wanted.state = now.description.schedule.state
        return ScheduleUpdate(schedule=wanted)

    await handle_of(client, name).update(changed)
    return Applied.CHANGED


def _schedule(name: str, drills: Drills, drill: Drill) -> Schedule:
    action = ScheduleActionStartWorkflow(
        "drill-due",
        DueRequest(drill=name, by=drill.owner),
        id=f"drill-due/{name}",
        task_queue=task_queue(),
        task_timeout=TASK_TIMEOUT,
        memo={_ENTRY: _digest(drills, drill)},
        static_summary=f"{drill.kind.value} {drill.target}",
    )
    policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CAUGHT_UP_WITHIN, pause_on_failure=True)
    return Schedule(action=action, spec=spec_of(drills, drill), policy=policy)


def _digest(drills: Drills, drill: Drill) -> str:
    said = f"{drills.time_zone}\n{task_queue()}\n{drill.model_dump_json()}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


async def _digest_in(client: Client, found: ScheduleDescription) -> str:
    """Return the digest of the entry that a schedule was made from; empty: it has none of ours."""
    action = found.schedule.action
    payload = (action.memo or {}).get(_ENTRY) if isinstance(action, ScheduleActionStartWorkflow) else None
    if payload is None or isinstance(payload, str):
        return payload or ""
    (value,) = await client.data_converter.decode([payload])
    return str(value)
