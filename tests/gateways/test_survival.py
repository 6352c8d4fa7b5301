"""Workers and Temporal's server are killed while a gateway is changed: one PUT, and the run ends as it would have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.patience import stretched
from deploy.lab.region_parts import Temporal, Workers
from tests.gateways.bench import GatewayBench
from tests.gateways.world import DECLARED, A, B, C, GatewayWorld

_PUT: dict[str, Any] = {"method": "PUT", "path": "*/applicationGateways/*"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Temporal]:
    async with Temporal(tmp_path_factory.mktemp("survival")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def served(server: Temporal, gateway: GatewayWorld, tmp_path: Path) -> AsyncIterator[GatewayBench]:
    """Have a wrong probe and an unhealthy backend, and nobody who serves yet."""
    gateway.lay_out(probe={**DECLARED, "path": "/healthz"})
    gateway.hosts.status[B] = 503
    await gateway.until_told(B, "Down")
    gateway.emulator.log.clear()
    gateway.emulator.operations.pace = 0.005
    bench = GatewayBench(server.client, gateway, tmp_path)
    yield bench
    gateway.emulator.operations.pace = 0.001
    await bench.gateways.close()


@pytest_asyncio.fixture(loop_scope="session")
async def workers(server: Temporal, served: GatewayBench) -> AsyncIterator[Workers]:
    """Run one."""
    told = {
        "TEMPORAL_ADDRESS": server.address,
        "FAILOVER_ESTATE": str(served.estate),
        "FAILOVER_AZURE_ENDPOINT": served.world.emulator.url,
        "FAILOVER_AZURE_TOKEN": f"file:{served.folder / 'bearer'}",
        "FAILOVER_AZURE_POLL": "0.1",
        "FAILOVER_TASK_QUEUE": served.queue,
    }
    some = Workers(served.folder, told)
    some.start_one()
    yield some
    some.kill_all()


def _asked(method: str, ending: str = "", times: int = 1) -> Callable[[GatewayBench], bool]:
    def so(bench: GatewayBench) -> bool:
        log = bench.world.emulator.log
        return len([one for one in log if one.method == method and one.path.endswith(ending)]) >= times

    return so


_MOMENTS: dict[str, tuple[Callable[[GatewayBench], bool], Azure | None]] = {
    "while it surveys": (_asked("POST", "/backendhealth"), None),
    "at the request": (_asked("PUT"), None),
    "and the answer is lost": (_asked("PUT"), Azure(**_PUT, drop="after")),
    "while it waits for health": (_asked("POST", "/backendhealth", 2), None),
}


@pytest.mark.parametrize(
    ("moment", "whom"),
    [*((moment, "worker") for moment in _MOMENTS), ("at the request", "server"), ("at the request", "both")],
)
async def test_a_kill_at_any_moment_leaves_one_put(
    server: Temporal, workers: Workers, served: GatewayBench, moment: str, whom: str
) -> None:
    reached, fault = _MOMENTS[moment]
    if fault is not None:
        served.world.emulator.faults.order(fault)
    handle = await served.start()
    async with asyncio.timeout(stretched(60)):
        while not reached(served):
            await asyncio.sleep(0.002)
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
    assert (end, served.world.pool(), len(served.world.puts())) == ("completed", [A, C], 1), told
    assert served.details().healthy


async def test_a_kill_while_it_is_undone_ends_with_everything_put_back(
    server: Temporal, workers: Workers, served: GatewayBench
) -> None:
    before = served.world.shown()
    served.world.emulator.faults.order(Azure(**_PUT, ends="Failed", code="InternalServerError"))
    handle = await served.start()
    async with asyncio.timeout(stretched(60)):
        while not _asked("PUT", times=2)(served):
            await asyncio.sleep(0.002)
    workers.kill_one()
    workers.start_one()
    again = server.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    end, told = await served.ending(again)
    assert (end, served.world.shown(), len(served.world.puts())) == ("RolledBack", before, 2), told
