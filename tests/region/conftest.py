"""One pair for all tests of the workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.azure.pair import AzurePair
from tests.region.bench import RegionBench, running, serving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(_real_servers: None) -> AsyncIterator[AzurePair]:
    async with running() as azure:
        yield azure


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, shared: AzurePair, tmp_path: Path) -> AsyncIterator[RegionBench]:
    """Ask nobody to approve."""
    async with serving(temporal, shared, tmp_path) as one:
        yield one
