"""Workers are killed while the traffic moves: each change once, and the run ends where it was going."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from activities.traffic.models import TrafficDetails
from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.region_parts import Temporal, Workers
from tests.traffic.bench import AWAY, HOME, TrafficBench, running
from workflows.run.phases import Phase


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Temporal]:
    async with Temporal(tmp_path_factory.mktemp("survival")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def served(server: Temporal, tmp_path: Path) -> AsyncIterator[TrafficBench]:
    async with running("both", propagation=1500) as (world, site):
        bench = TrafficBench(server.client, world, site, tmp_path, layout="both")
        try:
            yield bench
        finally:
            await bench.front.close()
            await bench.manager.close()


@pytest_asyncio.fixture(loop_scope="session")
async def workers(server: Temporal, served: TrafficBench) -> AsyncIterator[Workers]:
    """Run one."""
    told = {
        "TEMPORAL_ADDRESS": server.address,
        "FAILOVER_ESTATE": str(served.estate),
        "FAILOVER_AZURE_ENDPOINT": served.world.emulator.url,
        "FAILOVER_AZURE_TOKEN": f"file:{served.folder / 'bearer'}",
        "FAILOVER_AZURE_POLL": "0.05",
        "FAILOVER_TASK_QUEUE": served.queue,
    }
    some = Workers(served.folder, told)
    some.start_one()
    yield some
    some.kill_all()


def _surveyed(bench: TrafficBench) -> bool:
    return bool(bench.world.emulator.log)


def _managed(bench: TrafficBench) -> bool:
    return any(one.method == "PATCH" and "externalEndpoints" in one.path for one in bench.world.emulator.log)


def _routed(bench: TrafficBench) -> bool:
    return any(one.method == "PATCH" and "routes" in one.path for one in bench.world.emulator.log)


def _spreads(bench: TrafficBench) -> bool:
    return _routed(bench) and bench.world.front.edge.is_spreading


_LOST = Azure(method="PATCH", path="*/routes/*", drop="after")
_MOMENTS: dict[str, tuple[Callable[[TrafficBench], bool], Azure | None]] = {
    "while it surveys": (_surveyed, None),
    "between the two sides": (_managed, None),
    "and the answer to the route's change is lost": (_routed, _LOST),
    "while the edge learns": (_spreads, None),
}


async def _until(so: Callable[[TrafficBench], bool], bench: TrafficBench) -> None:
    async with asyncio.timeout(60):
        while not so(bench):
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("moment", _MOMENTS)
async def test_a_worker_that_is_killed_leaves_each_change_once(
    server: Temporal, workers: Workers, served: TrafficBench, moment: str
) -> None:
    reached, fault = _MOMENTS[moment]
    if fault is not None:
        served.world.emulator.faults.order(fault)
    handle = await served.start()
    await _until(reached, served)
    workers.kill_one()
    workers.start_one()
    again = server.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    end, told = await served.ending(again)
    assert (end, served.served_by()) == ("completed", AWAY), told
    assert [one.rpartition(" ")[2] for one in served.changes()] == ["east", "default-route"]


async def test_a_worker_that_is_killed_while_it_puts_back(server: Temporal, workers: Workers, served: TrafficBench) -> None:
    before = served.settings()
    handle = await served.start()
    await served.until_phase(handle, Phase.SPREADING)
    await handle.cancel()
    await _until(lambda bench: len(bench.changes()) == 3, served)
    workers.kill_one()
    workers.start_one()
    again = server.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    end, told = await served.ending(again)
    assert (end, served.settings()) == ("cancelled", before), told
    assert len(served.changes()) == 4, "two there, two back"
    assert served.report().of(TrafficDetails).asked == 2
    await served.until_served_by(HOME)
