"""For how long writes stop when a standby goes and comes back, when both members restart, and when a node is emptied.

    python benchmarks/stops.py --runs 3

On a running lab, as a client of the write Service sees it: a new client every 20 ms, with a connection for its one row. In
each run one thing happens; the run ends once commits wait for a standby again. A stop is a time of more than 0.1 s without
an acknowledged row. Writes ``stops.json`` and ``stops.md`` in ``benchmarks/results``; kinds that are not asked for this time
stay there as they were.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any

from faults import Fault, Pods
from temporalio.client import Client

from deploy.lab.binaries import ensure_binaries
from deploy.lab.breaking import heal
from deploy.lab.measuring import load
from deploy.lab.names import Lab, LabError
from deploy.lab.switching import CLUSTER, approve, connect, ending, is_fit, start_node
from deploy.lab.watching import watched
from deploy.lab.workload import MEMBERS, NAMESPACE, annotation

_RESULTS = Path(__file__).parent / "results"
_STOP_SECONDS, _BEFORE_SECONDS, _STAYS_AWAY_SECONDS, _WITHIN = 0.1, 3.0, 6.0, 240


class Event(StrEnum):
    """What happens."""

    NOTHING = "nothing"
    DELETED = "standby's pod deleted"
    CONTAINER = "standby's container killed"
    POD = "standby's pod deleted by force"
    NODE = "standby's node loses power"
    RESTART = "rolling restart of both"
    EMPTIED = "primary's node emptied"


HOW = {
    Event.NOTHING: "for 20 s: what the machine itself costs",
    Event.DELETED: "`kubectl delete pod`: it is asked to end, and comes back",
    Event.CONTAINER: "kill -9 of every process in the pod; the kubelet starts its container again",
    Event.POD: "`kubectl delete pod --force --grace-period=0`",
    Event.NODE: "every process of its node is killed at once and its cable is gone; it comes back six seconds later",
    Event.RESTART: "`kubectl rollout restart` of the leader's StatefulSet, then of the other's, while a detection looks:"
    " two hand-overs",
    Event.EMPTIED: "`node-failover` with `uncordon`, approved at once: everything until the node's members are back",
}


async def _redundant(pods: Pods, client: Client) -> None:
    async with asyncio.timeout(_WITHIN):
        while annotation(pods.lab, pods.binaries, "sync") not in MEMBERS or not await is_fit(client):
            await asyncio.sleep(0.2)


async def _strike(pods: Pods, fault: Fault, standby: str) -> None:
    await asyncio.to_thread(pods.strike, fault, standby, pods.field(standby, ".spec.nodeName"))


async def _without_power(pods: Pods, _: Client, standby: str) -> None:
    await _strike(pods, Fault.NODE, standby)
    await asyncio.sleep(_STAYS_AWAY_SECONDS)
    await asyncio.to_thread(heal, pods.lab, lambda _: None)


async def _deleted(pods: Pods, _: Client, standby: str) -> None:
    await asyncio.to_thread(pods.kubectl, "delete", "pod", standby)


async def _restarted(pods: Pods, client: Client, standby: str) -> None:
    leader = next(one for one in MEMBERS if one != standby)
    async with watched(client, f"postgres/{CLUSTER}"):
        for member in (leader, standby):
            name = f"statefulset/{member.removesuffix('-0')}"
            await asyncio.to_thread(pods.kubectl, "rollout", "restart", name)
            await asyncio.to_thread(pods.kubectl, "rollout", "status", name)
            await _redundant(pods, client)


async def _emptied(pods: Pods, client: Client, standby: str) -> None:
    leader = next(one for one in MEMBERS if one != standby)
    handle = await start_node(client, pods.field(leader, ".spec.nodeName"), uncordon=True, reason="benchmark")
    child = client.get_workflow_handle(f"postgres/{CLUSTER}")
    async with asyncio.timeout(_WITHIN):
        while True:
            try:
                await approve(child, within=1)
            except (LabError, TimeoutError):
                await asyncio.sleep(0.2)
            else:
                break
    facts = await ending(handle, within=_WITHIN)
    if facts.outcome != "completed":
        raise LabError(f"the node was not emptied: {facts.reason}")


async def _nothing(_: Pods, __: Client, ___: str) -> None:
    await asyncio.sleep(20)


_DO: dict[Event, Callable[[Pods, Client, str], Awaitable[None]]] = {
    Event.NOTHING: _nothing,
    Event.DELETED: _deleted,
    Event.CONTAINER: lambda pods, _, standby: _strike(pods, Fault.CONTAINER, standby),
    Event.POD: lambda pods, _, standby: _strike(pods, Fault.POD, standby),
    Event.NODE: _without_power,
    Event.RESTART: _restarted,
    Event.EMPTIED: _emptied,
}


async def _one(pods: Pods, event: Event) -> dict[str, Any]:
    client = await connect(pods.lab)
    await _redundant(pods, client)
    leader = annotation(pods.lab, pods.binaries, "leader")
    standby = next(one for one in MEMBERS if one != leader)
    with load(pods.lab, pods.binaries) as running:
        await asyncio.sleep(_BEFORE_SECONDS)
        at = time.time()
        await _DO[event](pods, client, standby)
        await asyncio.sleep(1)
        await _redundant(pods, client)
        await asyncio.sleep(1)
        busy = os.getloadavg()[0]
        seen = await asyncio.to_thread(running.stop)
    stops = [(round(seconds, 3), round(since - at, 2)) for seconds, since, to in seen["gaps"] if to > at]
    return {
        "event": event.value,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "stops": [one for one in stops if one[0] > _STOP_SECONDS],
        "longest": max((seconds for seconds, _ in stops), default=0.0),
        "api_errors": len(seen["api_errors"]),
        "lost": seen["lost"],
        "two_writers": len(seen["two_writers"]),
        "load": round(busy, 1),
    }


def _spread(values: list[float]) -> str:
    return f"{min(values) * 1000:.0f} / {median(values) * 1000:.0f} / {max(values) * 1000:.0f}"


def _table(runs: list[dict[str, Any]]) -> str:
    lines = [
        "# For how long writes stop",
        "",
        f"{', '.join(sorted({run['at'][:10] for run in runs}))}, {platform.machine()}, three nodes on one machine of two"
        " cores. A client of the write Service, a row every 20 ms. Milliseconds, min / median / max; *in all* adds the stops"
        f" of more than {_STOP_SECONDS * 1000:.0f} ms, from the event until commits wait for a standby again.",
        "",
        *(f"- *{event}*: {HOW[event]}." for event in Event),
        "",
        "| what happens | runs | longest stop | in all | API errors | rows lost | two writers | load average |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for event in Event:
        group = [run for run in runs if run["event"] == event]
        if group:
            longest, total = [run["longest"] for run in group], [sum(one[0] for one in run["stops"]) for run in group]
            sums = [str(sum(run[key] for run in group)) for key in ("api_errors", "lost", "two_writers")]
            busy = f"{min(run['load'] for run in group)} to {max(run['load'] for run in group)}"
            lines.append(f"| {event} | {len(group)} | {_spread(longest)} | {_spread(total)} | {' | '.join(sums)} | {busy} |")
    return "\n".join([*lines, ""])


async def _main(runs: int, events: list[Event]) -> None:
    lab = Lab("lab")
    pods = Pods(lab, await asyncio.to_thread(ensure_binaries, print), NAMESPACE, MEMBERS)
    kept = _RESULTS / "stops.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
    done = [run for run in done if run["event"] not in set(events)]
    for event in events:
        for number in range(runs):
            one = await _one(pods, event)
            print(
                f"{event} {number + 1}: longest {one['longest']:.3f} s, stops {one['stops']}, {one['api_errors']} API errors"
            )
            done.append(one)
            kept.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
            (_RESULTS / "stops.md").write_text(_table(done), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--events", nargs="+", choices=[event.value for event in Event], default=list(Event))
    asked = parser.parse_args()
    asyncio.run(_main(asked.runs, [Event(event) for event in asked.events]))
