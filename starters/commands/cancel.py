"""``cancel``: asks a run to stop and undo."""

from __future__ import annotations

from rich.text import Text
from temporalio.client import Client

from starters.client.answers import Answer, CommandError, Exit, Output, respond_about_run
from starters.client.following import again, read_until_closed
from starters.client.results import machine_view
from starters.client.runs import must_be_open, no_worker
from starters.client.server import ask_status, has_worker
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.history.model import facts_of
from starters.history.parse import Chronicle
from starters.render.terminal import brief
from workers.connection import connect
from workflows.run.models import Status
from workflows.run.phases import Trait, has

_END_WITHIN_SECONDS = 20.0


def cancel_command(target: arg.Target, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Stop a run and undo what it did.

    Refused after the promotion: then nothing can be undone, and the run goes on to its end. Only the last wait, until the
    old primary follows, can be ended then; the old primary goes on following automatically.
    """
    respond_about_run(output, cancel(target))


async def cancel(target: str) -> Answer:
    """Ask the run to stop and undo, and wait a little for how it ends."""
    client = await connect()
    place = await find(client, target)
    chronicle = await must_be_open(client, place)
    served = await has_worker(client)
    status = await ask_status(place.handle(client)) if served else None
    if _is_past_return(status, chronicle):
        raise CommandError(
            Exit.REFUSED,
            f"{place.name} is past the point of no return ({chronicle.phase}): it goes on to the end; {again(place)}",
        )
    await place.handle(client).cancel()
    return await _end_of(client, Place(place.workflow_id, chronicle.run_id), place, status, served=served)


def _is_past_return(status: Status | None, chronicle: Chronicle) -> bool:
    """Whether the run cannot be undone any more: by its own word, and by its phase where no worker answers for it."""
    if status is None or status.forward_only is None:
        return has(chronicle.phase, Trait.NO_WAY_BACK)
    return status.forward_only and not status.can_be_ended


async def _end_of(client: Client, run: Place, place: Place, status: Status | None, *, served: bool) -> Answer:
    chronicle = await read_until_closed(client, run, _END_WITHIN_SECONDS if served else 0.0)
    facts = facts_of(chronicle)
    if facts.open:
        why = chronicle.stuck[:300] if served else no_worker()
        standing = "; ".join(filter(None, (facts.phase or "not begun yet", why, again(place))))
        sentence = f"{place.name} has been asked to stop, but has not stopped yet: it is {standing}"
        return Answer(Exit.FAILED if served else Exit.WAITING, machine_view(facts, status), Text(sentence))
    stopped = facts.outcome in {"cancelled", "rolled back"}
    return Answer(Exit.DONE if stopped else Exit.FAILED, machine_view(facts), brief(facts))
