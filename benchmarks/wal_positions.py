"""Planned moves with the shutdown checkpoint at every place in a WAL segment: gates and servers, without Kubernetes.

    python benchmarks/wal_positions.py --moves 1000 --pairs 2

Each pair is two gates in front of two servers on loopback, with a small API server. Before each move WAL is filled up to a
distance from the end of its segment: a quarter of the moves each so that the checkpoint goes on in the next segment, or is
in the last page; else anywhere. A move is the gates' part of a planned switch: fence, prepare, promote, route. The outage is
the time from the fence's request to the promotion's answer, when the new primary takes writes. Every acknowledged row is
looked for after each move. Writes ``wal_positions.json`` and ``wal_positions.md`` in ``benchmarks/results``;
ends with 1 if a move failed or a row is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from gate.postgres.lsn import parse_lsn
from tests.gate import template
from tests.gate.harness import Cluster, RefusedError, running_cluster
from tests.leftovers import keeper
from tests.leftovers.marks import MARK, mark_of
from tests.postgres_programs import FILL_SEGMENT

_RESULTS = Path(__file__).parent / "results"
_SEGMENT, _PAGE, _RECORD = 16 * 1024 * 1024, 8192, 120


def _distance() -> int:
    """Return how far from the end of its segment the checkpoint should begin, roughly."""
    anywhere = (_PAGE, _SEGMENT // 2)
    return random.randint(*random.choice([(8, _RECORD), (_RECORD, _PAGE), anywhere, anywhere]))  # noqa: S311


async def _move(cluster: Cluster, old: str, new: str, number: int) -> dict[str, Any]:
    """Move from ``old`` to ``new``; return what was measured."""
    await cluster.sql(old, f"insert into moves values ({number})")  # noqa: S608 - a number
    await cluster.as_superuser(old, FILL_SEGMENT.format(distance=_distance()))
    epoch = cluster.claim(new)
    began = time.monotonic()
    fenced = await cluster.fence(old, epoch, wait_for=[new], timeout_seconds=30)
    stopped = time.monotonic()
    await cluster.prepare(new, epoch, fenced.end_lsn)
    await cluster.promote(new, epoch, fenced.end_lsn, replayed=True)
    outage = time.monotonic() - began
    cluster.route(new)
    left = _SEGMENT - parse_lsn(fenced.checkpoint_lsn) % _SEGMENT
    rows = (await cluster.sql(new, "select count(*) from moves"))[0][0]
    await cluster.until_synchronous(old, 120)
    return {"outage": outage, "fence": stopped - began, "left": left, "lost": number + 1 - int(str(rows))}


async def _pair(made: Path, moves: int, runs: list[dict[str, Any]]) -> None:
    with template.new_folder() as folder:
        template.copy(made, folder)
        async with running_cluster(folder) as cluster:
            await cluster.sql("pg-0", "create table moves (n int)")
            old, new = "pg-0", "pg-1"
            for number in range(moves):
                try:
                    runs.append(await _move(cluster, old, new, number))
                except (RefusedError, TimeoutError) as error:
                    runs.append({"failed": str(error) or type(error).__name__})
                    return
                old, new = new, old
                if len(runs) % 50 == 0:
                    print(f"{len(runs)} moves, longest outage {max(run.get('outage', 0) for run in runs):.3f} s", flush=True)


def _table(runs: list[dict[str, Any]]) -> str:
    done = [run for run in runs if "outage" in run]
    outages = sorted(run["outage"] * 1000 for run in done)
    last, across = [r for r in done if r["left"] <= _PAGE], [r for r in done if r["left"] < _RECORD]
    rows = {
        "moves": len(runs),
        "failed": len(runs) - len(done),
        "with the checkpoint in the last page of its segment": len(last),
        "of these, with a record that goes on in the next segment": len(across),
        "outage, median (ms)": f"{median(outages):.0f}",
        "outage, 99 of 100 (ms)": f"{outages[int(len(outages) * 0.99)]:.0f}",
        "**outage, longest (ms)**": f"{outages[-1]:.0f}",
        "acknowledged rows lost": sum(run["lost"] for run in done),
    }
    lines = [
        "# Planned moves, by the place of the shutdown checkpoint",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, gates and servers as processes of one machine of two cores.",
        "From the fence's request to the promotion's answer; see `benchmarks/wal_positions.py`.",
        "",
        "| what | figure |",
        "|---|---|",
        *(f"| {name} | {figure} |" for name, figure in rows.items()),
    ]
    return "\n".join(lines) + "\n"


async def _measure(moves: int, pairs: int) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    with template.new_folder() as place:
        made = await template.made_once(place)
        await asyncio.gather(*(_pair(made, moves // pairs, runs) for _ in range(pairs)))
    return runs


def _sweep_at_the_end() -> None:
    """Let a keeper end and remove what this process starts and makes, however it ends."""
    os.environ[MARK] = mark_of(os.getpid())
    keeper.start(os.environ[MARK])


def main() -> int:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=2, help="pairs that move at the same time")
    parser.add_argument("--dry", action="store_true", help="print only; leave the results as they are")
    arguments = parser.parse_args()
    _sweep_at_the_end()
    runs = asyncio.run(_measure(arguments.moves, arguments.pairs))
    table = _table(runs)
    if not arguments.dry:
        (_RESULTS / "wal_positions.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
        (_RESULTS / "wal_positions.md").write_text(table, encoding="utf-8")
    print(table)
    return int(any("failed" in run or run["lost"] for run in runs))


if __name__ == "__main__":
    sys.exit(main())
