"""``approve`` and ``reject``: votes on the plan that a run waits with.

A vote names the digest of the plan that its sender has looked at. On a terminal the plan is shown and confirmed;
elsewhere the digest must be given, since agreeing to whatever happens to be the plan is no agreement.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from temporalio.client import Client

from gate.record import Mode
from starters.client.answers import (
    Answer,
    CommandError,
    Exit,
    Output,
    confirmed,
    console,
    must_be_named,
    respond_about_run,
)
from starters.client.following import again
from starters.client.results import shape_of
from starters.client.runs import must_be_open, send, why_silent
from starters.client.server import ask_status
from starters.client.signing import signed, to_paste
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.render.terminal import plan_lines
from workers.connection import connect
from workflows.run.models import Decision, Status
from workflows.run.phases import Phase


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
    key: Path | None = None
    """To sign with; ``None``: it is not signed."""
    printed: bool = False

    @property
    def command(self) -> str:
        """Name of the command."""
        return "approve" if self.approve else "reject"


def approve_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    by: arg.By = "",
    plan: arg.PlanDigest = None,
    role: arg.Role = "",
    attest: arg.Attest = False,
    note: arg.Note = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Approve the plan that waits. The requester of the run cannot approve it."""
    ballot = Ballot(target, approve=True, by=by, plan=plan, role=role, note=note, attest=attest, key=key, printed=printed)
    respond_about_run(output, decide(ballot, output))


def reject_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    by: arg.By = "",
    plan: arg.PlanDigest = None,
    role: arg.Role = "",
    note: arg.Note = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Reject the plan that waits. The run ends and nothing has changed."""
    ballot = Ballot(target, approve=False, by=by, plan=plan, role=role, note=note, key=key, printed=printed)
    respond_about_run(output, decide(ballot, output))


async def decide(ballot: Ballot, output: Output) -> Answer:
    """Send the vote and say what the run makes of it."""
    must_be_named(ballot.by)
    client = await connect()
    place = await find(client, ballot.target)
    chronicle = await must_be_open(client, place)
    run = place.of(chronicle.run_id)  # the one that is shown: another may begin before the vote arrives
    digest = ballot.plan or await _digest_seen(client, run, ballot, output)
    decision = Decision(
        by=ballot.by, plan=digest, approve=ballot.approve, role=ballot.role, note=ballot.note, attest=ballot.attest
    )
    if ballot.key is not None:
        decision = await _signed(client, run, decision, ballot.key)
    if ballot.printed:
        return to_paste(decision)
    status = await send(client, run, "decide", decision, model=Status, what="the vote")
    done = "approved" if ballot.approve else "rejected"
    missing = _missing(status)
    text = f"{ballot.by} has {done} plan {digest} of {place.name}; {missing or f'{_next(ballot, status)}: {again(place)}'}"
    code = Exit.WAITING if missing else Exit.DONE
    return Answer(code, {"decision": done, **shape_of(chronicle, status)}, Text(text))


async def _signed(client: Client, place: Place, decision: Decision, key: Path) -> Decision:
    status = await ask_status(place.handle(client))
    if status is None or status.approval is None:
        raise CommandError(Exit.REFUSED, f"{place.name} does not wait for a decision")
    return await signed(decision, status.approval, place, key)


async def _digest_seen(client: Client, place: Place, ballot: Ballot, output: Output) -> str:
    """Show the plan and have it confirmed; return its digest."""
    status = await ask_status(place.handle(client))
    if status is None:
        raise CommandError(Exit.FAILED, f"{place.name} does not answer: {await why_silent(client)}")
    if status.plan is None or status.phase is not Phase.AWAITING_APPROVAL:
        raise CommandError(Exit.REFUSED, f"{place.name} does not wait for a decision: it is {status.phase.value}")
    if output is Output.JSON or not sys.stdin.isatty():
        raise CommandError(Exit.USAGE, _how_to_name(place, ballot, status.plan.digest))
    for line in plan_lines(status.plan):
        console().print(f"  {line}", markup=False)
    if not confirmed(f"{ballot.command.capitalize()} this plan as {ballot.by}?"):
        raise CommandError(Exit.USAGE, "nothing was sent")
    return status.plan.digest


def _how_to_name(place: Place, ballot: Ballot, digest: str) -> str:
    """Say how to see the plan, and what to type then, in a line that can be copied."""
    vote = f"failover {ballot.command} {place.name} --by {ballot.by} --plan {digest}"
    return f"plan: missing; see the plan that waits with failover status {place.name}, then\n{vote}"


def _next(ballot: Ballot, status: Status) -> str:
    unproved = ballot.approve and status.mode == Mode.FORCED.value and not status.attested_by and status.plan
    if unproved:
        return f"next is the proof that {unproved.primary} is stopped"
    plan = status.plan if ballot.approve else None
    return f"next it looks again, then moves {plan.heading()}" if plan and plan.primary and plan.candidate else "it goes on"


def _missing(status: Status) -> str:
    """Return who is still waited for; empty when nobody is."""
    approval = status.approval
    if approval is None or any(not vote.approve for vote in approval.votes):
        return ""
    return f"waits for {approval.missing} more of {approval.of_whom}" if approval.missing else ""
