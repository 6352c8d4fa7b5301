"""A cluster in memory with a drill."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from starters.client.schedules import described, handle_of
from tests.drills.bench import DrillBench, drilling


@pytest_asyncio.fixture(loop_scope="session")
async def drilled(temporal: Client, tmp_path: Path) -> AsyncIterator[DrillBench]:
    """Ask nobody to approve; leave no schedule behind."""
    async with drilling(temporal, tmp_path) as one:
        yield one
        if await described(temporal, one.name) is not None:
            await handle_of(temporal, one.name).delete()
