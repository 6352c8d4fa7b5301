"""A platform with one of each: a run that waits, one that completed, one stranded, a detection, a drill, readiness.

It is made once, on a Temporal of its own: what others run there would be counted too.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from subprocess import DEVNULL, Popen
from types import SimpleNamespace

import pytest
import pytest_asyncio
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
    WorkflowFailureError,
)
from temporalio.worker import Worker

from deploy.lab.packages import ensure_packages
from deploy.lab.patience import stretched
from gate.api import Role
from gate.commands.http import _metrics
from tests.detection.bench import WatchBench, watching
from tests.observability.prometheus import ROOT, Prometheus, prometheus
from tests.observability.stubs import DrillRun, ReadinessRun, StrandedRun, keep
from tests.ports import free_port
from tests.postgres.bench import Handle
from tests.temporal_server import start_server
from workflows.catalog import RUNNER

STUBS = "stubs"


@pytest.fixture(scope="session")
def _prometheus_installed() -> None:
    """Install Debian's Prometheus where it is missing; no service of it is started."""
    ensure_packages(print, also={"prometheus": "prometheus", "promtool": "prometheus"})


@dataclass
class Platform:
    """What there is to be seen."""

    client: Client
    detection: WatchBench
    completed: Handle
    waiting: Handle

    @property
    def target(self) -> str:
        return self.detection.bench.lock

    @property
    def queue(self) -> str:
        return self.detection.bench.queue


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Let all of it be there; nobody changes it."""
    async with AsyncExitStack() as held:
        environment = await held.enter_async_context(await start_server())
        client = environment.client
        stubs = [StrandedRun, DrillRun, ReadinessRun]
        worker = Worker(client, task_queue=STUBS, workflows=stubs, activities=[keep], workflow_runner=RUNNER)
        await held.enter_async_context(worker)
        folder = tmp_path_factory.mktemp("platform")
        asked = {"roles": ["DBA"], "window": "PT4H"}
        estate = {"approvals": {"planned": asked, "forced": asked}}
        detection = await held.enter_async_context(watching(client, folder, "notify", **estate))
        await _start(detection, "postgres-watch", {"target": detection.bench.cluster}, detection.watch_id)
        await detection.bench.until(detection._all_have_spoken)
        completed = await detection.bench.switch()
        await _approve(detection, completed)
        await detection.bench.finished(completed)
        await _stubbed(client)
        request = {"cluster": detection.bench.cluster, "mode": "planned", "run": "real", "by": "omar"}
        waiting = await _start(detection, "postgres-failover", request, detection.bench.lock)
        await detection.bench.until_phase(waiting, "awaiting approval")
        yield Platform(client, detection, completed, waiting)


async def _start(detection: WatchBench, workflow: str, request: dict[str, str], own: str) -> Handle:
    """Start what lasts for as long as the tests do; what a bench starts ends after 90 s."""
    bench = detection.bench
    handle: Handle = await bench.client.start_workflow(workflow, request, id=own, task_queue=bench.queue)
    bench.started.append(handle)
    return handle


async def _approve(detection: WatchBench, run: Handle) -> None:
    status = await detection.bench.until_phase(run, "awaiting approval")
    assert status.plan is not None
    await run.execute_update("decide", {"by": "dana", "plan": status.plan.digest, "approve": True})


async def _stubbed(client: Client) -> None:
    with pytest.raises(WorkflowFailureError):
        await client.execute_workflow("redis-failover", "stranded", id="redis/mymaster", task_queue=STUBS)
    await client.execute_workflow("failover-drill", arg=True, id="drill/orders-half-yearly", task_queue=STUBS)
    await client.start_workflow("failover-readiness", id="readiness", task_queue=STUBS)
    action = ScheduleActionStartWorkflow("drill-due", id="drill-due", task_queue=STUBS)
    often = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=1))])
    calendar = Schedule(action=action, spec=often, state=ScheduleState(paused=True))
    await client.create_schedule("drill/orders-half-yearly", calendar)


@asynccontextmanager
async def exporter(client: Client, queue: str, every: float = 0.3) -> AsyncIterator[tuple[int, Popen[bytes]]]:
    """Run ``failover metrics``; the port and the process."""
    port = free_port("127.0.0.1")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "FAILOVER_"))}
    told = {"TEMPORAL_ADDRESS": client.service_client.config.target_host, "FAILOVER_TASK_QUEUE": queue}
    command = [sys.executable, "-m", "starters.main", "metrics", "--listen", f"127.0.0.1:{port}", "--every", str(every)]
    process = _started(command, {**inherited, **told})
    try:
        await until(lambda: _listens(process, port))
        yield port, process
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


def _started(command: list[str], environment: dict[str, str]) -> Popen[bytes]:
    return Popen(command, env=environment, cwd=ROOT, stdout=DEVNULL, stderr=DEVNULL)


def _listens(process: Popen[bytes], port: int) -> bool:
    assert process.poll() is None, f"failover metrics has ended with {process.returncode}"
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until ``holds`` does."""
    async with asyncio.timeout(stretched(seconds)):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.1)


@asynccontextmanager
async def gate_metrics() -> AsyncIterator[int]:
    """Serve what the gate of a leader serves that has no synchronous standby; the port."""
    status = SimpleNamespace(
        epoch=3, fenced_at_epoch=None, role=Role.PRIMARY, ready=True, lag_bytes=0, disk_free_bytes=1, kept_aside_bytes=0,
        member="postgresql-primary-0",
    )  # fmt: skip
    text = (await _metrics(SimpleNamespace(status=lambda: status, record=None))).body  # type: ignore[arg-type]
    assert isinstance(text, bytes)
    server = await asyncio.start_server(lambda *pipes: _answer(text, *pipes), "127.0.0.1", free_port("127.0.0.1"))
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def _answer(text: bytes, asked: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
    await asked.readuntil(b"\r\n\r\n")
    answer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n" + text)
    await answer.drain()
    answer.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def seen(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory, _prometheus_installed: None
) -> AsyncIterator[Prometheus]:
    """Let Prometheus have scraped the exporter, and the gate of a leader, at least once."""
    folder = tmp_path_factory.mktemp("prometheus")
    async with exporter(platform.client, platform.queue) as (port, _), gate_metrics() as gate:
        with prometheus(folder, {"failover": port, "gate": gate}) as one:
            await until(lambda: one.query("failover_run_waits_for_people_since_timestamp_seconds") != {})
            await until(lambda: one.query("gate_leads") != {})
            yield one
