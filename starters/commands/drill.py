"""``failover drill``: the calendar, a drill that is begun by hand, a person's judgement, and the lever that stops all.

The calendar is the workers': a command asks one of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from temporalio.client import Client, ScheduleDescription
from temporalio.common import WorkflowIDConflictPolicy

from activities.drills.calendar import CalendarSeen
from activities.drills.lever import MEMO, lever_of, stopped_since
from estate.drills import Drill, Drills
from starters.client.answers import Answer, CommandError, Exit, Output, must_be_named, respond, respond_about_run
from starters.client.following import again
from starters.client.requests import Typed
from starters.client.results import shape_of
from starters.client.runs import Start, answer_to, begin, must_be_open, must_be_served, send
from starters.client.schedules import described, next_dates
from starters.client.server import task_queue
from starters.client.signing import UNSIGNED, Signing, to_paste
from starters.client.targets import Place
from starters.commands import arguments as arg
from starters.commands.follow import Following
from starters.commands.start import start
from starters.render.tables import Rows
from workers.connection import connect
from workflows.drills.models import DrillRequest, Judgement, StopRequest
from workflows.run.models import Run, Status, lock_of

PROCEDURE = "failover-drill"


def list_command(output: arg.OutputOption = Output.TEXT) -> None:
    """Show the calendar.

    What is drilled when, the next five dates, and how each schedule stands.
    """
    respond(output, listed())


def start_command(  # noqa: PLR0913 - one parameter an option
    drill: arg.DrillName,
    *,
    notice: arg.Notice = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    follows: arg.Follow = None,
    timeout: arg.Timeout = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Hold a drill now, inside its window.

    It moves what it drills, and moves it back. What it needs and why it may be refused: failover plan failover-drill NAME.
    """
    typed = Typed(PROCEDURE, drill, by=by, reason=reason, notice=notice)
    respond_about_run(output, start(typed, Following.typed(output, timeout, follows, None), run=Run.REAL))


def judge_command(  # noqa: PLR0913 - one parameter an option
    drill: arg.DrillName,
    *,
    passed: arg.Passed,
    notes: arg.Notes,
    by: arg.By = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Say how a drill went that is over.

    Your judgement stands in its record, beside what was measured.
    """
    respond_about_run(output, judge(drill, by, notes, passed=passed, signing=Signing(key, printed)))


def stop_command(*, by: arg.By = "", reason: arg.Reason = "", output: arg.OutputOption = Output.TEXT) -> None:
    """Stop all drills.

    None begins, and those that go on take their way back, until they are resumed.
    """
    respond(output, stop(by, reason))


def resume_command(*, by: arg.By = "", output: arg.OutputOption = Output.TEXT) -> None:
    """Let drills begin again."""
    respond(output, resume(by))


async def calendar(client: Client) -> Drills:
    """Return the calendar of the worker's estate. CommandError: there is none, or no worker."""
    await must_be_served(client, "nobody knows the calendar")
    start = Start("drills-calendar", {}, f"drills/calendar/{task_queue()}", if_open=WorkflowIDConflictPolicy.USE_EXISTING)
    seen = await answer_to(client, start, CalendarSeen)
    if seen.drills is None or not seen.drills.calendar:
        raise CommandError(Exit.USAGE, "drills: the inventory has no calendar; write one under drills (docs/drills.md)")
    return seen.drills


async def listed() -> Answer:
    """Show the calendar, and whether drills are stopped."""
    client = await connect()
    drills = await calendar(client)
    now, stopped = datetime.now(UTC), await stopped_since(client, task_queue())
    found = {name: await described(client, name) for name in drills.calendar}
    data = {name: entry_json(drills, drill, found[name], now) for name, drill in sorted(drills.calendar.items())}
    view = calendar_view(drills, data)
    words = [Text(f"DRILLS ARE STOPPED {stopped}: failover drill resume", style="bold red")] if stopped else []
    return Answer(Exit.DONE, {"stopped": stopped, "time_zone": drills.time_zone, "drills": data}, Group(*words, view))


def entry_json(drills: Drills, drill: Drill, schedule: ScheduleDescription | None, now: datetime) -> dict[str, Any]:
    """Return what is told of one entry."""
    dates = [at.isoformat() for at in next_dates(drills, drill, now)]
    state = schedule.schedule.state if schedule else None
    return {
        "kind": drill.kind.value,
        "target": drill.target,
        "every": drill.every.value,
        "window": f"{drill.window.begins:%H:%M}-{drill.window.ends:%H:%M}",
        "owner": drill.owner,
        "next": dates,
        "schedule": "none" if state is None else "paused" if state.paused else "on",
        "note": (state.note or "") if state else "",
    }


def calendar_view(drills: Drills, data: dict[str, dict[str, Any]]) -> RenderableType:
    """Return what people read."""
    table = Rows("drill", "what", "every", "window", "next dates", "schedule", indent=0)
    for name, one in data.items():
        dates = "\n".join(f"{datetime.fromisoformat(at):%a %Y-%m-%d %H:%M}" for at in one["next"])
        style = "" if one["schedule"] == "on" else "yellow"
        table.add_row(
            name, f"{one['kind']} {one['target']}", one["every"], one["window"], dates, Text(one["schedule"], style=style)
        )
    notes = [Text(f"times are of {drills.time_zone}", style="dim")]
    notes += [Text(f"{name} is paused: {one['note']}") for name, one in data.items() if one["schedule"] == "paused"]
    if any(one["schedule"] == "none" for one in data.values()):
        notes.append(Text("make the schedules: failover drill schedule apply"))
    return Group(table, *notes)


async def judge(drill: str, by: str, notes: str, *, passed: bool, signing: Signing = UNSIGNED) -> Answer:
    """Send a person's word on a drill that is over."""
    must_be_named(by)
    if not notes.strip():
        raise CommandError(Exit.USAGE, "notes: empty; say what was seen")
    client = await connect()
    place = Place(lock_of(DrillRequest.subject, drill.removeprefix(lock_of(DrillRequest.subject, ""))))
    chronicle = await must_be_open(client, place)
    word = await signing.sign("drill judge", Judgement(by=by, passed=passed, notes=notes), place, chronicle)
    if signing.printed:
        return to_paste(word)
    status = await send(client, place.of(chronicle.run_id), "judge", word, model=Status, what="the judgement")
    text = f"{by} says {'PASS' if passed else 'FAIL'}; the record is sealed: {again(place)}"
    return Answer(Exit.DONE, shape_of(chronicle, status), Text(text))


async def stop(by: str, reason: str) -> Answer:
    """Stop all drills."""
    must_be_named(by)
    if not reason.strip():
        raise CommandError(Exit.USAGE, "reason: missing; say why drills are stopped: who finds it later must know")
    client = await connect()
    words = f"by {by}: {reason}"
    request = StopRequest(by=by, reason=reason)
    await begin(client, Start("drills-stop", request, lever_of(task_queue()), summary=words, memo={MEMO: words}))
    lines = ["no drill begins; those that go on take their way back", "let them begin again: failover drill resume"]
    return Answer(Exit.DONE, {"stopped": words}, "\n".join(lines))


async def resume(by: str) -> Answer:
    """Let drills begin again."""
    must_be_named(by)
    client = await connect()
    if not await stopped_since(client, task_queue()):
        return Answer(Exit.DONE, {"stopped": ""}, "drills were not stopped")
    await client.get_workflow_handle(lever_of(task_queue())).signal("resume", by)
    return Answer(Exit.DONE, {"stopped": ""}, "drills begin again, each on its next date: failover drill list")
