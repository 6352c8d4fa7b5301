"""Workers and Temporal's server are killed while Azure moves a database: one promotion, nothing lost, and the run ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.region_parts import Temporal, Workers, worker_environment
from tests.azure.pair import AzurePair
from tests.postgres.bench import Handle
from tests.region.bench import RegionBench
from workflows.run.phases import Phase


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(_real_servers: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Temporal]:
    async with Temporal(tmp_path_factory.mktemp("survival")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def served(server: Temporal, shared: AzurePair, tmp_path: Path) -> AsyncIterator[RegionBench]:
    bench = RegionBench(server.client, shared, tmp_path)
    await bench.heal()
    await bench.until_healthy()
    shared.emulator.log.clear()
    try:
        yield bench
    finally:
        await bench.servers.close()


@pytest_asyncio.fixture(loop_scope="session")
async def workers(server: Temporal, served: RegionBench) -> AsyncIterator[Workers]:
    """Run one."""
    told = worker_environment(served.folder, served.estate, served.azure, server.address)
    some = Workers(served.folder, {**told, "FAILOVER_TASK_QUEUE": served.queue})
    some.start_one()
    yield some
    some.kill_all()


def _asked(bench: RegionBench) -> bool:
    """Whether the promotion has reached Azure."""
    return any(one.method == "PATCH" for one in bench.azure.emulator.log)


async def _until_asked(bench: RegionBench, handle: Handle) -> None:  # noqa: ARG001 - as the others
    async with asyncio.timeout(60):
        while not _asked(bench):
            await asyncio.sleep(0.002)


async def _until_surveyed(bench: RegionBench, handle: Handle) -> None:  # noqa: ARG001 - as the others
    async with asyncio.timeout(60):
        while not bench.azure.emulator.log:
            await asyncio.sleep(0.002)


async def _until_restored(bench: RegionBench, handle: Handle) -> None:
    async with asyncio.timeout(60):
        while (await bench.status(handle)).phase not in {Phase.REJOINING, Phase.COMPLETED}:
            await asyncio.sleep(0.01)


_MOMENTS = {
    "while it surveys": (_until_surveyed, None),
    "at the promotion's request": (_until_asked, None),
    "and the promotion's answer is lost": (_until_asked, Azure(method="PATCH", drop="after")),
    "when service is restored": (_until_restored, Azure(method="GET", path="*/flexibleServers/*", nth=6, latency=0.5)),
}


@pytest.mark.parametrize("whom", ["worker", "server", "both"])
@pytest.mark.parametrize("moment", _MOMENTS)
async def test_a_kill_at_any_moment_leaves_one_promotion(
    server: Temporal, workers: Workers, served: RegionBench, moment: str, whom: str
) -> None:
    before = await served.leader()
    reached, fault = _MOMENTS[moment]
    if fault is not None:
        served.azure.emulator.faults.order(fault)
    handle = await served.start()
    await reached(served, handle)
    if whom != "worker":
        server.kill()
    if whom != "server":
        workers.kill_one()
    if whom != "worker":
        await server.start()
    if whom != "server":
        workers.start_one()
    again = server.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    end, told = await served.ending(again)
    assert (end, await served.leader()) == ("completed", served.replica_of(before)), told
    assert len(served.changes()) == 1
    measured = served.report().measurement
    assert measured is not None
    assert measured.lost in {0, None}
