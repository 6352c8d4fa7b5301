"""Forced failovers on a running lab: the primary's server, container, pod or node is killed; when are writes back.

    python benchmarks/forced.py --runs 10

Each run breaks the primary, starts the failover with a person's word that the old primary is to be stopped, and lets the
approver read for three seconds. What counts is the time from the go-ahead (the approval is sent) to the first write that the
new primary acknowledges to a client of the Service; the outage counts from the last acknowledged write, the reading
included. Five seconds after the route has moved everything is healed, and must be redundant again. Writes ``forced.json``
and ``forced.md`` in ``benchmarks/results``; kinds that are not asked for this time stay there as they were.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from faults import HOW, Fault, Pods
from temporalio.client import Client

from activities.postgres.models.details import PostgresDetails
from deploy.lab.binaries import ensure_binaries
from deploy.lab.breaking import heal
from deploy.lab.estate import changed_estate, isolation_is_proof
from deploy.lab.measuring import load, platform_settings
from deploy.lab.names import Lab
from deploy.lab.switching import agree, connect, ending, is_fit, plan_of, start
from deploy.lab.workload import MEMBERS, NAMESPACE, annotation
from starters.history.model import Facts

Keep = Callable[[list[dict[str, Any]]], None]
_RESULTS = Path(__file__).parent / "results"
_READS_SECONDS, _ASKS_WITHIN = 3.0, 60
_STAYS_BROKEN_SECONDS = 5.0
_PHASES = ("decide", "claim", "fence", "promote", "route")
_KINDS = (Fault.SERVER, Fault.CONTAINER, Fault.POD, Fault.NODE, Fault.NETWORK)


async def _settled(lab: Lab, binaries: Path, client: Client) -> None:
    """Return once a planned failover would be accepted: redundant, and every address known to everybody."""
    while annotation(lab, binaries, "sync") not in MEMBERS or not await is_fit(client):
        await asyncio.sleep(0.2)


async def _moved_away(lab: Lab, binaries: Path, old: str, run: asyncio.Task[Facts]) -> None:
    """Return a while after the route has left ``old``, or the run has ended; what is broken is mended only then."""
    while annotation(lab, binaries, "leader") == old and not run.done():
        await asyncio.sleep(0.2)
    await asyncio.sleep(_STAYS_BROKEN_SECONDS)


async def _one(pods: Pods, kind: Fault) -> dict[str, Any]:
    lab, binaries = pods.lab, pods.binaries
    client = await connect(lab)
    await _settled(lab, binaries, client)
    old = annotation(lab, binaries, "leader")
    node, attest = pods.field(old, ".spec.nodeName"), kind is not Fault.NETWORK
    clients = platform_settings(lab, binaries).model_copy(update={"by_members": True})
    with load(lab, binaries, clients) as running:
        await asyncio.sleep(2)
        await asyncio.to_thread(pods.strike, kind, old, node)
        killed = time.time()
        handle = await start(client, mode="forced", attest=attest, reason=f"benchmark: {kind}")
        plan = await plan_of(handle, within=_ASKS_WITHIN)
        asked = time.time()
        await asyncio.sleep(max(_READS_SECONDS - (asked - killed), 0))
        go_ahead = time.time()
        await agree(handle, plan, attest=attest)
        run = asyncio.create_task(ending(handle))
        await _moved_away(lab, binaries, old, run)
        await asyncio.to_thread(heal, lab)
        facts = await run
        seen = await asyncio.to_thread(running.stop)
    await _settled(lab, binaries, client)
    figures = _figures(kind, facts, seen, go_ahead)
    return figures | {"kill_to_plan": asked - killed, "kill_to_write": figures["writes_again"] - killed}


def _figures(kind: Fault, facts: Facts, seen: dict[str, Any], go_ahead: float) -> dict[str, Any]:
    known = facts.known
    details = known.of(PostgresDetails)
    promoted = details.promoted.promoted_at.timestamp() if details.promoted else go_ahead
    writes_again = min(to for _, _, to in seen["gaps"] if to > promoted)
    by_members = seen["by_members"].get("gaps", [])
    return {
        "killed": kind.value,
        "outcome": facts.outcome,
        "reason": facts.reason,
        "proof": details.proof.kind if details.proof else "",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "writes_again": writes_again,
        "go_ahead_to_write": writes_again - go_ahead,
        "go_ahead_to_write_by_members": min(
            (to - go_ahead for _, since, to in by_members if since < promoted < to), default=None
        ),
        "outage": seen["outage_seconds"],
        "gaps_after_go_ahead": [(round(since - go_ahead, 3), round(to - go_ahead, 3)) for _, since, to in seen["gaps"]],
        "lost": seen["lost"],
        "two_writers": seen["two_writers"],
        "checks": sum(seen["checks"].values()),
        "condition": known.plan.diagnosis.condition if known.plan and known.plan.diagnosis else "",
        "lossless": known.plan.lossless if known.plan else None,
        "wrote_again": {one.deployment: one.writes_again_seconds for one in details.reconnected},
        "redundancy": details.redundancy.seconds if details.redundancy else None,
        "phases": {row.phase.value: round(row.seconds, 4) for row in facts.timing.phases},
        "own": facts.timing.own,
    }


def _spread(values: list[float], scale: float = 1000) -> str:
    return f"{min(values) * scale:.0f} / {median(values) * scale:.0f} / {max(values) * scale:.0f}" if values else "-"


def _table(runs: list[dict[str, Any]]) -> str:
    kinds = [kind for kind in _KINDS if any(run["killed"] == kind for run in runs)]
    by = {kind: [run for run in runs if run["killed"] == kind] for kind in kinds}
    rows: dict[str, Callable[[list[dict[str, Any]]], str]] = {
        "runs": lambda group: str(len(group)),
        "measured on": lambda group: ", ".join(sorted({one["at"][:10] for one in group})),
        "**go-ahead to first acknowledged write, at the new primary**": lambda group: _spread(
            [one["go_ahead_to_write"] for one in group]
        ),
        "the same, for a client with all members in its connection string": lambda group: _spread(
            [one["go_ahead_to_write_by_members"] for one in group if one.get("go_ahead_to_write_by_members") is not None]
        ),
        "from the fault to the first acknowledged write": lambda group: _spread([one["kill_to_write"] for one in group]),
        "from the fault to the plan": lambda group: _spread([one["kill_to_plan"] for one in group]),
        "longest gap of a client of the Service, the node's boot on the same two cores included": lambda group: _spread(
            [one["outage"] for one in group]
        ),
    }
    for phase in _PHASES:
        rows[f"of it: {phase}"] = lambda group, phase=phase: _spread([one["phases"].get(phase, 0) for one in group])  # type: ignore[misc]
    rows |= {
        "proof": lambda group: ", ".join(sorted({str(one["proof"]) for one in group})),
        "acknowledged rows lost, all runs": lambda group: str(sum(one["lost"] for one in group)),
        "moments with two writers, all runs": lambda group: str(sum(len(one["two_writers"]) for one in group)),
    }
    lines = [
        "# Forced failover on the lab",
        "",
        f"{platform.machine()}, three nodes on one machine of two cores."
        " Milliseconds, min / median / max. Whoever approves reads for three seconds first; the go-ahead carries a person's"
        f" word that the old primary is, or is to be, stopped, but for *{Fault.NETWORK}*: there nobody knows, and the policy"
        " takes isolation for proof (30 s after nobody has vouched for the old primary any more).",
        "",
        *(f"- *{kind}*: {HOW[kind]}." for kind in kinds),
        "",
        "| killed | " + " | ".join(kinds) + " |",
        "|---|" + "---|" * len(kinds),
    ]
    lines += [f"| {name} | " + " | ".join(figure(by[kind]) for kind in kinds) + " |" for name, figure in rows.items()]
    return "\n".join(lines) + "\n"


async def _measure(pods: Pods, kinds: list[Fault], number: int, keep: Keep) -> list[dict[str, Any]]:
    """Run every kind in turn; what there is goes to ``keep`` after each, so that a benchmark that is cut short counts."""
    runs: list[dict[str, Any]] = []
    for _ in range(number):
        for kind in kinds:
            with changed_estate(pods.lab, pods.binaries, isolation_is_proof) if kind is Fault.NETWORK else nullcontext():
                one = await _one(pods, kind)
            runs.append(one)
            keep(runs)
            print(
                f"{kind}: {one['outcome']} by {one['proof'] or 'no proof'} ({one['condition']}),"
                f" go-ahead to write {one['go_ahead_to_write'] * 1000:.0f} ms, outage {one['outage'] * 1000:.0f} ms,"
                f" lost {one['lost']}, two writers {len(one['two_writers'])}; {one['phases']}",
                flush=True,
            )
    return runs


def _kept(measured: list[Fault]) -> list[dict[str, Any]]:
    """Return the runs of kinds that were measured earlier, and not now."""
    path = _RESULTS / "forced.json"
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [run for run in runs if run["killed"] not in measured]


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="runs of each kind")
    names = [kind.name.lower() for kind in _KINDS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, help="what is killed")
    parser.add_argument("--lab", default="lab", help="name of the lab")
    parser.add_argument("--dry", action="store_true", help="print only; leave the results as they are")
    arguments = parser.parse_args()
    pods = Pods(Lab(arguments.lab), ensure_binaries(print), NAMESPACE, MEMBERS)
    kinds = [Fault[name.upper()] for name in arguments.kinds]
    earlier = _kept(kinds)

    def keep(runs: list[dict[str, Any]]) -> None:
        if not arguments.dry:
            _write([*earlier, *runs])

    print(_table(asyncio.run(_measure(pods, kinds, arguments.runs, keep))))


def _write(runs: list[dict[str, Any]]) -> None:
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / "forced.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    (_RESULTS / "forced.md").write_text(_table(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
