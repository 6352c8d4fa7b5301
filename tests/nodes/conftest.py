from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.nodes.bench import NodeBench, serving


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[NodeBench]:
    """Ask nobody to approve."""
    async with serving(temporal, tmp_path) as one:
        yield one
