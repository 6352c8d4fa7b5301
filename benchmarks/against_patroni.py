"""Ours beside Patroni on one running lab: the same cluster, PostgreSQL, writer and faults, in turn, in one run.

    python benchmarks/against_patroni.py --lab bench --runs 5

Writes ``benchmarks/results/against_patroni.json`` and ``against_patroni.md``. Outage is the time from the last acknowledged
row before to the first after, of clients that begin every 20 ms, each with a new connection through the write Service;
lost are acknowledged rows that are not there afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from comparison import as_table
from contestants import Contestant, Ours, Patroni, nobody_to_ask
from faults import HOW, Fault, Pods
from patroni_cluster import MEMBERS as PATRONI_MEMBERS
from patroni_cluster import NAMESPACE as PATRONI_NAMESPACE
from patroni_cluster import PatroniCluster

from deploy.lab.binaries import ensure_binaries
from deploy.lab.load_data import LoadSettings
from deploy.lab.measuring import load
from deploy.lab.names import Lab, LabError
from deploy.lab.network import in_hub
from deploy.lab.processes import run
from deploy.lab.switching import connect
from deploy.lab.workload import MEMBERS, NAMESPACE, kubectl

_RESULTS = Path(__file__).parent / "results"
_DEFAULTS = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}
_FASTEST = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}
_COMPARED = (Fault.PLANNED, Fault.CONTAINER, Fault.POD, Fault.NODE)
_WARM_SECONDS, _AFTER_SECONDS, _WRITES_WITHIN = 1.5, 2.0, 180


async def _contestants(lab: Lab, binaries: Path, cluster: PatroniCluster) -> dict[Fault, list[Contestant]]:
    client = await connect(lab)
    ours, theirs = Pods(lab, binaries, NAMESPACE, MEMBERS), Pods(lab, binaries, PATRONI_NAMESPACE, PATRONI_MEMBERS)
    slowest = _DEFAULTS["loop_wait"]
    patroni: list[Contestant] = [
        Patroni("Patroni, defaults", cluster, theirs, _DEFAULTS, slowest),
        Patroni("Patroni, fastest", cluster, theirs, _FASTEST, slowest),
    ]
    planned, proved = (
        Ours("ours", client, ours, attested=False),
        Ours("ours, proved by its gate", client, ours, attested=False),
    )
    attested = Ours("ours, attested", client, ours, attested=True)
    return {
        Fault.PLANNED: [planned, *patroni],
        Fault.CONTAINER: [proved, attested, *patroni],
        Fault.POD: [proved, attested, *patroni],
        Fault.NODE: [attested, *patroni],
    }


async def _measure(one: Contestant, fault: Fault, phase: float) -> dict[str, Any]:
    """Measure one fault, ``phase`` (0 to 1) of the contestant's rhythm after everything was warm."""
    await one.until_whole()
    leader, target = one.leader(), one.target()
    node = one.pods.field(leader, ".spec.nodeName")
    what = fault.value + (" (with a DNS server)" if fault is Fault.NODE and one.pods.serves_names(node) else "")
    try:
        with load(one.pods.lab, one.pods.binaries, target) as running:
            await asyncio.sleep(_WARM_SECONDS + phase * one.rhythm)
            before = _writer(one, target)
            going = asyncio.create_task(one.switch() if fault is Fault.PLANNED else _fail(one, fault, leader, node))
            await _until_another_writes(one, target, before, going)
            await asyncio.sleep(_AFTER_SECONDS)
            seen = await asyncio.to_thread(running.stop)
    finally:
        await asyncio.to_thread(one.pods.bring_back, node)
    figures = ("outage_seconds", "rows", "lost", "row_errors", "two_writers", "commits")
    return {"fault": what, "from": leader, "to": one.leader(), **{key: seen[key] for key in figures}, **await going}


async def _fail(one: Contestant, fault: Fault, leader: str, node: str) -> dict[str, Any]:
    await asyncio.to_thread(one.pods.strike, fault, leader, node)
    return await one.go_on()


