"""``approve``, ``reject`` and ``cancel``: what people say to a run that is under way.

A vote names the digest of the plan that its sender has looked at. On a terminal the plan is shown and confirmed;
elsewhere the digest must be given, since agreeing to whatever happens to be the plan is no agreement.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta

import typer
from rich.text import Text
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError

from activities.run.models.wire import read
from starters.client.answers import Answer, CommandError, Exit, Output, console, must_be_named
from starters.client.following import again, read_until_closed
from starters.client.results import machine_view
from starters.client.server import NO_WORKER, ask_status, has_worker, read_run, task_queue
from starters.client.targets import Place, find
from starters.history.model import facts_of
from starters.history.parse import Chronicle
from starters.render.terminal import brief, plan_lines
from workers.connection import connect
from workflows.nodes.models import Insistence
from workflows.run.models import Attestation, Decision, Status
from workflows.run.phases import Phase, Trait, has

_ANSWER_WITHIN = timedelta(seconds=15)
_END_WITHIN_SECONDS = 20.0


@dataclass(frozen=True)
class Ballot:
    """A vote as typed."""

    target: str
    approve: bool
    by: str
    plan: str | None
    role: str
    note: str
    attest: bool = False


async def decide(ballot: Ballot, output: Output) -> Answer:
    """Send the vote and say what the run makes of it."""
    must_be_named(ballot.by)
    client = await connect()
    place = await find(client, ballot.target)
    await must_be_open(client, place)
    digest = ballot.plan or await _digest_seen(client, place, ballot, output)
    decision = Decision(by=ballot.by, plan=digest, approve=ballot.approve, role=ballot.role, note=ballot.note)
    decision = decision.model_copy(update={"attest": ballot.attest})
    status = await send_word(client, place, "decide", decision)
    word = "approved" if ballot.approve else "rejected"
    missing = _missing(status)
    text = f"{ballot.by} has {word} plan {digest} of {place.name}; {missing or f'it goes on: {again(place)}'}"
    code = Exit.WAITING if missing else Exit.DONE
    return Answer(code, {"decision": word, "status": status.model_dump(mode="json")}, Text(text))


async def must_be_open(client: Client, place: Place) -> Chronicle:
    """Return the run.

    Raises:
        CommandError: it has ended.

    """
    chronicle = await read_run(client, place)
    if chronicle.close:
        raise CommandError(
            Exit.REFUSED, f"{place.name} has ended ({chronicle.close}), nothing waits; see failover report {place.name}"
        )
    return chronicle


async def _digest_seen(client: Client, place: Place, ballot: Ballot, output: Output) -> str:
    """Show the plan and have it confirmed; return its digest."""
    status = await ask_status(place.handle(client))
    if status is None:
        raise CommandError(Exit.FAILED, f"{place.name} does not answer: {await _why_silent(client)}")
    if status.plan is None or status.phase is not Phase.AWAITING_APPROVAL:
        raise CommandError(Exit.REFUSED, f"{place.name} does not wait for a decision: it is {status.phase.value}")
    digest = status.plan.digest
    if output is Output.JSON or not sys.stdin.isatty():
        raise CommandError(
            Exit.USAGE, f"plan: missing; look at it (failover status {place.name}), then give --plan {digest}"
        )
    for line in plan_lines(status.plan):
        console().print(f"  {line}", markup=False)
    word = "Approve" if ballot.approve else "Reject"
    if not _confirmed(f"{word} this plan as {ballot.by}?"):
        raise CommandError(Exit.USAGE, "nothing was sent")
    return digest


def _confirmed(question: str) -> bool:
    """Ask on the terminal. Ctrl-C means no: asyncio's own handler would only take note of it while the prompt blocks."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False
    finally:
        signal.signal(signal.SIGINT, before)


async def send_word(client: Client, place: Place, update: str, word: Decision | Attestation | Insistence) -> Status:
    """Return the run's status after a vote or another word.

    Raises:
        CommandError: it does not count, or nobody answered.

    """
    what = "the vote" if update == "decide" else "the word"
    try:
        async with asyncio.timeout(_ANSWER_WITHIN.total_seconds()):
            answer = await place.handle(client).execute_update(update, word, result_type=Status)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        why = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise CommandError(Exit.REFUSED, f"{what} does not count: {why}") from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        silent = await _why_silent(client)
        sentence = f"{place.name} has not answered ({silent}); {what} may still count: failover status {place.name}"
        raise CommandError(Exit.FAILED, sentence) from error
    return read(Status, answer)


async def _why_silent(client: Client) -> str:
    served = await has_worker(client)
    return "its worker is busy or has just died" if served else NO_WORKER.format(queue=task_queue())


def _missing(status: Status) -> str:
    """Return who is still waited for; empty when nobody is."""
    approval = status.approval
    if approval is None or any(not vote.approve for vote in approval.votes):
        return ""
    yes = sum(vote.approve for vote in approval.votes)
    return "" if yes >= approval.needed else f"waits for {approval.needed - yes} more of {', '.join(approval.roles)}"


async def _is_past_return(client: Client, place: Place, chronicle: Chronicle) -> bool:
    """Whether the run cannot be undone any more: by its own word, and by its phase where no worker answers for it."""
    status = await ask_status(place.handle(client)) if await has_worker(client) else None
    if status is None or status.forward_only is None:
        return has(chronicle.phase, Trait.NO_WAY_BACK)
    return status.forward_only


async def cancel(target: str) -> Answer:
    """Ask the run to stop and undo, and wait a little for how it ends."""
    client = await connect()
    place = await find(client, target)
    chronicle = await must_be_open(client, place)
    if await _is_past_return(client, place, chronicle):
        raise CommandError(
            Exit.REFUSED,
            f"{place.name} is past the point of no return ({chronicle.phase}): it goes on to the end; {again(place)}",
        )
    await place.handle(client).cancel()
    served = await has_worker(client)
    within = _END_WITHIN_SECONDS if served else 0.0
    chronicle = await read_until_closed(client, Place(place.workflow_id, chronicle.run_id), within)
    facts = facts_of(chronicle)
    if facts.open:
        why = chronicle.stuck[:300] if served else NO_WORKER.format(queue=task_queue())
        standing = "; ".join(filter(None, (facts.phase or "not begun yet", why, again(place))))
        sentence = f"{place.name} has been asked to stop, but has not stopped yet: it is {standing}"
        return Answer(Exit.FAILED if served else Exit.WAITING, machine_view(facts), Text(sentence))
    stopped = facts.outcome in {"cancelled", "rolled back"}
    return Answer(Exit.DONE if stopped else Exit.FAILED, machine_view(facts), brief(facts))
