"""``failover watchers``: start the watches that the estate asks for, end one, acknowledge an automatic failover.

What they see stands in each watch's memo, so that ``status`` shows it without any worker.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from activities.run.errors import Refusal
from activities.run.models.wire import read
from starters.client.answers import Answer, CommandError, Exit, must_be_named
from starters.client.server import NO_WORKER, has_worker, task_queue
from workers.connection import connect
from workflows.detection.models import Acknowledgement, StartedWatches, WatchersRequest, WatchStatus
from workflows.detection.requests import WATCH_OF
from workflows.run.automatic import WATCHES
from workflows.run.models import TASK_TIMEOUT

_AT_MOST = timedelta(minutes=2)
_OPEN = "WorkflowType IN ({}) AND ExecutionStatus = 'Running'".format(", ".join(f"'{one}'" for one in WATCH_OF.values()))
_STARTING = "watchers-start"


async def start(target: str | None) -> Answer:
    """Start what is not watched yet, and let the rest read the estate anew."""
    client = await connect()
    if not await has_worker(client):
        raise CommandError(Exit.WAITING, f"nothing was started: {NO_WORKER.format(queue=task_queue())}")
    wanted = target.removeprefix(WATCHES) if target else None
    try:
        handle = await client.start_workflow(
            _STARTING,
            WatchersRequest(target=wanted),
            id=f"{_STARTING}/{wanted or 'all'}",
            task_queue=task_queue(),
            task_timeout=TASK_TIMEOUT,
            execution_timeout=_AT_MOST,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            result_type=StartedWatches,
        )
        done = read(StartedWatches, await handle.result())
    except ValidationError as error:
        raise CommandError(Exit.USAGE, f"target: {error.errors()[0]['msg']}; use a name of the estate") from error
    except WorkflowFailureError as error:
        raise _complaint(error) from error
    lines = [f"{one}: started" for one in done.started] + [f"{one}: runs, and reads the estate anew" for one in done.running]
    text = "\n".join([*lines, "what they see: failover status"]) if lines else "the estate lists nothing to watch"
    return Answer(Exit.DONE, done.model_dump(), text)


async def stop(target: str) -> Answer:
    """End one watch; a failover that it has begun goes on."""
    client = await connect()
    own = await _find(client, target)
    await client.get_workflow_handle(own).cancel()
    return Answer(Exit.DONE, {"stopped": own}, f"{own} ends; start it again: failover watchers start")


async def acknowledge(target: str, by: str, note: str) -> Answer:
    """End the cool-down of one watch."""
    must_be_named(by)
    client = await connect()
    own = await _find(client, target)
    if not await has_worker(client):
        raise CommandError(Exit.WAITING, f"nothing was acknowledged: {NO_WORKER.format(queue=task_queue())}")
    word = Acknowledgement(by=by, note=note)
    try:
        status = await client.get_workflow_handle(own).execute_update("acknowledge", word, result_type=WatchStatus)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        words = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise CommandError(Exit.REFUSED, words) from error
    text = f"{own}: acknowledged; the next failover follows its policy again ({status.policy})"
    return Answer(Exit.DONE, {"acknowledged": own, "status": status.model_dump(mode="json")}, text)


async def standing(client: Client) -> dict[str, WatchStatus]:
    """Return watch → what it said last, of all that run, sorted."""
    found = {}
    async for one in client.list_workflows(_OPEN):
        said: Any = await one.memo_value("watch", None)
        found[one.id] = read(WatchStatus, said) if said else WatchStatus(target=one.id, policy="", witnesses=())
    return dict(sorted(found.items()))


def watches_view(watches: dict[str, WatchStatus]) -> RenderableType:
    """Return what people read."""
    if not watches:
        return Text("nothing is watched; start it: failover watchers start", style="dim")
    table = Table("watch", "policy", "how it stands", box=None, padding=(0, 2), header_style="dim")
    notes: list[Text] = []
    for name, one in watches.items():
        calm = one.cooling is None and not one.gone and not one.open
        table.add_row(name, one.policy, Text(one.headline, style="" if calm else "yellow"))
        if one.last_words:
            notes.append(Text(f"{name}, {one.last_words}", style="dim"))
        notes += [Text(f"{name}: {line}", style="yellow") for line in one.silent]
        if one.cooling and one.cooling.until > datetime.now(UTC):
            notes.append(Text(f"let {name} act by itself again: failover watchers acknowledge {name} --by NAME"))
    return Group(table, *notes)


async def _find(client: Client, target: str) -> str:
    """Return the ID of the watch that ``target`` names: ``orders``, ``postgres/orders`` or ``watch/postgres/orders``.

    Raises:
        CommandError: there is none that runs, or more than one.

    """
    running = list(await standing(client))
    found = [one for one in running if one in {target, f"{WATCHES}{target}"} or one.rpartition("/")[2] == target]
    if len(found) == 1:
        return found[0]
    known = ", ".join(found or running) or "none; start them: failover watchers start"
    raise CommandError(Exit.USAGE, f"target: {target!r} names {'more than one' if found else 'no'} watch; there is {known}")


def _complaint(error: WorkflowFailureError) -> CommandError:
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return CommandError(Exit.FAILED, f"the watches were not started: {cause or error}")
    code = Exit.USAGE if cause.type == Refusal.BAD_INPUT.value else Exit.REFUSED
    return CommandError(code, cause.message)
