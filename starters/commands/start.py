"""``plan``, ``start`` and ``drill``: the same workflow, with ``run=plan``, ``run=real`` or ``run=drill``.

A plan changes nothing and waits for nobody, so it is not started when no worker would carry it out. A real run *is*
started then: it is durable, holds the lock and begins when a worker comes; the command says so at once.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from starters.client.answers import Answer, CommandError, Exit, Output, console, respond_about_run
from starters.client.following import Watched, again, follow, seen
from starters.client.requests import Typed, request_of, workflow_id
from starters.client.results import answer_of, machine_view, view_of
from starters.client.runs import Start, begin, must_be_served, no_worker
from starters.client.server import has_worker, read_run
from starters.client.targets import Place
from starters.commands import arguments as arg
from starters.commands.follow import Following, follow_run
from starters.history.model import Facts, facts_of
from starters.render.live import Silent
from starters.render.plan import plan_view, start_refused
from starters.render.waiting import notices
from starters.render.words import exit_of
from workers.connection import connect
from workflows.run.models import Request, Run
from workflows.run.phases import Phase

_PLAN_AT_MOST = timedelta(minutes=5)
_FIRST_WORDS_WITHIN_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.1
_NOT_CLEAR_YET = {"", Phase.SURVEYING.value, Phase.CORDONING.value, Phase.REPLACING.value, Phase.MOVING.value}
"""Phases in which it may still be refused, or begin to wait for people: a node's run for the approval of another run."""


