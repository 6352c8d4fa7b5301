"""Every step of a planned failover with every fault, on the real platform. Long: ``./run matrix``; results are committed.

Whatever happens, the run or the next one ends well, one server takes writes, the record is clean and no acknowledged row is
lost (the ``platform`` fixture looks at the last two).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.models import Outcome
from deploy.lab import processes
from deploy.lab.breaking import kill_processes
from deploy.lab.controlplane import start_control_plane
from deploy.lab.network import set_link
from deploy.lab.switching import Handle, approve, ending, start
from deploy.lab.temporal import start_temporal
from tests.lab.conftest import Platform
from tests.lab.histories import completed

pytestmark = [pytest.mark.lab, pytest.mark.matrix, pytest.mark.timeout(600)]
_RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "matrix.md"
_LEGEND = (
    "How the run ended, what settled it where it could not, and how long all took. In every case no acknowledged row was"
    " lost, never two servers took writes, and the cluster was whole again by itself."
)
_rows: dict[tuple[str, str], str] = {}

STEPS = (
    "postgres.claim", "kubernetes.await_quiet", "postgres.fence", "postgres.promote", "postgres.route", "postgres.verify",
)  # fmt: skip


async def _kill_worker(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    kill_processes(platform.lab, platform.binaries, by, signal.SIGKILL)


async def _kill_candidate(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    kill_processes(platform.lab, platform.binaries, platform.candidate, signal.SIGKILL)


async def _kill_primary(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    kill_processes(platform.lab, platform.binaries, platform.old, signal.SIGKILL)


async def _cut_candidate(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    node = platform.nodes[platform.candidate]
    set_link(platform.lab, node, up=False)
    await asyncio.sleep(4)
    set_link(platform.lab, node, up=True)


async def _kill_temporal(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await _kill(platform, "temporal")
    await asyncio.sleep(2)
    await asyncio.to_thread(start_temporal, platform.lab)


async def _kill_api_server(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await _kill(platform, "apiserver")
    await asyncio.sleep(3)
    await asyncio.to_thread(start_control_plane, platform.lab, platform.binaries)


async def _cancel(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await handle.cancel()


async def _terminate(platform: Platform, handle: Handle, by: str) -> None:  # noqa: ARG001
    await handle.terminate("pulled by a test")


FAULTS: dict[str, Callable[[Platform, Handle, str], Awaitable[None]]] = {
    "worker killed": _kill_worker,
    "candidate killed": _kill_candidate,
    "old primary killed": _kill_primary,
    "candidate cut off for 4 s": _cut_candidate,
    "Temporal killed": _kill_temporal,
    "API server killed": _kill_api_server,
    "cancelled": _cancel,
    "terminated": _terminate,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
async def test_the_cluster_is_whole_again(platform: Platform, step: str, fault: str) -> None:
    await platform.fresh_pods()
    platform.look()
    began = time.monotonic()
    handle = await start(platform.client, reason=f"{fault} after {step}")
    approving = asyncio.create_task(approve(handle))
    done_by = await completed(handle, step)
    await FAULTS[fault](platform, handle, done_by)
    await asyncio.gather(approving, return_exceptions=True)
    facts = await ending(handle, within=240)
    words = str(facts.outcome or facts.close)
    if platform.note("intent") or platform.note("unfinished") or facts.outcome is None:
        words += f", then {await _again(platform)}"
    _rows[step, fault] = f"{words}, {time.monotonic() - began:.0f} s"
    assert facts.outcome in {Outcome.COMPLETED, Outcome.ROLLED_BACK, Outcome.CANCELLED, None}
    platform.settle(200)
    assert platform.note("intent") == platform.note("unfinished") == ""


async def _again(platform: Platform) -> str:
    """Start the same run again, approve it if it asks, and return how it ended."""
    handle = await start(platform.client, reason="the same again")
    approving = asyncio.create_task(approve(handle, within=200))
    facts = await ending(handle, within=240)
    approving.cancel()
    assert facts.outcome in {Outcome.COMPLETED, Outcome.SETTLED}
    return str(facts.outcome)


async def _kill(platform: Platform, name: str) -> None:
    pid = processes.pid_of(platform.lab, name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while processes.pid_of(platform.lab, name) is not None:
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module", autouse=True)
def _results() -> Iterator[None]:
    """Write the table once all of it has run."""
    yield
    if len(_rows) < len(STEPS) * len(FAULTS):
        return
    lines = [
        "# Every step with every fault on the lab",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}. {_LEGEND}",
        "",
        "| after step | " + " | ".join(FAULTS) + " |",
        "|---|" + "---|" * len(FAULTS),
    ]
    lines += [f"| `{step}` | " + " | ".join(_rows[step, fault] for fault in FAULTS) + " |" for step in STEPS]
    _RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
