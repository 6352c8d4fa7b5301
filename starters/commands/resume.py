"""``resume``: starts the procedure of a run that did not come to its end again, with the same input, under the same lock.

The new run first recovers what the old one left. Once the old one's route had been asked for, the new leader is named in
the input, so that a run which finds nothing left to finish cannot move the writes back. An attestation that the
old primary is stopped does not carry over: the person who resumes has not given it.
"""

from __future__ import annotations

from typing import Any

from temporalio.client import Client

from starters.client.answers import Answer, CommandError, Exit, Output, must_be_named, respond_about_run
from starters.client.following import Watched, again, seen
from starters.client.requests import FAILOVER, REJOIN
from starters.client.results import view_of
from starters.client.runs import Start, begin, explaining
from starters.client.server import read_run
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.commands.follow import Following
from starters.commands.start import carry_on
from starters.history.model import facts_of
from starters.history.next_steps import Remedy, remedy_of
from starters.history.parse import FIRST_REASON, Chronicle
from starters.render.words import headline
from workers.connection import connect
from workflows.postgres.models import lock_id

_LOOKED_AT = 20
_POSTGRES = Place(lock_id("")).kind
_LONGEST_REASON = 1000


def resume_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    by: arg.By = "",
    follows: arg.Follow = None,
    watch: arg.OldFollow = None,
    timeout: arg.Timeout = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Recover an interrupted PostgreSQL run.

    One that ended STRANDED or ROLLBACK INCOMPLETE, or was terminated. The same procedure is started again with the same
    input; it first undoes or finishes what is left. Refused with 3 when nothing is left, or when starting again would
    cause a second failover. Attestations do not carry over: attest again.
    """
    respond_about_run(output, resume(target, by, Following.typed(output, timeout, follows, watch)))


async def resume(target: str, by: str, following: Following) -> Answer:
    """Start the last unfinished run's procedure again; follow it like ``start``."""
    must_be_named(by)
    following.check()
    client = await connect()
    place = await find(client, target)
    if place.kind != _POSTGRES:
        raise CommandError(
            Exit.USAGE,
            f"target: {place.workflow_id} is no run of a PostgreSQL cluster; only those are resumed, for example orders."
            " Redis, pods and nodes have nothing to resume: start it again",
        )
    async with explaining(client):
        newest = await seen(client, Place(place.workflow_id))
    if newest.chronicle.is_open:
        return _still_open(newest)
    chronicle = await _unfinished(client, newest.chronicle)
    return await carry_on(client, await begin(client, _again_of(chronicle, by)), following)


def _still_open(watched: Watched) -> Answer:
    """Say that there is nothing to resume: it goes on."""
    facts, name = facts_of(watched.chronicle), watched.place.name
    remedy = remedy_of(facts)
    waits = (
        f"see who must approve: failover status {name}" if watched.waits_for_people else f"follow it: {again(watched.place)}"
    )
    lines = [
        f"{name} is still open: {facts.phase or 'no worker has touched it yet'}",
        *(remedy.lines if remedy else ()),
        waits,
    ]
    code = Exit.WAITING if watched.waits_for_people else Exit.DONE
    return Answer(code, {**view_of(watched), "started": False}, "\n".join(lines))


async def _unfinished(client: Client, newest: Chronicle) -> Chronicle:
    """Return the newest run that left something, passing over runs that were refused and those that only looked on.

    Raises:
        CommandError: there is none, or starting it again would not be the remedy.

    """
    looked, passed = newest, 0
    async for found in client.list_workflows(f"WorkflowId = '{newest.workflow_id}'", limit=_LOOKED_AT):
        place = Place(found.id, found.run_id)
        looked = newest if found.run_id == newest.run_id else await read_run(client, place)
        remedy = remedy_of(facts_of(looked))
        if remedy is not None and remedy.resumable:
            return looked
        if not _left_all_as_it_was(looked, remedy):
            break
        passed += 1
    raise _nothing_to_resume(looked, passed)


def _left_all_as_it_was(chronicle: Chronicle, remedy: Remedy | None) -> bool:
    """Whether an earlier run may still be unfinished although this one came after it."""
    facts = facts_of(chronicle)
    return facts.outcome in {"refused", "withdrawn", "cancelled"} or (remedy is not None and facts.workflow == REJOIN)


def _nothing_to_resume(chronicle: Chronicle, passed: int) -> CommandError:
    facts = facts_of(chronicle)
    remedy = remedy_of(facts)
    why = " ".join(remedy.lines) if remedy else "nothing is left of it"
    later = f" ({passed} later ones changed nothing)" if passed else ""
    name = Place(facts.workflow_id).name
    return CommandError(Exit.REFUSED, f"nothing to resume: run {facts.run_id} of {name}{later}: {headline(facts)}. {why}")


def _again_of(chronicle: Chronicle, by: str) -> Start:
    request = _again(chronicle, by)
    return Start(
        chronicle.workflow,
        request,
        chronicle.workflow_id,
        summary=f"real: {request['reason']}",
        memo={FIRST_REASON: _first_reason(chronicle)},
    )


def _first_reason(chronicle: Chronicle) -> str:
    """Return why the first of these runs was asked for."""
    return chronicle.first_reason or str(chronicle.asked.get("reason") or "") or "no reason given"


def _again(chronicle: Chronicle, by: str) -> dict[str, Any]:
    """Return the request of ``chronicle`` as ``by`` sends it again."""
    asked = {key: value for key, value in chronicle.asked.items() if key != "attest"}
    reason = f"resume of {chronicle.run_id}: {_first_reason(chronicle)}"[:_LONGEST_REASON]
    if chronicle.workflow == FAILOVER and chronicle.plan is not None and chronicle.steps_named("postgres.route"):
        asked["to"] = chronicle.plan.candidate
    return {**asked, "by": by, "reason": reason}
