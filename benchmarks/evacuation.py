"""From the proof that a dead node is stopped to every workload Ready elsewhere.

    python benchmarks/evacuation.py --runs 10

A node that nothing leads from loses its power. `node-failover` in mode forced replaces at once what keeps no data, and waits
for a person's word with the rest; what counts is the time from that word to the moment when every controller of what ran
there has as many ready pods as it wants. Then the node gets its power back and is waited for. Writes ``evacuation.json``
and ``evacuation.md`` in ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from faults import Pods

from activities.nodes.run_models import NodeDetails
from deploy.lab.binaries import ensure_binaries
from deploy.lab.breaking import break_it, heal
from deploy.lab.measuring import load
from deploy.lab.names import NODES, Lab
from deploy.lab.sentinels import redis_master
from deploy.lab.switching import APPROVER, connect, ending, is_fit, start_node, status_of
from deploy.lab.workload import MEMBERS, NAMESPACE, annotation

_RESULTS = Path(__file__).parent / "results"
_WITHIN, _READS_SECONDS = 90, 3.0


def _quiet_node(pods: Pods) -> str:
    """Return a node that neither the PostgreSQL primary nor the Redis master runs on."""
    leaders = (annotation(pods.lab, pods.binaries, "leader"), redis_master(pods.lab, pods.binaries))
    carrying = {pods.field(one, ".spec.nodeName") for one in leaders}
    return next(node for node in reversed(NODES) if node not in carrying)


async def _fill(pods: Pods, node: str) -> None:
    """Let the standby, a pod of the API and a witness run on ``node``: pods do not come back to it by themselves."""
    for select in ("app=postgresql,role=standby", "app=api", "app=failover-witness"):
        there = json.loads(pods.kubectl("get", "pods", "-l", select, "-o", "json"))["items"]
        if all(one["spec"].get("nodeName") != node for one in there):
            pods.kubectl("delete", "pod", there[0]["metadata"]["name"])
            await _settled(pods)


async def _one(pods: Pods) -> dict[str, Any]:
    lab, binaries, client = pods.lab, pods.binaries, await connect(pods.lab)
    await _settled(pods)
    node = _quiet_node(pods)
    await _fill(pods, node)
    there = json.loads(pods.kubectl("get", "pods", "--field-selector", f"spec.nodeName={node}", "-o", "json"))["items"]
    with load(lab, binaries) as running:
        await asyncio.to_thread(break_it, lab, binaries, "node", node)
        handle = await start_node(client, node, mode="forced", reason="benchmark: its power is off")
        async with asyncio.timeout(_WITHIN):
            while (status := await status_of(handle)) is None or not status.waits_for_attestation:
                await asyncio.sleep(0.1)
        await asyncio.sleep(_READS_SECONDS)
        word = time.time()
        await handle.execute_update("attest", {"by": APPROVER, "member": node})
        facts = await ending(handle)
        await asyncio.to_thread(heal, lab, lambda _: None)
        await asyncio.wait_for(client.get_workflow_handle(f"return/node/{node}").result(), _WITHIN)
        seen = await asyncio.to_thread(running.stop)
    details = facts.known.of(NodeDetails)
    settled, replaced = details.settled, details.pods_replaced
    return {
        "node": node,
        "pods": sorted(one["metadata"]["name"] for one in there),
        "outcome": facts.outcome,
        "reason": facts.reason,
        "word_to_ready": settled.at.timestamp() - word if settled and settled.whole else None,
        "removed": len(replaced.pods) if replaced else 0,
        "left_to_do": facts.known.left_to_do,
        "recovery": details.recovery_seconds,
        "lost": seen["lost"],
        "two_writers": seen["two_writers"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


async def _settled(pods: Pods) -> None:
    for kind in ("deployment", "statefulset"):
        for name in pods.kubectl("get", kind, "-o", "name").split():
            await asyncio.to_thread(pods.kubectl, "rollout", "status", name, "--timeout=180s")
    client = await connect(pods.lab)
    while annotation(pods.lab, pods.binaries, "sync") not in MEMBERS or not await is_fit(client):
        await asyncio.sleep(0.2)


def _table(runs: list[dict[str, Any]]) -> str:
    seconds = [one["word_to_ready"] for one in runs if one["word_to_ready"] is not None]
    spread = f"{min(seconds):.1f} / {median(seconds):.1f} / {max(seconds):.1f} s" if seconds else "-"
    return "\n".join([
        "# A dead node, from the proof on",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, three nodes on one machine of two cores. Nothing leads from"
        " the node; somebody says that its power is off three seconds after everything that keeps no data was replaced.",
        "",
        "| | |",
        "|---|---|",
        f"| runs; in time | {len(runs)}; {len(seconds)} |",
        f"| **from the word to every workload Ready elsewhere**, min / median / max | {spread} |",
        f"| pods removed from the node | {', '.join(sorted({str(one['removed']) for one in runs}))} |",
        f"| acknowledged rows lost, all runs | {sum(one['lost'] for one in runs)} |",
        f"| moments with two writers, all runs | {sum(len(one['two_writers']) for one in runs)} |",
    ]) + "\n"  # fmt: skip


async def _measure(pods: Pods, number: int) -> list[dict[str, Any]]:
    runs = []
    for _ in range(number):
        runs.append(await _one(pods))
        print(json.dumps(runs[-1]), flush=True)
    return runs


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--lab", default="lab", help="name of the lab")
    parser.add_argument("--dry", action="store_true", help="print only; leave the results as they are")
    arguments = parser.parse_args()
    runs = asyncio.run(_measure(Pods(Lab(arguments.lab), ensure_binaries(print), NAMESPACE, MEMBERS), arguments.runs))
    if not arguments.dry:
        (_RESULTS / "evacuation.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
        (_RESULTS / "evacuation.md").write_text(_table(runs), encoding="utf-8")
    print(_table(runs))


if __name__ == "__main__":
    main()
