"""One deployment for all tests of the workflow; every test leaves it whole, or waits until it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.redis.bench import RedisBench, serving
from tests.redis.cluster import Cluster, running


@pytest.fixture(scope="module")
def shared(_real_servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run servers and Sentinels; a dead master is noticed after two seconds."""
    with running(tmp_path_factory.mktemp("redis"), down_after=2000) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, shared: Cluster, tmp_path: Path) -> AsyncIterator[RedisBench]:
    """Ask nobody to approve."""
    async with serving(temporal, shared, tmp_path) as one:
        yield one
