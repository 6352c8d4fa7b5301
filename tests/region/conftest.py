"""One pair for all tests of the workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.azure.pair import AzurePair
from tests.deploy.api_server import ApiServer
from tests.region.bench import RegionBench, running, serving
from tests.region.clusters import Clusters, clusters_of, shared_servers
from tests.region.failover_bench import RegionFailoverBench, leaving
from tests.region.returning_bench import lose_and_leave, make_whole, old_of
from workflows.region import database


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(_real_servers: None) -> AsyncIterator[AzurePair]:
    async with running() as azure:
        yield azure


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, shared: AzurePair, tmp_path: Path) -> AsyncIterator[RegionBench]:
    """Ask nobody to approve."""
    async with serving(temporal, shared, tmp_path) as one:
        yield one


@pytest.fixture(scope="session")
def api_servers() -> dict[str, ApiServer]:
    """Run the API servers of two regions, for all processes of this run."""
    return shared_servers()


@pytest_asyncio.fixture(loop_scope="session")
async def clusters(
    api_servers: dict[str, ApiServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Clusters]:
    """Let clients of this process reach them."""
    async with clusters_of(api_servers, tmp_path) as both:
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(both.kubeconfig))
        yield both


@pytest_asyncio.fixture(loop_scope="session")
async def leave(
    temporal: Client, shared: AzurePair, tmp_path: Path, clusters: Clusters
) -> AsyncIterator[RegionFailoverBench]:
    """Serve a region whose failover Manager, DBA and CTO must approve."""
    async with leaving(temporal, shared, tmp_path, clusters) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def away(
    temporal: Client, shared: AzurePair, tmp_path: Path, clusters: Clusters
) -> AsyncIterator[RegionFailoverBench]:
    """Serve a region whose database leads elsewhere, and whose applications a failover has scaled to zero."""
    async with leaving(temporal, shared, tmp_path, clusters, away=True) as one:
        yield one


@pytest.fixture
def soon_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a request that Azure may have heard within 1 s instead of 5, and 0.5 s at a lost primary instead of 10."""
    monkeypatch.setattr("activities.region.promotion._HEARD_WITHIN", timedelta(seconds=1))
    monkeypatch.setattr(database, "_ONE_LOOK", timedelta(seconds=0.5))


@pytest_asyncio.fixture(loop_scope="session")
async def left(leave: RegionFailoverBench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RegionFailoverBench]:
    """Lose a region whose primary has high availability, and leave it; leave a healthy pair behind."""
    monkeypatch.setattr(database, "_ONE_LOOK", timedelta(seconds=0.5))
    leave.azure.flexible.server(old_of(leave)).ha_mode = "ZoneRedundant"
    await lose_and_leave(leave)
    try:
        yield leave
    finally:
        leave.faults.release()
        leave.azure.emulator.faults.clear()
        await make_whole(leave)