def plan_command(  # noqa: PLR0913 - one parameter an option
    procedure: arg.Procedure,
    target: arg.Cluster,
    *,
    mode: arg.Mode = None,
    to: arg.To = None,
    member: arg.Member = None,
    uncordon: arg.Uncordon = False,
    max_bytes: arg.MaxBytes = None,
    max_transactions: arg.MaxTransactions = None,
    down_since: arg.DownSince = None,
    max_missing: arg.MaxMissing = None,
    confirm: arg.Confirm = None,
    repairs: arg.Repairs = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Show what a run would do. Changes nothing; allowed at any time."""
    typed = Typed(
        procedure,
        target,
        mode=mode,
        to=to,
        member=member,
        uncordon=uncordon,
        by=by,
        reason=reason,
        max_bytes=max_bytes,
        max_transactions=max_transactions,
        down_since=down_since,
        max_missing=max_missing,
        confirm=confirm,
        repairs=repairs,
    )
    respond_about_run(output, plan(typed))


def start_command(  # noqa: PLR0913 - one parameter an option
    procedure: arg.Procedure,
    target: arg.Cluster,
    *,
    mode: arg.Mode = None,
    to: arg.To = None,
    member: arg.Member = None,
    uncordon: arg.Uncordon = False,
    max_bytes: arg.MaxBytes = None,
    max_transactions: arg.MaxTransactions = None,
    down_since: arg.DownSince = None,
    max_missing: arg.MaxMissing = None,
    confirm: arg.Confirm = None,
    repairs: arg.Repairs = None,
    attest: arg.Attest = False,
    embedded: arg.Embedded = False,
    by: arg.By = "",
    reason: arg.Reason = "",
    follows: arg.Follow = None,
    watch: arg.OldFollow = None,
    timeout: arg.Timeout = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Start a run. The inventory's approval policy may make it wait for people first.

    Until the promotion the run can be cancelled, and everything is undone. Closing the terminal does not stop the run.
    """
    typed = Typed(
        procedure,
        target,
        mode=mode,
        to=to,
        member=member,
        uncordon=uncordon,
        attest=attest,
        by=by,
        reason=reason,
        max_bytes=max_bytes,
        max_transactions=max_transactions,
        down_since=down_since,
        max_missing=max_missing,
        confirm=confirm,
        repairs=repairs,
    )
    respond_about_run(output, start(typed, Following.typed(output, timeout, follows, watch), embedded=embedded))


def pod_drill_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Cluster,
    *,
    pod: arg.Pod = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    follows: arg.Follow = None,
    watch: arg.OldFollow = None,
    timeout: arg.Timeout = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Kill a pod's main process now.

    Measures its recovery; no calendar, no record. On the real platform: people may notice.
    """
    typed = Typed("pod-failover", target, pod=pod, by=by, reason=reason)
    respond_about_run(output, start(typed, Following.typed(output, timeout, follows, watch), run=Run.DRILL))


async def plan(typed: Typed) -> Answer:
    """Make a plan, wait for it and show it."""
    request = request_of(typed, Run.PLAN)
    client = await connect()
    await must_be_served(client)
    place = await begin(client, _start_of(typed, request))
    facts = facts_of(await follow(client, place, Silent()))
    if facts.close in {"terminated", "timed out"}:
        raise CommandError(
            Exit.FAILED, f"there is no plan: it was {facts.close}, by a newer plan or for want of a worker; try again"
        )
    refused = start_refused(facts)
    code = Exit.REFUSED if refused else exit_of(facts)
    complaint = refused or (_why_no_plan(facts) if code else "")
    return Answer(code, machine_view(facts), plan_view(facts, typed.procedure), complaint=complaint)


def _why_no_plan(facts: Facts) -> str:
    """Return why there is no plan; where the cluster takes no writes, that first, and the plan to make instead."""
    if (down := facts.outage) is not None:
        return f"WRITES ARE DOWN: {down.message}; refused: {facts.reason}\n→ {down.remedy}"
    return facts.reason


async def start(typed: Typed, following: Following, *, run: Run = Run.REAL, embedded: bool = False) -> Answer:
    """Start the real run, or a drill; follow it, or return once it is clear whether it is refused or waits for people."""
    request = request_of(typed, run)
    following.check()
    if embedded:
        from starters.commands.embedded import begin_or_find, serve_here  # noqa: PLC0415 - one command in a thousand

        await serve_here()
        client = await connect()
        place = await begin_or_find(client, _start_of(typed, request))
    else:
        client = await connect()
        place = await begin(client, _start_of(typed, request))
    return await carry_on(client, place, following)


def _start_of(typed: Typed, request: Request) -> Start:
    is_plan = request.run is Run.PLAN
    return Start(
        workflow=typed.procedure,
        request=request,
        workflow_id=workflow_id(request),
        summary=f"{request.run.value}: {request.reason or 'no reason given'}",
        at_most=_PLAN_AT_MOST if is_plan else None,
        if_open=WorkflowIDConflictPolicy.TERMINATE_EXISTING if is_plan else WorkflowIDConflictPolicy.FAIL,
    )


async def carry_on(client: Client, place: Place, following: Following) -> Answer:
    """Follow a real run that was just started, or return as soon as it is clear how it begins."""
    served = await has_worker(client)
    complaint = "" if served else f"started, but it waits: {no_worker()}; take it back: failover cancel {place.name}"
    if following.wanted:
        if complaint:
            console(stderr=True).print(f"failover: {complaint}", markup=False, soft_wrap=True)
        return await follow_run(client, place, following)
    if not served:
        data = machine_view(facts_of(await read_run(client, place)))
        return Answer(Exit.WAITING, {**data, "started": True, "worker": False}, complaint=complaint)
    return _first_words(await _until_clear(client, place))


async def _until_clear(client: Client, place: Place) -> Watched:
    """Return the run once it is refused, waits for people, has begun to change something, or takes its time."""
    deadline = asyncio.get_running_loop().time() + _FIRST_WORDS_WITHIN_SECONDS
    while True:
        chronicle = await read_run(client, place)
        late = asyncio.get_running_loop().time() > deadline
        if late or chronicle.close or chronicle.phase not in {"", Phase.SURVEYING}:
            watched = await seen(client, place)
            if late or watched.waits_for_people or watched.chronicle.phase not in _NOT_CLEAR_YET:
                return watched
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _first_words(watched: Watched) -> Answer:
    facts = facts_of(watched.chronicle)
    if not facts.open:
        return answer_of(facts)
    name = watched.place.name
    lines = [f"started {name}: {facts.phase or 'no worker has touched it yet'}", f"follow it: {again(watched.place)}"]
    if watched.waits_for_people:
        lines += [f"see the plan and who must approve: failover status {name}", *notices(watched)]
    code = Exit.WAITING if watched.waits_for_people else Exit.DONE
    return Answer(code, {**view_of(watched), "started": True}, "\n".join(lines))
