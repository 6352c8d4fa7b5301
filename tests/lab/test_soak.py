"""Ten minutes of a bad network and of machines that stand still, everything watched, everything automatic: nothing moves.

Every node loses 5 % of what it is sent. Twenty times something is frozen for 8 to 29 s, as Azure freezes machines to move
them: the primary's machine, the standby's, the third one, the primary's pod, a worker, a witness. Nothing is dead, so
no database and no node may be failed over. (Sentinel cannot tell such a freeze from death, and moves Redis: that is right.)
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from temporalio.service import RPCError, RPCStatusCode

from deploy.lab.breaking import freeze_machine, heal, kill_processes, thaw_machine
from deploy.lab.estate import automatic, changed_estate
from deploy.lab.names import NODES
from deploy.lab.network import lose_packets
from deploy.lab.watching import watched
from tests.lab.platform import Platform

pytestmark = [pytest.mark.lab, pytest.mark.matrix]
_RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
_SECONDS, _FREEZES, _LOSS = 600.0, 20, 0.05
_SHORTEST, _LONGEST = 8.0, 29.0
_POD_LONGEST = 20.0
"""A pod that is frozen alone is killed by its kubelet's liveness probe after 30 s."""


@dataclass(frozen=True)
class Freeze:
    """One of them."""

    what: str
    seconds: float
    begin: Callable[[], object]
    end: Callable[[], object]


def _freezes(platform: Platform) -> list[Freeze]:
    """Return all of them, in an order that is the same every time."""
    chance = random.Random(1)
    third = next(node for node in NODES if node not in platform.nodes.values())
    machines = {
        "the primary's machine": platform.nodes[platform.old],
        "the standby's machine": platform.nodes[platform.candidate],
        "the third machine": third,
    }
    pods = {"the primary's pod": platform.old, "a witness": platform.pods("failover-witness")[0]}
    kinds = [*machines, *pods, "a worker"]
    found = []
    for number in range(_FREEZES):
        what = kinds[number % len(kinds)]
        begin: Callable[[], object]
        end: Callable[[], object]
        if what in machines:
            node, seconds = machines[what], chance.uniform(_SHORTEST, _LONGEST)
            begin, end = partial(freeze_machine, platform.lab, node), partial(thaw_machine, platform.lab, node)
        else:
            pod, seconds = pods.get(what, platform.pods("failover-worker")[0]), chance.uniform(_SHORTEST, _POD_LONGEST)
            tell = partial(kill_processes, platform.lab, platform.binaries, pod)
            begin, end = partial(tell, signal.SIGSTOP), partial(tell, signal.SIGCONT)
        found.append(Freeze(what, seconds, begin, end))
    return found


async def _begun_since(platform: Platform, began: float) -> list[str]:
    """Return the failovers of databases and nodes that have begun since then."""
    found = []
    for lock in ("postgres/orders", *(f"node/{node}" for node in NODES)):
        try:
            run = await platform.client.get_workflow_handle(lock).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            continue  # there has never been one
        if run.start_time.timestamp() > began:
            found.append(f"{lock}: {run.status.name if run.status else '?'}")
    return found


async def test_ten_minutes_of_loss_and_freezes_move_nothing(platform: Platform) -> None:
    platform.look()
    freezes = _freezes(platform)
    pause = max((_SECONDS - sum(one.seconds for one in freezes)) / len(freezes), 3.0)
    with changed_estate(platform.lab, platform.binaries, automatic):
        async with watched(platform.client):
            began = time.time()
            for node in NODES:
                lose_packets(platform.lab, node, _LOSS)
            for one in freezes:
                await asyncio.sleep(pause)
                await asyncio.to_thread(one.begin)
                await asyncio.sleep(one.seconds)
                await asyncio.to_thread(one.end)
                print(f"{time.time() - began:5.0f} s: {one.what} stood still for {one.seconds:.0f} s", flush=True)
            await asyncio.sleep(pause)
            lasted, begun = time.time() - began, await _begun_since(platform, began)
            for node in NODES:
                lose_packets(platform.lab, node, 0)
    seen = platform.seen()
    leader = platform.leader
    await asyncio.to_thread(heal, platform.lab, lambda _: None)
    _keep(freezes, lasted, begun, seen)
    assert begun == []
    assert leader == platform.old
    await platform.fresh_pods()


def _keep(freezes: list[Freeze], lasted: float, begun: list[str], seen: dict[str, object]) -> None:
    """Write down how it went."""
    found = {
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": round(lasted),
        "loss": _LOSS,
        "freezes": [(one.what, round(one.seconds, 1)) for one in freezes],
        "failovers_begun": begun,
        "lost": seen["lost"],
        "two_writers": seen["two_writers"],
        "rows": seen["rows"],
    }
    (_RESULTS / "soak.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
