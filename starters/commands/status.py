"""``status``: how one run stands, or everything that is open. Reads history, so it answers without any worker too."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.text import Text
from temporalio.client import Client

from starters.client.answers import Answer, CommandError, Exit, Output, Verbatim, respond, respond_about_run
from starters.client.detections import standing
from starters.client.following import Watched, again, seen
from starters.client.requests import ours
from starters.client.results import answer_of, machine_view, view_of
from starters.client.runs import explaining, no_worker
from starters.client.server import has_worker
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.commands.detection import exit_of, watches_json, watches_view
from starters.commands.pause import Pause, pauses
from starters.commands.readiness import standing as readiness_of
from starters.commands.readiness import standing_block
from starters.commands.standing import standings, standings_view
from starters.history.model import Facts, facts_of
from starters.history.next_steps import remedy_of
from starters.history.parse import Chronicle
from starters.render import words
from starters.render.live import clock
from starters.render.tables import Rows
from starters.render.terminal import people_lines, plan_lines, timeline_table
from starters.render.waiting import notices, waiting_lines
from workers.connection import connect
from workflows.postgres.models import lock_id, pause_id
from workflows.run.models import Status
from workflows.run.phases import Trait, has

_RETURNS = "WorkflowType = 'node-return' AND ExecutionStatus = 'Running'"


def _open() -> str:
    return f"{ours()} AND ExecutionStatus = 'Running'"


def status_command(target: arg.AnyTarget = None, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Show how a run stands: phase, plan, whom it waits for. Exits with 4 while it waits for people.

    Without TARGET: whether each cluster takes writes, all open runs, pauses and detection. Exits with 1 when a cluster
    takes no writes, or when detection is blind or finds a target down and has begun nothing for it.
    """
    if target:
        respond_about_run(output, status_of(target))
    respond(output, all_open())


async def status_of(target: str) -> Answer:
    """Say how one run stands; for one that has ended, how it ended."""
    client = await connect()
    place = await find(client, target)
    cluster = place.workflow_id.removeprefix(lock_id(""))
    standing = await pauses(client, pause_id(cluster)) if place.workflow_id == lock_id(cluster) else ()
    try:
        return _with_pauses(await _status_of(client, place), standing)
    except CommandError as error:
        if not standing:
            raise
        return _with_pauses(Answer(Exit.DONE, text=Text(str(error))), standing)


def _with_pauses(answer: Answer, standing: tuple[Pause, ...]) -> Answer:
    """Return ``answer`` with the pauses that stand, below what else there is to say."""
    lines = [Text(one.line, style="yellow") for one in standing]
    text = Group(*([answer.text] if answer.text is not None and not isinstance(answer.text, Verbatim) else []), *lines)
    data = {**answer.data, "pauses": [one.model_dump() for one in standing]}
    return replace(answer, data=data, text=text)


async def _status_of(client: Client, place: Place) -> Answer:
    async with explaining(client):
        watched = await seen(client, place)
    facts = facts_of(watched.chronicle)
    if not facts.open:
        return _with_remedy(answer_of(facts), facts)
    code = Exit.WAITING if watched.waits_for_people else Exit.DONE
    return _with_remedy(Answer(code, view_of(watched), _view(watched, facts)), facts)


def _with_remedy(answer: Answer, facts: Facts) -> Answer:
    """Return ``answer`` with what a person should do about the run."""
    remedy = remedy_of(facts)
    data = {**answer.data, "remedy": list(remedy.lines) if remedy else [], "resumable": bool(remedy and remedy.resumable)}
    if remedy is None or answer.text is None or isinstance(answer.text, Verbatim):
        return replace(answer, data=data)
    told = [Text(), Text("What to do", style="bold"), *(Text(f"  {line}") for line in remedy.lines)]
    return replace(answer, data=data, text=Group(answer.text, *told))


