from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.nodes.bench import NodeBench, serving
from tests.nodes.proving import LOOKS


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[NodeBench]:
    """Ask nobody to approve."""
    async with serving(temporal, tmp_path) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def dark(request: pytest.FixtureRequest, temporal: Client, tmp_path: Path) -> AsyncIterator[NodeBench]:
    """Have a silent node with a pod that keeps data; a test's parameter says what can be asked about its machine."""
    async with serving(temporal, tmp_path, machines=getattr(request, "param", LOOKS)) as one:
        one.world.put(one.node, "redis-0", "StatefulSet", owner="redis")
        one.world.go_dark(one.node)
        yield one
