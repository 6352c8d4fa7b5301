"""From a fault to the first write, with nobody at the keyboard: the watch finds it, and its failover goes by itself.

    python benchmarks/detection.py --runs 10

Every run breaks the primary under load and touches nothing until writes are back. What counts is the time from the fault to
the first write that a client of the Service sees acknowledged, whoever brought it about: the gate that starts a killed
server again, or the failover. Writes ``detection.json`` and ``detection.md`` in ``benchmarks/results``; kinds that are not
asked for this time stay there as they were.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from faults import HOW, Fault, Pods
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.postgres.models.details import PostgresDetails
from deploy.lab.binaries import ensure_binaries
from deploy.lab.breaking import heal, kill_servers
from deploy.lab.estate import changed_estate
from deploy.lab.measuring import load
from deploy.lab.names import Lab
from deploy.lab.switching import CLUSTER, connect, ending, is_fit
from deploy.lab.watching import watched
from deploy.lab.workload import MEMBERS, NAMESPACE, annotation
from starters.history.model import Facts
from workflows.postgres.models import lock_id

_RESULTS = Path(__file__).parent / "results"
_KINDS = (Fault.SERVER, Fault.KEPT_DOWN, Fault.NODE)
_BASELINE_SECONDS, _KILL_EVERY_SECONDS, _BACK_WITHIN_SECONDS = 2.0, 0.01, 120.0
_NONE_BEGINS_SECONDS = 8.0
_WATCH = {
    Fault.SERVER: {},
    Fault.KEPT_DOWN: {"stopped_after": "PT0S"},
    Fault.NODE: {},
}
"""What differs from the defaults, beside the policy."""


def _automatic(kind: Fault) -> Callable[[dict[str, Any]], None]:
    """Return a change of the estate: nobody is asked, isolation is proof, and the next run may follow at once."""

    def change(estate: dict[str, Any]) -> None:
        for cluster in estate["postgres"].values():
            kept = {key: value for key, value in cluster.get("watch", {}).items() if key == "interval"}
            cluster["watch"] = {**kept, "policy": "automatic", "cooldown": "PT0S", **_WATCH[kind]}
            cluster["forced"] = {**cluster.get("forced", {}), "proof": ["gate", "isolation"]}

    return change


@contextmanager
def _kept_down(pods: Pods, member: str) -> Iterator[None]:
    """Kill the servers of ``member`` again and again, as a fault that outlives its restarts does."""
    ending = threading.Event()

    def kill() -> None:
        while not ending.wait(_KILL_EVERY_SECONDS):
            kill_servers(pods.lab, pods.binaries, member, uid)

    uid = pods.field(member, ".metadata.uid")
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


async def _run_since(client: Client, killed: float) -> WorkflowExecutionDescription | None:
    """Return the failover that has begun since then, if one has."""
    try:
        found = await client.get_workflow_handle(lock_id(CLUSTER)).describe()
    except RPCError:
        return None  # there has never been one
    return found if found.start_time.timestamp() > killed else None


async def _back(pods: Pods, client: Client, old: str, killed: float, patience: float) -> None:
    """Return once a failover has moved the writes, or has ended otherwise, or none has begun for a while."""
    while time.time() - killed < _BACK_WITHIN_SECONDS:
        await asyncio.sleep(0.2)
        found = await _run_since(client, killed)
        if annotation(pods.lab, pods.binaries, "leader") != old:
            return
        if found is None and time.time() - killed > patience:
            return
        if found is not None and found.status is not WorkflowExecutionStatus.RUNNING:
            return


async def _one(pods: Pods, kind: Fault) -> dict[str, Any]:
    lab, binaries = pods.lab, pods.binaries
    client = await connect(lab)
    await _settled(lab, binaries, client)
    old = annotation(lab, binaries, "leader")
    node = pods.field(old, ".spec.nodeName")
    with load(lab, binaries) as running:
        await asyncio.sleep(_BASELINE_SECONDS)
        killed, patience = time.time(), _NONE_BEGINS_SECONDS if kind is not Fault.NODE else _BACK_WITHIN_SECONDS
        with _kept_down(pods, old) if kind is Fault.KEPT_DOWN else nullcontext():
            if kind is not Fault.KEPT_DOWN:
                await asyncio.to_thread(pods.strike, kind, old, node)
                killed = time.time() if kind is Fault.NODE else killed
            await _back(pods, client, old, killed, patience)
        await asyncio.sleep(2)
        await asyncio.to_thread(heal, lab, lambda _: None)
        begun = await _run_since(client, killed)
        facts = await ending(client.get_workflow_handle(lock_id(CLUSTER), run_id=begun.run_id)) if begun else None
        seen = await asyncio.to_thread(running.stop)
    await _settled(lab, binaries, client)
    return _figures(kind, killed, facts, seen, moved=annotation(lab, binaries, "leader") != old)


async def _settled(lab: Lab, binaries: Path, client: Client) -> None:
    """Return once a planned failover would be accepted and no run goes on."""
    while True:
        last = await _run_since(client, 0)
        over = last is None or last.status is not WorkflowExecutionStatus.RUNNING
        if over and annotation(lab, binaries, "sync") in MEMBERS and await is_fit(client):
            return
        await asyncio.sleep(0.2)


def _figures(kind: Fault, killed: float, facts: Facts | None, seen: dict[str, Any], *, moved: bool) -> dict[str, Any]:
    gaps = [(since, to) for _, since, to in seen["gaps"] if to > killed and since < killed + 1]
    writes_again = max((to for _, to in gaps), default=killed)
    started = facts.started_at.timestamp() - killed if facts else None
    details = facts.known.of(PostgresDetails) if facts else None
    return {
        "killed": kind.value,
        "kill_to_write": writes_again - killed,
        "outage": seen["outage_seconds"],
        "kill_to_failover": started,
        "outcome": facts.outcome if facts else "no failover",
        "reason": facts.reason if facts else "",
        "moved": moved,
        "proof": details.proof.kind if details and details.proof else "",
        "phases": {row.phase.value: round(row.seconds, 4) for row in facts.timing.phases} if facts else {},
        "lost": seen["lost"],
        "two_writers": seen["two_writers"],
        "gaps": [(round(since - killed, 3), round(to - killed, 3)) for _, since, to in seen["gaps"]],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _spread(values: list[float], scale: float = 1000) -> str:
    return f"{min(values) * scale:.0f} / {median(values) * scale:.0f} / {max(values) * scale:.0f}" if values else "-"


def _table(runs: list[dict[str, Any]]) -> str:
    kinds = [kind for kind in _KINDS if any(run["killed"] == kind for run in runs)]
    by = {kind: [run for run in runs if run["killed"] == kind] for kind in kinds}
    rows: dict[str, Callable[[list[dict[str, Any]]], str]] = {
        "runs": lambda group: str(len(group)),
        "**from the fault to the first acknowledged write**": lambda group: _spread([one["kill_to_write"] for one in group]),
        "from the fault to the start of the failover": lambda group: _spread(
            [one["kill_to_failover"] for one in group if one["kill_to_failover"] is not None]
        ),
        "writes moved to the other member": lambda group: f"{sum(one['moved'] for one in group)} of {len(group)}",
        "proof": lambda group: ", ".join(sorted({str(one["proof"]) for one in group if one["proof"]})) or "-",
        "acknowledged rows lost, all runs": lambda group: str(sum(one["lost"] for one in group)),
        "moments with two writers, all runs": lambda group: str(sum(len(one["two_writers"]) for one in group)),
    }
    watch = {kind: ", ".join(f"{key} {value}" for key, value in _WATCH[kind].items()) or "defaults" for kind in kinds}
    lines = [
        "# Automatic failover on the lab",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, three nodes on one machine of two cores, three witnesses."
        " Milliseconds, min / median / max. Policy automatic, a probe every 200 ms, isolation (30 s) is proof.",
        "",
        *(f"- *{kind}*: {HOW[kind]}. Watch: {watch[kind]}." for kind in kinds),
        "",
        "| broken | " + " | ".join(kinds) + " |",
        "|---|" + "---|" * len(kinds),
    ]
    lines += [f"| {name} | " + " | ".join(figure(by[kind]) for kind in kinds) + " |" for name, figure in rows.items()]
    return "\n".join(lines) + "\n"


async def _measure(
    pods: Pods, kinds: list[Fault], number: int, keep: Callable[[list[dict[str, Any]]], None]
) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    for kind in kinds:
        for _ in range(number):  # what was healed has its own estate again
            with changed_estate(pods.lab, pods.binaries, _automatic(kind)):
                async with watched(await connect(pods.lab), f"postgres/{CLUSTER}"):
                    one = await _one(pods, kind)
            runs.append(one)
            keep(runs)
            print(json.dumps(one), flush=True)
    return runs


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="runs of each kind")
    names = [kind.name.lower() for kind in _KINDS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, help="what is broken")
    parser.add_argument("--lab", default="lab", help="name of the lab")
    parser.add_argument("--dry", action="store_true", help="print only; leave the results as they are")
    arguments = parser.parse_args()
    pods = Pods(Lab(arguments.lab), ensure_binaries(print), NAMESPACE, MEMBERS)
    kinds = [Fault[name.upper()] for name in arguments.kinds]
    path = _RESULTS / "detection.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    earlier = [run for run in known if run["killed"] not in kinds]

    def keep(runs: list[dict[str, Any]]) -> None:
        if not arguments.dry:
            path.write_text(json.dumps([*earlier, *runs], indent=1) + "\n", encoding="utf-8")
            (_RESULTS / "detection.md").write_text(_table([*earlier, *runs]), encoding="utf-8")

    print(_table(asyncio.run(_measure(pods, kinds, arguments.runs, keep))))


if __name__ == "__main__":
    main()
