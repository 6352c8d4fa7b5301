"""``failover detection``: starts and stops failure detection, shows how it stands, and re-arms automatic failover.

How each detection stands is in the memo of its workflow, so that ``status`` shows it without any worker. The workflows are
called *watches*, by their registered names.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.text import Text
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from activities.run.watches import WATCHES
from starters.client.answers import Answer, CommandError, Exit, Output, confirmed, must_be_named, respond
from starters.client.detections import standing
from starters.client.runs import Start, answer_to, must_be_served, send
from starters.client.targets import Place
from starters.commands import arguments as arg
from starters.render.tables import Rows
from workers.connection import connect
from workflows.detection.models import Acknowledgement, StartedWatches, WatchersRequest, WatchStatus

_AT_MOST = timedelta(minutes=2)
_STARTING = "watchers-start"


def start_command(target: arg.Detected = None, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Start failure detection.

    Of all that the inventory lists, or of one target. Detection that runs already reads the inventory again.
    """
    respond(output, start(target))


def stop_command(target: arg.Detected = None, *, yes: arg.Yes = False, output: arg.OutputOption = Output.TEXT) -> None:
    """Stop failure detection.

    Of one target, or of all after you confirm. A failover that it has begun goes on.
    """
    respond(output, stop(target, output, yes=yes))


def status_command(target: arg.Detected = None, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Show each target, its policy, and what the observers see.

    Exits with 1 when a target is down and nothing is begun for it, or when no majority of observers sees.
    """
    respond(output, status(target))


def rearm_command(
    target: arg.OneDetection, *, by: arg.By = "", note: arg.Note = "", output: arg.OutputOption = Output.TEXT
) -> None:
    """Re-arm automatic failover after it has fired.

    Ends the cool-down: the next failover may be automatic again.
    """
    respond(output, rearm(target, by, note))


async def start(target: str | None) -> Answer:
    """Start what is missing, and let the rest read the inventory again."""
    client = await connect()
    await must_be_served(client)
    wanted = target.removeprefix(WATCHES) if target else None
    try:
        request = WatchersRequest(target=wanted)
    except ValidationError as error:
        raise CommandError(Exit.USAGE, f"target: {error.errors()[0]['msg']}; use a name of the inventory") from error
    own_id, shared = f"{_STARTING}/{wanted or 'all'}", WorkflowIDConflictPolicy.USE_EXISTING
    done = await answer_to(client, Start(_STARTING, request, own_id, at_most=_AT_MOST, if_open=shared), StartedWatches)
    lines = [f"{one}: started" for one in done.started] + [
        f"{one}: runs, and reads the inventory again" for one in done.running
    ]
    text = (
        "\n".join([*lines, "what they see: failover detection status"]) if lines else "the inventory lists nothing to detect"
    )
    return Answer(Exit.DONE, done.model_dump(), text)


async def stop(target: str | None, output: Output, *, yes: bool) -> Answer:
    """Stop one detection, or all; a failover that it has begun goes on."""
    client = await connect()
    if target:
        chosen = [await _find(client, target)]
    else:
        chosen = list(await standing(client))
        if chosen and not yes:
            _must_be_confirmed(chosen, output)
    for own in chosen:
        await client.get_workflow_handle(own).cancel()
    lines = [f"{own}: stopped" for own in chosen] or ["no failure detection runs"]
    data = {"stopped": chosen[0] if target else chosen}
    return Answer(Exit.DONE, data, "\n".join([*lines, "start it again: failover detection start"]))


def _must_be_confirmed(chosen: list[str], output: Output) -> None:
    """Return if a person on a terminal agrees to stop all. CommandError: nobody does."""
    what = f"{len(chosen)} ({', '.join(chosen)})"
    if output is Output.JSON or not sys.stdin.isatty():
        raise CommandError(
            Exit.USAGE, f"target: missing; without one all failure detection stops: {what}; to do that: --yes, or name one"
        )
    if not confirmed(f"Stop all failure detection: {what}?"):
        raise CommandError(Exit.USAGE, "nothing was stopped")


async def status(target: str | None) -> Answer:
    """Show how detection stands."""
    client = await connect()
    found = await standing(client)
    if target:
        own = await _find(client, target)
        found = {own: found[own]}
    return Answer(exit_of(found), {"watches": watches_json(found)}, watches_view(found))


async def rearm(target: str, by: str, note: str) -> Answer:
    """End the cool-down of one detection."""
    must_be_named(by)
    client = await connect()
    own = await _find(client, target)
    await must_be_served(client, "nothing was re-armed")
    message = Acknowledgement(by=by, note=note)
    after = await send(client, Place(own), "acknowledge", message, model=WatchStatus, what="the re-arming")
    text = f"{own}: re-armed; the next failover follows its policy again ({after.policy})"
    return Answer(Exit.DONE, {"acknowledged": own, "status": after.model_dump(mode="json")}, text)


def exit_of(watches: dict[str, WatchStatus]) -> Exit:
    """Return the exit code that tells whether somebody must look."""
    return Exit.FAILED if any(one.alarm for one in watches.values()) else Exit.DONE


def watches_json(watches: dict[str, WatchStatus]) -> dict[str, dict[str, Any]]:
    """Return watch → what it said last, with what people read of it."""
    return {
        name: {**one.model_dump(mode="json"), "headline": one.headline, "alarm": one.alarm} for name, one in watches.items()
    }


def watches_view(watches: dict[str, WatchStatus]) -> RenderableType:
    """Return what people read."""
    if not watches:
        return Text("no failure detection runs; start it: failover detection start", style="dim")
    table = Rows("detection", "policy", "how it stands", indent=0)
    notes: list[Text] = []
    for name, one in watches.items():
        calm = one.cooling is None and not one.alarm and not one.open
        style = "bold red" if one.blind else "" if calm else "yellow"
        table.add_row(name, one.policy, Text(one.headline, style=style))
        if one.last_words:
            notes.append(Text(f"{name}, {one.last_words}", style="dim"))
        notes += [Text(f"{name}: {line}", style="bold") for line in one.advice if line not in one.last_words]
        notes += [Text(f"{name}: {line}", style="yellow") for line in one.silent]
        if one.cooling and one.cooling.until > datetime.now(UTC):
            notes.append(Text(f"re-arm automatic failover: failover detection re-arm {name} --by NAME"))
    return Group(table, *notes)


async def _find(client: Client, target: str) -> str:
    """Return the workflow ID that ``target`` names: ``orders``, ``postgres/orders`` or ``watch/postgres/orders``.

    Raises:
        CommandError: there is none that runs, or more than one.

    """
    running = list(await standing(client))
    found = [one for one in running if one in {target, f"{WATCHES}{target}"} or one.rpartition("/")[2] == target]
    if len(found) == 1:
        return found[0]
    known = ", ".join(found or running) or "none; start it: failover detection start"
    raise CommandError(
        Exit.USAGE, f"target: {target!r} names {'more than one detection' if found else 'no detection'}; there is {known}"
    )
