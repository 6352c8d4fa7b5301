"""``failover drill schedule``: makes Temporal's schedules say what the calendar says, begins one now, pauses one."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text
from temporalio.client import Client, ScheduleHandle, ScheduleOverlapPolicy

from starters.client.answers import Answer, CommandError, Exit, Output, must_be_named, respond
from starters.client.schedules import Applied, apply, described, handle_of, listed, next_dates
from starters.commands import arguments as arg
from starters.commands.drill import calendar
from starters.commands.drill import listed as list_calendar
from workers.connection import connect


def apply_command(output: arg.OutputOption = Output.TEXT) -> None:
    """Make the schedules of the calendar.

    Makes, changes and removes them until they say what the inventory says. Safe to repeat.
    """
    respond(output, apply_all())


def list_command(output: arg.OutputOption = Output.TEXT) -> None:
    """Show the calendar and its schedules."""
    respond(output, list_calendar())


def trigger_command(drill: arg.DrillName, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Begin a drill now, as on its date.

    Outside its window the drill refuses.
    """
    respond(output, trigger(drill))


def pause_command(
    drill: arg.DrillName, *, by: arg.By = "", reason: arg.Reason = "", output: arg.OutputOption = Output.TEXT
) -> None:
    """Let a schedule begin nothing until it is resumed."""
    respond(output, pause(drill, by, reason))


def resume_command(drill: arg.DrillName, *, by: arg.By = "", output: arg.OutputOption = Output.TEXT) -> None:
    """Let a paused schedule go on.

    After a pause, or after a drill that did not pass.
    """
    respond(output, resume(drill, by))


async def apply_all() -> Answer:
    """Make the schedules."""
    client = await connect()
    drills = await calendar(client)
    done = await apply(client, drills)
    now, lines, dates = datetime.now(UTC), list[str](), dict[str, list[str]]()
    for name, what in done.items():
        lines.append(f"{name}: {what.value}")
        if what is Applied.REMOVED:
            continue
        due = next_dates(drills, drills.calendar[name], now)
        dates[name] = [at.isoformat() for at in due]
        lines += [f"  {at:%a %Y-%m-%d %H:%M %Z}" for at in due]
    data = {"applied": {name: what.value for name, what in done.items()}, "next": dates}
    return Answer(Exit.DONE, data, Text("\n".join(lines)))


async def trigger(name: str) -> Answer:
    """Begin one now."""
    client = await connect()
    await (await _one(client, name)).trigger(overlap=ScheduleOverlapPolicy.SKIP)
    return Answer(Exit.DONE, {"triggered": name}, f"{name}: begins now; follow it: failover follow drill/{name}")


async def pause(name: str, by: str, reason: str) -> Answer:
    """Pause one."""
    must_be_named(by)
    if not reason.strip():
        raise CommandError(Exit.USAGE, "reason: missing; say why: who finds it later must know")
    client = await connect()
    await (await _one(client, name)).pause(note=f"{by}: {reason}")
    return Answer(Exit.DONE, {"paused": name}, f"{name}: begins nothing until failover drill schedule resume {name}")


async def resume(name: str, by: str) -> Answer:
    """Let one go on."""
    must_be_named(by)
    client = await connect()
    await (await _one(client, name)).unpause(note=f"resumed by {by}")
    return Answer(Exit.DONE, {"resumed": name}, f"{name}: begins on its dates again")


async def _one(client: Client, name: str) -> ScheduleHandle:
    """Return the schedule of ``name``. CommandError: there is none."""
    if await described(client, name) is None:
        known = ", ".join(sorted([one async for one in listed(client)])) or "none: failover drill schedule apply"
        raise CommandError(Exit.USAGE, f"drill: {name!r} has no schedule; there is {known}")
    return handle_of(client, name)
