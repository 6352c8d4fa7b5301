"""``failover notices``: starts and stops telling people of runs, shows how the targets stand, and tries them.

One workflow, ``notices``, tells all targets; how they stand is in its memo, so that ``status`` shows it without any worker.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from rich.console import Group, RenderableType
from rich.text import Text
from temporalio.client import Client

from activities.notices.standing import NOTICES, memo_of
from activities.run.models.wire import read
from starters.client.answers import Answer, Exit, Output, respond
from starters.client.runs import Start, answer_to, begin, must_be_served
from starters.commands import arguments as arg
from starters.render.tables import Rows
from workers.connection import connect
from workflows.notices.models import CHECK, Checked, CheckRequest, NoticesStatus

_AT_MOST = timedelta(minutes=3)
_NOT_RUNNING = "nobody is told of runs; start it: failover notices start"


def start_command(*, output: arg.OutputOption = Output.TEXT) -> None:
    """Start telling people of runs.

    Where it runs already, it goes on with the code that the worker has now. The inventory is read at every look.
    """
    respond(output, start())


def stop_command(*, output: arg.OutputOption = Output.TEXT) -> None:
    """Stop telling people of runs.

    Runs go on; no run depends on it.
    """
    respond(output, stop())


def status_command(*, output: arg.OutputOption = Output.TEXT) -> None:
    """Show which targets take what they are sent.

    Exits with 1 when one does not, or when nobody is told.
    """
    respond(output, status())


def try_command(target: arg.NoticeTarget = "", *, output: arg.OutputOption = Output.TEXT) -> None:
    """Send each target a test text.

    Exits with 1 when one has not taken it.
    """
    respond(output, tried(target))


async def start() -> Answer:
    """Start the workflow, or let the one that runs begin another history."""
    client = await connect()
    await must_be_served(client)
    targets = sorted((await _checked(client, CheckRequest(send=False), "start")).targets)
    if runs := await memo_of(client) is not None:
        await client.get_workflow_handle(NOTICES).signal("begin_anew")
    else:
        await begin(client, Start(NOTICES, {}, NOTICES, summary="tells people of runs"))
    done = "runs already, and goes on with the worker's code" if runs else "started"
    text = f"{NOTICES}: {done}; told are {', '.join(targets)}\ntry them: failover notices test"
    return Answer(Exit.DONE, {"started": not runs, "targets": targets}, text)


async def stop() -> Answer:
    """Stop the workflow."""
    client = await connect()
    runs = await memo_of(client) is not None
    if runs:
        await client.get_workflow_handle(NOTICES).cancel()
    text = f"{NOTICES}: stopped; start it again: failover notices start" if runs else _NOT_RUNNING
    return Answer(Exit.DONE, {"stopped": runs}, text)


async def status() -> Answer:
    """Show how the targets stand."""
    memo = await memo_of(await connect())
    if memo is None:
        return Answer(Exit.FAILED, {"running": False, "targets": {}, "lost": []}, _NOT_RUNNING)
    found = read(NoticesStatus, memo)
    code = Exit.FAILED if any(one.why for one in found.targets.values()) else Exit.DONE
    return Answer(code, {"running": True, **found.model_dump(mode="json")}, _view(found))


def _view(found: NoticesStatus) -> RenderableType:
    table = Rows("target", "how it stands", "told of", indent=0)
    for name, one in found.targets.items():
        since = f" since {one.failing_since:%Y-%m-%d %H:%M:%S} UTC" if one.failing_since else ""
        stands = f"takes nothing{since}: {one.why} ({one.waiting} wait)" if one.why else "takes what it is sent"
        table.add_row(name, Text(stands, style="bold red" if one.why else ""), ", ".join(one.events) or "escalations")
    lost = [
        Text(f"not delivered to {one.target} ({one.at:%Y-%m-%d %H:%M:%S} UTC): {one.title}: {one.why}", style="yellow")
        for one in found.lost
    ]
    return Group(table, *lost)


async def tried(target: str) -> Answer:
    """Send each target a text."""
    client = await connect()
    await must_be_served(client, "nothing was sent")
    found = await _checked(client, CheckRequest(target=target), "test")
    lines = [f"{name}: {f'FAILED: {why}' if why else 'ok'}" for name, why in sorted(found.targets.items())]
    return Answer(Exit.FAILED if any(found.targets.values()) else Exit.DONE, found.model_dump(), "\n".join(lines))


async def _checked(client: Client, request: CheckRequest, what: str) -> Checked:
    """Return what the check says. CommandError: the inventory lists no target, or not that one."""
    begun = Start(CHECK, request, f"{CHECK}/{what}/{uuid4().hex[:8]}", at_most=_AT_MOST)
    return await answer_to(client, begun, Checked, otherwise=Exit.USAGE)
