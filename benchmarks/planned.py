"""Planned failovers on a running lab, there and back, measured by clients of their own.

    python benchmarks/planned.py --moves 20

Writes ``benchmarks/results/planned.json`` and ``planned.md``. Outage is the longest gap between two acknowledged rows of
clients that begin every 20 ms, each with a new connection through the Service; the usual gap stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from activities.postgres.models.details import PostgresDetails
from deploy.lab.binaries import ensure_binaries
from deploy.lab.measuring import load
from deploy.lab.names import Lab
from deploy.lab.switching import connect, switch
from deploy.lab.workload import MEMBERS, annotation
from starters.history.model import Facts

_RESULTS = Path(__file__).parent / "results"
_PHASES_OF_OUTAGE = ("fence", "promote", "route")


def _figures(facts: Facts, seen: dict[str, Any]) -> dict[str, Any]:
    known = facts.known
    details = known.of(PostgresDetails)
    routed = details.routed.routed_at.timestamp() if details.routed else 0.0
    return {
        "to": known.plan.candidate if known.plan else "",
        "outcome": facts.outcome,
        "outage": seen["outage_seconds"],
        "outage_by_the_run": known.measurement.outage_seconds if known.measurement else None,
        "lost": seen["lost"],
        "lost_by_the_run": known.measurement.lost if known.measurement else None,
        "api_errors": len(seen["api_errors"]),
        "api_errors_after_route": sum(at > routed for at, _ in seen["api_errors"]),
        "api_first_errors": [text for _, text in seen["api_errors"][:3]],
        "api_answers": seen["api_ok"],
        "two_writers": seen["two_writers"],
        "checks": sum(seen["checks"].values()),
        "redundant_again": details.redundancy.seconds if details.redundancy else None,
        "phases": {row.phase.value: round(row.seconds, 4) for row in facts.timing.phases},
        "total": facts.timing.total,
        "people": facts.timing.people,
        "steps": facts.timing.steps,
        "own": facts.timing.own,
    }


async def _measure(lab: Lab, moves: int) -> list[dict[str, Any]]:
    binaries, client, runs = ensure_binaries(print), await connect(lab), []
    for number in range(moves):
        while annotation(lab, binaries, "sync") not in MEMBERS:
            await asyncio.sleep(0.2)
        with load(lab, binaries) as running:
            await asyncio.sleep(1.5)
            facts = await switch(client)
            await asyncio.sleep(1.5)
            seen = await asyncio.to_thread(running.stop)
        runs.append(_figures(facts, seen))
        one = runs[-1]
        print(
            f"{number + 1:3} to {one['to']}: {one['outcome']}, outage {one['outage'] * 1000:.0f} ms, lost {one['lost']},"
            f" API errors {one['api_errors']} ({one['api_errors_after_route']} after the route),"
            f" two writers {len(one['two_writers'])}, redundant after {one['redundant_again']:.2f} s",
            flush=True,
        )
    return runs


def _spread(values: list[float], scale: float = 1000) -> str:
    return f"{min(values) * scale:.0f} / {median(values) * scale:.0f} / {max(values) * scale:.0f}"


def _table(runs: list[dict[str, Any]]) -> str:
    lines = [
        "# Planned failover on the lab",
        "",
        f"{len(runs)} moves, {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, three nodes on one machine of two cores."
        " Milliseconds, min / median / max.",
        "",
        "| | " + " | ".join(f"to {member}" for member in MEMBERS) + " |",
        "|---|" + "---|" * len(MEMBERS),
    ]
    by = defaultdict(list)
    for run in runs:
        by[run["to"]].append(run)
    rows: dict[str, Any] = {
        "moves": lambda group: str(len(group)),
        "**write outage, client of the Service**": lambda group: _spread([one["outage"] for one in group]),
        "write outage, as the run itself measured": lambda group: _spread([one["outage_by_the_run"] for one in group]),
    }
    for phase in _PHASES_OF_OUTAGE:
        rows[f"of it: {phase}"] = lambda group, phase=phase: _spread([one["phases"][phase] for one in group])
    rows["of it: the rest (see below)"] = lambda group: _spread([one["outage"] - _stopped(one) for one in group])
    rows |= {
        "verify": lambda group: _spread([one["phases"]["verify"] for one in group]),
        "reconnect (rolling restart of the API)": lambda group: _spread([one["phases"]["reconnect"] for one in group]),
        "old primary synchronous again, after the route": lambda group: _spread([one["redundant_again"] for one in group]),
        "whole run, without waiting for people": lambda group: _spread([one["total"] - one["people"] for one in group]),
        "orchestration's own (total minus steps, pauses, people)": lambda group: _spread([one["own"] for one in group]),
        "acknowledged rows lost, all moves": lambda group: str(sum(one["lost"] for one in group)),
        "API errors during the switch, per move": lambda group: _spread([one["api_errors"] for one in group], 1),
        "API errors after the route had moved, all moves": lambda group: str(
            sum(one["api_errors_after_route"] for one in group)
        ),
        "moments with two writers, all moves": lambda group: str(sum(len(one["two_writers"]) for one in group)),
    }
    for name, figure in rows.items():
        lines.append(f"| {name} | " + " | ".join(figure(by[member]) for member in MEMBERS) + " |")
    lines += ["", _REST]
    return "\n".join(lines) + "\n"


def _stopped(one: dict[str, Any]) -> float:
    return float(sum(one["phases"][phase] for phase in _PHASES_OF_OUTAGE))


_REST = (
    "The rest: hops between steps through Temporal (two, about 10 ms each), kube-proxy taking the new endpoint into its"
    " rules (about 30 ms), the client's own 20 ms rhythm and a new connection; a negative figure means that the server still"
    " answered for a part of the fence step."
)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=20, help="moves in all, half each way")
    parser.add_argument("--lab", default="lab", help="name of the lab")
    arguments = parser.parse_args()
    runs = asyncio.run(_measure(Lab(arguments.lab), arguments.moves))
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / "planned.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    table = _table(runs)
    (_RESULTS / "planned.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
