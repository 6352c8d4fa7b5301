"""``cancel``: asks a run to stop and undo."""

from __future__ import annotations

from pydantic import ValidationError
from rich.text import Text
from temporalio.client import Client

from starters.client.answers import Answer, CommandError, Exit, Output, respond_about_run
from starters.client.following import again, read_until_closed
from starters.client.results import machine_view
from starters.client.runs import must_be_open, no_worker
from starters.client.server import ask_status, has_worker
from starters.client.signing import UNSIGNED, Signing
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.history.model import facts_of
from starters.history.parse import Chronicle
from starters.render.terminal import brief
from workers.connection import connect
from workflows.run.models import CancelNote, Status
from workflows.run.phases import Trait, has

_END_WITHIN_SECONDS = 20.0


def cancel_command(
    target: arg.Target,
    *,
    by: arg.By = "",
    reason: arg.Reason = "",
    key: arg.Key = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Stop a run and undo what it did.

    Refused after the promotion: then nothing can be undone, and the run goes on to its end. Only the last wait, until the
    old primary follows, can be ended then; the old primary goes on following automatically.
    """
    respond_about_run(output, cancel(target, by, reason, Signing(key)))


async def cancel(target: str, by: str = "", reason: str = "", signing: Signing = UNSIGNED) -> Answer:
    """Ask the run to stop and undo, in the name of ``by``, and wait a little for how it ends."""
    note = _note_of(by, reason)
    client = await connect()
    place = await find(client, target)
    chronicle = await must_be_open(client, place)
    _must_be_known(by, chronicle)
    served = await has_worker(client)
    status = await ask_status(place.handle(client)) if served else None
    if _is_past_return(status, chronicle):
        raise CommandError(
            Exit.REFUSED,
            f"{place.name} is past the point of no return ({chronicle.phase}): it goes on to the end; {again(place)}",
        )
    run = place.of(chronicle.run_id)
    note = await signing.sign("cancel", note, place, chronicle)
    await run.handle(client).cancel(reason=note.model_dump_json())
    return await _end_of(client, run, place, status, served=served)


def _note_of(by: str, reason: str) -> CancelNote:
    try:
        return CancelNote(by=by.strip(), reason=reason)
    except ValidationError as error:
        fault = error.errors()[0]
        raise CommandError(
            Exit.USAGE, f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r:.80}; shorten it"
        ) from error


def _must_be_known(by: str, chronicle: Chronicle) -> None:
    """Return if the estate, as the run was told of it, lists ``by``, lists nobody, or is not known yet."""
    target = chronicle.target
    if by and target and target.people and not target.knows(by):
        known = ", ".join(sorted(target.people))
        raise CommandError(Exit.USAGE, f"people: nobody is called {by}; the estate lists {known}")


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
