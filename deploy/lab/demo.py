"""The demonstrations, each under load, with live progress and its report; what the clients saw is printed at the end.

``postgres``: a planned failover, then the primary is killed and a forced one brings the writes back. ``redis``: the same of
the Redis master. ``pod``: a pod of the API is ended and comes back. ``node``: the node of the PostgreSQL primary is emptied.
``drill``: the database's drill of the calendar goes there and back, and is judged.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.run.models.report import Outcome
from deploy.lab import cluster
from deploy.lab.breaking import break_it
from deploy.lab.calendar import open_now
from deploy.lab.estate import changed_estate
from deploy.lab.measuring import load
from deploy.lab.names import Lab, LabError
from deploy.lab.processes import wait_until
from deploy.lab.sentinels import redis_is_redundant
from deploy.lab.signing import Signers
from deploy.lab.signposts import signposts
from deploy.lab.switching import (
    APPROVER,
    CLUSTER,
    OPERATOR,
    WORKLOAD,
    Handle,
    approve,
    connect,
    ending,
    start,
    start_node,
    start_pods,
    start_redis,
    status_of,
)
from deploy.lab.workload import annotation, kubectl
from starters.client.answers import Output
from starters.client.following import follow
from starters.client.targets import Place
from starters.history.model import Facts
from starters.render.live import display_for
from starters.render.terminal import full
from workflows.drills.models import Judgement
from workflows.postgres.models import lock_id
from workflows.run.models import TASK_QUEUE, TASK_TIMEOUT
from workflows.run.phases import Phase

_WIDTH = 120
_REASON, _DRILL = "demonstration", "database"


@dataclass(frozen=True)
class _Stage:
    """The lab that a demonstration moves."""

    lab: Lab
    binaries: Path
    client: Client
    signers: Signers
    """Who signs what: only signed approvals count in a demonstration."""


def demo(lab: Lab, what: str) -> int:
    """Run one of ``DEMOS``; return 0 when everything was completed and nothing was lost."""
    began, console = time.monotonic(), Console(width=None if sys.stdout.isatty() else _WIDTH)
    print("Bringing the lab up", flush=True)
    binaries, signers = cluster.up(lab), Signers()
    print("\nPeople get SSH keys for this demonstration, and only signed approvals of the database count", flush=True)
    with changed_estate(lab, binaries, partial(_change, signers, what)), load(lab, binaries) as running:
        print("\nClients write to PostgreSQL and Redis every 20 ms, and call the API", flush=True)
        time.sleep(1)
        good = asyncio.run(_all(lab, binaries, signers, DEMOS[what], console))
        time.sleep(1)
        seen = running.stop()
    print(f"\nWhat the clients saw: {seen['rows']} rows acknowledged, {seen['lost']} lost, longest without one", end=" ")
    print(f"{seen['outage_seconds'] * 1000:.0f} ms; API: {seen['api_ok']} calls answered, {len(seen['api_errors'])} errors;")
    print(f"  two servers taking writes at once: {len(seen['two_writers'])} times in {sum(seen['checks'].values())} checks")
    if what == "redis" and (redis := seen.get("redis")):
        print(f"  Redis: {redis['members']} writes acknowledged, {redis['lost']} lost, longest without one", end=" ")
        print(f"{redis['outage_seconds'] * 1000:.0f} ms")
    print(f"\nDone in {time.monotonic() - began:.0f} s.\n{signposts(lab)}", flush=True)
    return 0 if good and seen["lost"] == 0 and not seen["two_writers"] else 1


def _change(signers: Signers, what: str, estate: dict[str, Any]) -> None:
    signers.only(estate)
    if what == "drill":
        entry = {"kind": "database", "target": CLUSTER, "application": WORKLOAD, "settled_within": "PT5M"}
        estate["drills"] = {**estate.get("drills", {}), **open_now(**{_DRILL: entry})}


async def _all(lab: Lab, binaries: Path, signers: Signers, story: _Story, console: Console) -> bool:
    good, stage = True, _Stage(lab, binaries, await connect(lab), signers)
    async for facts in story(stage):
        console.print(full(facts))
        good = good and facts.outcome is Outcome.COMPLETED
    return good


async def _postgres(stage: _Stage) -> AsyncIterator[Facts]:
    for forced in (False, True):
        while annotation(stage.lab, stage.binaries, "sync") in {"", "none"}:  # noqa: ASYNC110 - a cluster elsewhere
            await asyncio.sleep(0.1)
        old = annotation(stage.lab, stage.binaries, "leader")
        if forced:
            print(f"\nNow {old} dies: {break_it(stage.lab, stage.binaries, 'container', old)}", flush=True)
        word = f", and both say that {old} is to be stopped at any price" if forced else ""
        _say(f"A {'forced' if forced else 'planned'} failover: asked by {OPERATOR}, approved by {APPROVER}{word}")
        asked: dict[str, str | bool] = {"mode": "forced", "attest": True} if forced else {}
        handle = await _begun(start(stage.client, reason=_REASON, **asked), CLUSTER)
        watching = _watch(stage, handle)
        await approve(handle, attest=forced, signers=stage.signers)
        yield await ending(handle)
        await watching


async def _redis(stage: _Stage) -> AsyncIterator[Facts]:
    whole = partial(redis_is_redundant, stage.lab, stage.binaries)
    for mode in ("planned", "forced"):
        await asyncio.to_thread(wait_until, "Redis redundant", whole, 120)
        if mode == "forced":
            _say(f"Now the master dies: {break_it(stage.lab, stage.binaries, 'redis-master', '')}")
        _say(f"A {mode} failover of Redis, asked by {OPERATOR}; nobody must approve")
        handle = await _begun(start_redis(stage.client, mode=mode, reason=_REASON), "mymaster")
        watching = _watch(stage, handle)
        yield await ending(handle)
        await watching


async def _pod(stage: _Stage) -> AsyncIterator[Facts]:
    _say(f"A drill, asked by {OPERATOR}: the main process of a pod of the API is ended")
    handle = await _begun(start_pods(stage.client, run="drill", reason=_REASON), "api")
    watching = _watch(stage, handle)
    yield await ending(handle)
    await watching


async def _node(stage: _Stage) -> AsyncIterator[Facts]:
    leader = annotation(stage.lab, stage.binaries, "leader")
    node = kubectl(stage.lab, stage.binaries, "get", "pod", leader, "-o", "jsonpath={.spec.nodeName}")
    _say(f"{node}, on which {leader} leads, is emptied: asked by {OPERATOR}; {APPROVER} approves the move of the database")
    handle = await _begun(start_node(stage.client, node, uncordon=True, reason=_REASON), node)
    watching = _watch(stage, handle)
    approving = asyncio.create_task(_approve_when_asked(stage))
    yield await ending(handle, within=300)
    approving.cancel()
    await watching


async def _drill(stage: _Stage) -> AsyncIterator[Facts]:
    _say(f"The drill of the database, due today: there and back; asked by {OPERATOR}, approved and judged by {APPROVER}")
    asked = {"drill": _DRILL, "run": "real", "by": OPERATOR, "reason": _REASON}
    starting = stage.client.start_workflow(
        "failover-drill", asked, id=f"drill/{_DRILL}", task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT
    )
    handle = await _begun(starting, _DRILL)
    watching = _watch(stage, handle)
    await approve(handle, signers=stage.signers)
    await _judge(stage, handle)
    yield await ending(handle, within=300)
    await watching


async def _judge(stage: _Stage, handle: Handle) -> None:
    """Have a person judge the drill once it is over; one that has ended otherwise waits for nobody."""
    while (status := await status_of(handle)) is None or status.outcome is None:
        if status is not None and status.phase is Phase.JUDGING:
            run = (await handle.describe()).raw_description.workflow_execution_info.first_run_id
            word = Judgement(by=APPROVER, passed=True, notes="the clients below saw no error")
            signed = stage.signers.sign_word("drill judge", word, handle.id, run)
            await handle.execute_update("judge", signed)
            print(f"          {APPROVER} says PASS", flush=True)
            return
        await asyncio.sleep(0.2)


async def _approve_when_asked(stage: _Stage) -> None:
    handle = stage.client.get_workflow_handle(lock_id(CLUSTER))
    while True:
        try:
            await approve(handle, within=5, signers=stage.signers)
        except (LabError, TimeoutError):  # the run before has ended; this one has not begun
            await asyncio.sleep(0.5)
        else:
            return


async def _begun(starting: Awaitable[Handle], name: str) -> Handle:
    try:
        return await starting
    except WorkflowAlreadyStartedError as error:
        raise LabError(f"a run holds {name} already; see it with: ./run failover follow {name}") from error


def _watch(stage: _Stage, handle: Handle) -> asyncio.Task[object]:
    place = Place(workflow_id=handle.id, run_id=handle.result_run_id or "")
    return asyncio.create_task(follow(stage.client, place, display_for(Output.TEXT)))


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


_Story = Callable[[_Stage], AsyncIterator[Facts]]
DEMOS: dict[str, _Story] = {"postgres": _postgres, "redis": _redis, "pod": _pod, "node": _node, "drill": _drill}