def _view(watched: Watched, facts: Facts) -> RenderableType:
    status, chronicle = watched.status, watched.chronicle
    plan = (status.plan if status else None) or facts.known.plan
    parts: list[RenderableType] = [
        Text(words.title(facts), style="bold"),
        Text(words.headline(facts)),
        Text(f"  asked by {words.who(facts.asked.by)}: {facts.asked.reason or 'no reason given'}", style="dim"),
        Text(f"  {clock(chronicle, datetime.now(UTC))}"),
    ]
    parts += [Text(f"  {line}") for line in (plan_lines(plan) if plan else [])]
    parts += [timeline_table(facts)]
    parts += [Text(f"  {line}") for line in [*people_lines(facts), *_of_itself(status)]]
    parts += [Text(f"  {line}", style="yellow") for line in notices(watched)]
    parts += [Text(line, style="dim") for line in _ways_on(chronicle, status, watched.place)]
    return Group(*parts)


def _ways_on(chronicle: Chronicle, status: Status | None, place: Place) -> list[str]:
    """Return how to follow an open run, and how to stop it as long as that is possible."""
    stoppable = has(chronicle.phase, Trait.CANCELLABLE) and not (status and status.forward_only)
    return [f"follow it: {again(place)}", *([f"stop it: failover cancel {place.name}"] if stoppable else [])]


def _of_itself(status: Status | None) -> list[str]:
    if status is None:
        return []
    undo = [f"a cancel would: {what}" for what in status.would_undo]
    return undo + [f"left to do: {what}" for what in status.left_to_do]


async def all_open() -> Answer:
    """Say which clusters take writes, what is open, and whether any worker serves it."""
    client = await connect()
    served = await has_worker(client)
    looking = asyncio.create_task(standings(client, served=served))
    places = [Place(found.id, found.run_id) async for found in client.list_workflows(_open())]
    runs = await asyncio.gather(*(seen(client, place) for place in places))
    waits = any(run.waits_for_people for run in runs) or (bool(runs) and not served)
    returns = [found.id async for found in client.list_workflows(_RETURNS)]
    watches, readiness, clusters = await standing(client), await readiness_of(client), await looking
    data = {
        "worker": served,
        "clusters": None if clusters.unknown else [one.model_dump(mode="json") for one in clusters.clusters],
        "runs": [machine_view(facts_of(run.chronicle), run.status) for run in runs],
        "returns": returns,
        "watches": watches_json(watches),
        "readiness": readiness.model_dump(mode="json") if readiness else None,
    }
    told = [Text(f"{one}: waits until that node is healthy, to return it to service", style="yellow") for one in returns]
    text = Group(
        *standings_view(clusters), *_listed(runs), *told, Text(), watches_view(watches), Text(), standing_block(readiness)
    )
    complaint = "" if served else no_worker()
    code = Exit.WAITING if waits else Exit.FAILED if clusters.down else exit_of(watches)
    answer = Answer(code, data, text, complaint=complaint)
    return _with_pauses(answer, await pauses(client))


def _listed(runs: list[Watched]) -> list[RenderableType]:
    """Return the open runs, and below them what each waits for."""
    if not runs:
        return [Text("no run is open")]
    parts: list[RenderableType] = [_table([facts_of(run.chronicle) for run in runs])]
    for run in runs:
        name, lines = run.place.name, waiting_lines(run)
        parts += [Text(), Text(name, style="bold"), *(Text(f"  {line}", style="yellow") for line in lines)]
        parts += [Text(f"  {line}", style="dim") for line in _ways_on(run.chronicle, run.status, run.place)]
    return parts


def _table(runs: list[Facts]) -> Rows:
    table = Rows("run", "what", "phase", "since", "asked by", indent=0)
    for run in runs:
        name = Place(run.workflow_id).name
        table.add_row(name, words.title(run), run.phase or "-", words.moment(run.started_at), words.who(run.asked.by))
    return table
