"""Workers are killed with -9 while a region fails over: one promotion, and the run ends as if nothing had been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.lab.binaries import ensure_binaries
from deploy.lab.patience import stretched
from deploy.lab.region_parts import Temporal, Workers, worker_environment
from tests.azure.pair import AzurePair
from tests.postgres.bench import Handle
from tests.region.bench import RegionBench
from tests.region.clusters import PODS, Clusters
from tests.region.failover_bench import REGION_OF, ApplicationServer, RegionFailoverBench
from tests.region.returning_bench import give_back, lose_and_leave, make_whole, new_of, old_of


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(_real_servers: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Temporal]:
    async with Temporal(tmp_path_factory.mktemp("leaving")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def served(
    server: Temporal, shared: AzurePair, clusters: Clusters, tmp_path: Path
) -> AsyncIterator[RegionFailoverBench]:
    """Name no traffic: a worker of the product knows no stand-in."""
    before = RegionBench(server.client, shared, tmp_path)
    await before.heal()
    lost = REGION_OF[await before.until_healthy()]
    await before.servers.close()
    async with ApplicationServer() as application:
        bench = RegionFailoverBench(before, clusters, application, lost, traffic=[])
        shared.emulator.log.clear()
        async with clusters.controlled(bench.surviving):
            yield bench
        await bench.end_fence()
        await bench.servers.close()


@pytest_asyncio.fixture(loop_scope="session")
async def workers(server: Temporal, served: RegionFailoverBench) -> AsyncIterator[Workers]:
    """Run one."""
    told = worker_environment(served.folder, served.estate, served.azure, server.address)
    told |= {
        "FAILOVER_TASK_QUEUE": served.queue,
        "FAILOVER_KUBECTL": str(ensure_binaries(print) / "kubectl"),
        "KUBECONFIG": str(served.clusters.kubeconfig),
    }
    some = Workers(served.folder, told)
    some.start_one()
    yield some
    some.kill_all()


async def _fenced(bench: RegionFailoverBench) -> bool:
    return set((await bench.scales()).values()) == {0}


async def _claimed(bench: RegionFailoverBench) -> bool:
    return bool(await bench.holder())


async def _asked(bench: RegionFailoverBench) -> bool:
    return any(one.method == "PATCH" for one in bench.azure.emulator.log)


async def _promoted(bench: RegionFailoverBench) -> bool:
    return await bench.leads_there()


_MOMENTS: dict[str, Callable[[RegionFailoverBench], Awaitable[bool]]] = {
    "claimed": _claimed,
    "fenced": _fenced,
    "Azure is asked": _asked,
    "promoted": _promoted,
}


@pytest.mark.parametrize("moment", _MOMENTS)
async def test_a_killed_worker_leaves_one_promotion(workers: Workers, served: RegionFailoverBench, moment: str) -> None:
    handle: Handle = await served.approved()
    async with asyncio.timeout(60):
        while not await _MOMENTS[moment](served):
            await asyncio.sleep(0.01)
    workers.kill_one()
    workers.start_one()
    end, told = await served.ending(handle)
    assert (end, await served.leads_there()) == ("completed", True), told
    assert served.changes() == ["PATCH 202"]
    assert (await served.scales(), await served.holder()) == (dict.fromkeys(PODS, 0), "")


async def _stopping(bench: RegionFailoverBench) -> bool:
    return any(one.path.endswith("/stop") for one in bench.azure.emulator.log)


@pytest.mark.parametrize("moment", ["it waits", "Azure is asked"])
async def test_a_killed_worker_leaves_a_region_that_is_fenced_when_it_returns(
    workers: Workers, served: RegionFailoverBench, moment: str
) -> None:
    try:
        await lose_and_leave(served)
        await served.until_phase(served.fence, "waiting for the lost region")
        if moment == "it waits":
            workers.kill_one()
            await give_back(served, forgets=True)
        else:
            await give_back(served, forgets=True)
            async with asyncio.timeout(stretched(60)):
                while not await _stopping(served):
                    await asyncio.sleep(0.01)
            workers.kill_one()
        workers.start_one()
        end, told = await served.ending(served.fence)
        assert (end, await served.azure.servers.is_up(old_of(served))) == ("completed", False), told
        assert served.changes() == ["PATCH 202", "POST 202"]
        assert (await served.scales(), await served.is_primary(new_of(served))) == (dict.fromkeys(PODS, 0), True)
    finally:
        await make_whole(served)
