"""One pair for all tests of the workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.azure.pair import AzurePair
from tests.deploy.api_server import ApiServer
from tests.region.bench import RegionBench, running, serving
from tests.region.clusters import Clusters, clusters_of, shared_servers
from tests.region.failover_bench import RegionFailoverBench, leaving


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
