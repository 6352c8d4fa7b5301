"""``resume``: starts the procedure of a run that did not come to its end again, with the same input, under the same lock.

The new run settles first what the old one left. Once the old one's route had been asked for, the new leader is named in
the input, so that a run which finds nothing left to finish cannot move the writes back. A person's word that the old
primary is stopped is not taken over: whoever resumes has not given it.
"""

from __future__ import annotations

from typing import Any

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from starters.client.answers import Answer, CommandError, Exit, Output, must_be_named
from starters.client.following import again
from starters.client.requests import FAILOVER, REJOIN
from starters.client.results import machine_view
from starters.client.server import read_run, task_queue
from starters.client.targets import Place, find
from starters.commands.start import carry_on, held
from starters.history.model import facts_of
from starters.history.next_steps import Remedy, remedy_of
from starters.history.parse import FIRST_REASON, Chronicle
from starters.render.words import headline
from workers.connection import connect
from workflows.postgres.models import lock_id
from workflows.run.models import TASK_TIMEOUT

_LOOKED_AT = 20
_POSTGRES = Place(lock_id("")).kind
_LONGEST_REASON = 1000


async def resume(target: str, by: str, output: Output, *, watch: bool) -> Answer:
    """Start the last unfinished run's procedure again; follow it like ``start``."""
    must_be_named(by)
    client = await connect()
    place = await find(client, target)
    if place.kind != _POSTGRES:
        raise CommandError(
            Exit.USAGE,
            f"target: {place.workflow_id} is no PostgreSQL cluster's lock; resume a cluster, for example orders."
            " Redis, pods and nodes have nothing to resume: start it again",
        )
    newest = await read_run(client, Place(place.workflow_id))
    if newest.is_open:
        return _still_open(newest, Place(place.workflow_id))
    chronicle = await _unfinished(client, newest)
    return await carry_on(client, await _begin(client, chronicle, by), output, watch=watch)


def _still_open(chronicle: Chronicle, place: Place) -> Answer:
    """Say that there is nothing to resume: it goes on."""
    facts = facts_of(chronicle)
    remedy = remedy_of(facts)
    lines = [
        f"{place.name} is still open: {facts.phase or 'no worker has touched it yet'}",
        *(remedy.lines if remedy else ()),
    ]
    waits = "see who must approve: failover status " + place.name if facts.waits_for_people else f"watch it: {again(place)}"
    code = Exit.WAITING if facts.waits_for_people else Exit.DONE
    return Answer(code, {**machine_view(facts), "started": False}, "\n".join([*lines, waits]))


async def _unfinished(client: Client, newest: Chronicle) -> Chronicle:
    """Return the newest run that left something, passing over runs that were refused and those that only watched.

    Raises:
        CommandError: there is none, or starting it again would not be the remedy.

    """
    looked: Chronicle = newest
    async for found in client.list_workflows(f"WorkflowId = '{newest.workflow_id}'", limit=_LOOKED_AT):
        place = Place(found.id, found.run_id)
        looked = newest if found.run_id == newest.run_id else await read_run(client, place)
        remedy = remedy_of(facts_of(looked))
        if remedy is not None and remedy.resumable:
            return looked
        if not _left_all_as_it_was(looked, remedy):
            break
    raise _nothing_to_resume(looked)


def _left_all_as_it_was(chronicle: Chronicle, remedy: Remedy | None) -> bool:
    """Whether an earlier run may still be unfinished although this one came after it."""
    facts = facts_of(chronicle)
    return facts.outcome in {"refused", "cancelled"} or (remedy is not None and facts.workflow == REJOIN)


def _nothing_to_resume(chronicle: Chronicle) -> CommandError:
    facts = facts_of(chronicle)
    remedy = remedy_of(facts)
    why = " ".join(remedy.lines) if remedy else "nothing is left of it"
    return CommandError(
        Exit.REFUSED, f"nothing to resume: run {facts.run_id} of {Place(facts.workflow_id).name}: {headline(facts)}. {why}"
    )


async def _begin(client: Client, chronicle: Chronicle, by: str) -> Place:
    request = _again(chronicle, by)
    try:
        handle = await client.start_workflow(
            chronicle.workflow,
            request,
            id=chronicle.workflow_id,
            task_queue=task_queue(),
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            task_timeout=TASK_TIMEOUT,
            memo={FIRST_REASON: _first_reason(chronicle)},
            static_summary=f"real: {request['reason']}"[:200],
        )
    except WorkflowAlreadyStartedError as error:
        raise await held(client, Place(chronicle.workflow_id)) from error
    return Place(chronicle.workflow_id, handle.result_run_id or handle.first_execution_run_id or "")


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
