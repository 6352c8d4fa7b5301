"""The demonstration, under load: a planned failover, then the primary is killed and a forced one brings the writes back.

Each with live progress and its report. What the client saw is printed at the end, over both.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from rich.console import Console
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.models.report import Outcome
from deploy.lab import cluster
from deploy.lab.breaking import break_it
from deploy.lab.measuring import load
from deploy.lab.names import Lab, LabError
from deploy.lab.signposts import signposts
from deploy.lab.switching import APPROVER, OPERATOR, approve, connect, ending, start
from deploy.lab.workload import annotation
from starters.answers import Output
from starters.displays import display_for
from starters.following import follow
from starters.report.facts import Facts
from starters.report.terminal import full
from starters.targets import Place

_WIDTH = 120


def demo(lab: Lab) -> int:
    """Run it; return 0 when both were completed and nothing was lost."""
    began, console = time.monotonic(), Console(width=None if sys.stdout.isatty() else _WIDTH)
    print("Bringing the lab up", flush=True)
    binaries = cluster.up(lab)
    good = True
    with load(lab, binaries) as running:
        print("\nClients write a row every 20 ms through the Service, and call the API", flush=True)
        time.sleep(1)
        for forced in (False, True):
            facts = asyncio.run(_move(lab, binaries, forced=forced))
            console.print(full(facts))
            good = good and facts.outcome is Outcome.COMPLETED
        time.sleep(1)
        seen = running.stop()
    print(f"\nWhat the client saw: {seen['rows']} rows acknowledged, {seen['lost']} lost, longest without one", end=" ")
    print(f"{seen['outage_seconds'] * 1000:.0f} ms; API: {seen['api_ok']} calls answered, {len(seen['api_errors'])} errors;")
    print(f"  two servers taking writes at once: {len(seen['two_writers'])} times in {sum(seen['checks'].values())} checks")
    print(f"\nDone in {time.monotonic() - began:.0f} s.\n{signposts(lab)}", flush=True)
    return 0 if good and seen["lost"] == 0 and not seen["two_writers"] else 1


async def _move(lab: Lab, binaries: Path, *, forced: bool) -> Facts:
    client = await connect(lab)
    while annotation(lab, binaries, "sync") in {"", "none"}:  # noqa: ASYNC110 - a cluster elsewhere
        await asyncio.sleep(0.1)
    old = annotation(lab, binaries, "leader")
    if forced:
        print(f"\nNow {old} dies: {break_it(lab, binaries, 'container', old)}", flush=True)
    word = f", and both say that {old} is to be stopped at any price" if forced else ""
    print(f"\nA {'forced' if forced else 'planned'} failover: asked by {OPERATOR}, approved by {APPROVER}{word}", flush=True)
    asked: dict[str, str | bool] = {"mode": "forced", "attest": True} if forced else {}
    try:
        handle = await start(client, reason="demonstration", **asked)
    except WorkflowAlreadyStartedError as error:
        raise LabError("a run is moving this database already; see it with: ./run failover watch orders") from error
    place = Place(workflow_id=handle.id, run_id=handle.result_run_id or "")
    watching = asyncio.create_task(follow(client, place, display_for(Output.TEXT)))
    await approve(handle, attest=forced)
    facts = await ending(handle)
    await watching
    return facts
