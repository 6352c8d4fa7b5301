"""``plan`` and ``start``: the same workflow, once with ``run=plan`` and once with ``run=real``.

A plan changes nothing and waits for nobody, so it is not started when no worker would carry it out. A real run *is*
started then: it is durable, holds the lock and begins when a worker comes; the command says so at once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from starters.client.answers import Answer, CommandError, Exit, Output, console
from starters.client.following import again, follow
from starters.client.requests import Typed, request_of, workflow_id
from starters.client.results import answer_of, machine_view
from starters.client.server import NO_WORKER, has_worker, read_run, task_queue
from starters.client.targets import Place
from starters.commands.follow import watch_run
from starters.history.model import facts_of
from starters.history.parse import Chronicle
from starters.render.live import Silent, display_for
from starters.render.plan import plan_view
from starters.render.words import exit_of
from workers.connection import connect
from workflows.run.models import TASK_TIMEOUT, Request, Run

_PLAN_AT_MOST = timedelta(minutes=5)
_FIRST_WORDS_WITHIN_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.1


async def plan(typed: Typed) -> Answer:
    """Make a plan, wait for it and show it."""
    request = request_of(typed, Run.PLAN)
    client = await connect()
    if not await has_worker(client):
        raise CommandError(Exit.WAITING, f"nothing was started: {NO_WORKER.format(queue=task_queue())}")
    place = await _begin(client, typed, request)
    facts = facts_of(await follow(client, place, Silent()))
    if facts.close in {"terminated", "timed out"}:
        raise CommandError(
            Exit.FAILED, "the plan was given up: another plan took its place, or no worker finished it; try again"
        )
    code = exit_of(facts)
    return Answer(code, machine_view(facts), plan_view(facts, typed.procedure), complaint=facts.reason if code else "")


async def start(typed: Typed, output: Output, *, watch: bool, run: Run = Run.REAL) -> Answer:
    """Start the real run, or a drill; follow it, or return once it is clear whether it is refused or waits for people."""
    request = request_of(typed, run)
    client = await connect()
    return await carry_on(client, await _begin(client, typed, request), output, watch=watch)


async def carry_on(client: Client, place: Place, output: Output, *, watch: bool) -> Answer:
    """Follow a real run that was just started, or return as soon as it is clear how it begins."""
    served = await has_worker(client)
    complaint = (
        ""
        if served
        else f"started, but it waits: {NO_WORKER.format(queue=task_queue())}; take it back: failover cancel {place.name}"
    )
    if watch:
        if complaint:
            console(stderr=True).print(f"failover: {complaint}", markup=False, soft_wrap=True)
        return await watch_run(client, place, display_for(output))
    if not served:
        data = {"workflow_id": place.workflow_id, "run_id": place.run_id, "started": True, "worker": False}
        return Answer(Exit.WAITING, data, complaint=complaint)
    return _first_words(await _until_clear(client, place), place)


async def _begin(client: Client, typed: Typed, request: Request) -> Place:
    """Start the workflow; the ID is the lock."""
    own_id, is_plan = workflow_id(request), request.run is Run.PLAN
    policy = WorkflowIDConflictPolicy.TERMINATE_EXISTING if is_plan else WorkflowIDConflictPolicy.FAIL
    try:
        handle = await client.start_workflow(
            typed.procedure,
            request,
            id=own_id,
            task_queue=task_queue(),
            id_conflict_policy=policy,
            task_timeout=TASK_TIMEOUT,
            execution_timeout=_PLAN_AT_MOST if is_plan else None,
            static_summary=f"{request.run.value}: {request.reason or 'no reason given'}"[:200],
        )
    except WorkflowAlreadyStartedError as error:
        raise await held(client, Place(own_id)) from error
    return Place(own_id, handle.result_run_id or handle.first_execution_run_id or "")


async def held(client: Client, place: Place) -> CommandError:
    """Return the refusal that points to the lock's holder."""
    holder = await read_run(client, place)
    asked = holder.asked
    since = f"{holder.started_at:%H:%M:%S} UTC" if holder.started_at else "?"
    return CommandError(
        Exit.REFUSED,
        f"{place.name} is held by {holder.workflow}, started {since} by {asked.get('by') or 'nobody named'},"
        f" now {holder.phase or 'waiting for a worker'}; see it: {again(place)}",
    )


async def _until_clear(client: Client, place: Place) -> Chronicle:
    """Return the run once it is refused, waits for people, has begun to change something, or takes its time."""
    deadline = asyncio.get_running_loop().time() + _FIRST_WORDS_WITHIN_SECONDS
    while True:
        chronicle = await read_run(client, place)
        clear = chronicle.close or chronicle.phase not in {"", "surveying"}
        if clear or asyncio.get_running_loop().time() > deadline:
            return chronicle
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _first_words(chronicle: Chronicle, place: Place) -> Answer:
    facts = facts_of(chronicle, datetime.now(UTC))
    if not facts.open:
        return answer_of(facts)
    code = Exit.WAITING if facts.waits_for_people else Exit.DONE
    text = f"started {place.name}: {facts.phase or 'no worker has touched it yet'}\nwatch it: {again(place)}"
    if facts.waits_for_people:
        text += f"\nsee the plan and who must approve: failover status {place.name}"
    return Answer(code, {**machine_view(facts), "started": True}, text)