async def _until_another_writes(
    one: Contestant, target: LoadSettings, before: str, going: asyncio.Task[dict[str, Any]]
) -> None:
    """Return once another server, or the same one started anew, takes writes through the Service."""
    async with asyncio.timeout(_WRITES_WITHIN):
        while await asyncio.to_thread(_writer, one, target) in {"", before}:
            if going.done():
                going.result()
            await asyncio.sleep(0.3)


def _writer(one: Contestant, target: LoadSettings) -> str:
    """Return which start of which server takes writes; empty when none does."""
    where = f"host={target.write_address} user=app dbname=aiagent_prod connect_timeout=2 password={target.password}"
    question = "select inet_server_addr(), pg_postmaster_start_time(), pg_current_wal_insert_lsn() is not null"
    return run(in_hub(one.pods.lab, "psql", "-AtX", where, "-c", question), check=False).strip()


async def _compare(
    contestants: dict[Fault, list[Contestant]], faults: list[Fault], runs: int
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield one round after another: each fault to each contestant in turn."""
    for number in range(runs):
        measured = []
        for fault, one in [(each, one) for each in faults for one in contestants[each]]:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            row: dict[str, Any] = {"fault": fault.value, "contestant": one.name, "at": now}
            try:
                row |= await _measure(one, fault, (number + 0.5) / runs)
            except (LabError, TimeoutError) as error:
                row["failed"] = f"{type(error).__name__}: {error}"
            row["load_average"] = os.getloadavg()[0]
            measured.append(row)
            print(f"{number + 1:2} {row['fault']:<38}{row['contestant']:<28}{_in_short(row)}", flush=True)
        yield measured


def _in_short(row: dict[str, Any]) -> str:
    if "failed" in row:
        return str(row["failed"])
    told = ""
    if "accepted_after" in row:
        told = f", accepted after {row['accepted_after'] * 1000:.0f} ms and {len(row['refused'])} refusals"
    return (
        f"{row['outage_seconds'] * 1000:7.0f} ms, {row['from']} to {row['to']}, {row['rows']} rows, lost {row['lost']},"
        f" two writers {len(row['two_writers'])}, load {row['load_average']:.1f}{told}"
    )


def _circumstances(lab: Lab, binaries: Path, cluster: PatroniCluster) -> dict[str, Any]:
    """Return what a reader must know to judge the figures."""
    kubernetes = json.loads(kubectl(lab, binaries, "version", "-o", "json"))["serverVersion"]["gitVersion"]
    server = run([str(cluster.programs / "postgres"), "--version"]).strip()
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, three nodes in network namespaces",
        "versions": {
            "failover": version("failover"),
            "Patroni": cluster.version,
            "PostgreSQL": server,
            "Kubernetes": kubernetes,
            "Python": platform.python_version(),
        },
        "settings": {"Patroni, defaults": _DEFAULTS, "Patroni, fastest": _FASTEST, "both": {"synchronous_mode": True}},
        "faults": {fault.value: HOW[fault] for fault in _COMPARED},
    }


async def _measure_all(lab: Lab, binaries: Path, cluster: PatroniCluster, arguments: argparse.Namespace) -> None:
    """Write the results anew after each round."""
    faults = [fault for fault in _COMPARED if not arguments.fault or fault.name.lower() in arguments.fault]
    results: dict[str, Any] = {**_circumstances(lab, binaries, cluster), "runs": []}
    arguments.output.mkdir(exist_ok=True)
    async for measured in _compare(await _contestants(lab, binaries, cluster), faults, arguments.runs):
        results["runs"] += measured
        (arguments.output / "against_patroni.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (arguments.output / "against_patroni.md").write_text(as_table(results), encoding="utf-8")
    print(as_table(results))


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of every cell")
    parser.add_argument("--lab", default="lab", help="name of the lab, which must be up")
    parser.add_argument(
        "--fault", action="append", choices=[fault.name.lower() for fault in _COMPARED], help="only this one"
    )
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    lab, binaries = Lab(arguments.lab), ensure_binaries(print)
    cluster = PatroniCluster(lab, binaries)
    cluster.install()
    try:
        with nobody_to_ask(lab, binaries):
            asyncio.run(_measure_all(lab, binaries, cluster, arguments))
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
