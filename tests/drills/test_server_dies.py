"""Temporal's server is killed during a drill and started again on its database: who led leads, and there is one record."""

from __future__ import annotations

from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.run.evidence_files import read_all
from tests.drills.bench import DrillBench, drilling
from tests.fakes.faults import Fault, Ordered
from tests.ports import free_port
from tests.postgres.bench import Handle
from tests.temporal_server import server_on
from workflows.run.payloads import DATA_CONVERTER

POINTS = {
    "there": ("gates.promote",),
    "between": ("gates.promote", "drills.row"),
    "back": ("gates.promote", "drills.row", "gates.promote"),
}
"""Where a drill is when the server dies → what is held on the way, one after the other."""


class Server:
    """A server that dies, and comes back with all that it has written."""

    def __init__(self, folder: Path) -> None:
        self.port, self._database = free_port("127.0.0.1"), folder / "temporal.db"
        self._process: Process | None = None

    async def start(self) -> None:
        self._process = await server_on(self.port, self._database)

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def _served(folder: Path) -> AsyncIterator[tuple[Server, DrillBench]]:
    server = Server(folder)
    await server.start()
    try:
        client = await Client.connect(f"127.0.0.1:{server.port}", data_converter=DATA_CONVERTER)
        async with drilling(client, folder) as drilled:
            yield server, drilled
    finally:
        await server.kill()


async def _reached(drilled: DrillBench, calls: tuple[str, ...]) -> Ordered:
    """Return the last of ``calls``, which hangs; those before it have hung and been let go."""
    faults = drilled.world.faults
    held = faults.order(calls[0], Fault.HANGS)
    await drilled.start()
    await held.reached.wait()
    for call in calls[1:]:
        following = faults.order(call, Fault.HANGS)
        held.released.set()
        await following.reached.wait()
        held = following
    return held


async def _waits_for_a_judgement(drilled: DrillBench, handle: Handle) -> bool:
    """Whether it waits; a server that has just come back, and a worker that does not know it yet, answer nothing."""
    try:
        return (await drilled.bench.status(handle)).phase == "awaiting a judgement"
    except RPCError:
        return False


@pytest.mark.parametrize("point", POINTS)
async def test_a_server_that_is_killed_and_comes_back_changes_no_drills_end(tmp_path: Path, point: str) -> None:
    async with _served(tmp_path) as (server, drilled):
        held = await _reached(drilled, POINTS[point])
        await server.kill()
        held.released.set()
        await server.start()
        handle = drilled.bench.client.get_workflow_handle(drilled.lock)
        await drilled.bench.until(lambda: _waits_for_a_judgement(drilled, handle), 90)
        ended = await drilled.judged(handle)
        await drilled.is_as_before()
        record = drilled.details().record
        assert record is not None
        assert (record.differences, record.compared) == ((), True), ended
        assert ended.startswith("PASS" if record.passed else "FAIL: "), ended
        (kept,) = read_all(tmp_path / "records" / "evidence")
        assert drilled.bench.cluster in kept.name
