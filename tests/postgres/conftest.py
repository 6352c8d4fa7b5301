"""A cluster of two, without approvals, in front of a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.fakes.world import World
from tests.postgres.bench import Bench, serving
from tests.postgres.gone import POLICY, Gone, take_away


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    """Ask nobody to approve."""
    async with serving(temporal, tmp_path, World()) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def asking(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    """Ask a DBA other than the requester to approve."""
    policy = {"planned": {"roles": ["DBA"], "window": "PT1M"}}
    async with serving(temporal, tmp_path, World(), approvals=policy) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def bereft(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    """Serve a cluster whose primary is dead; its people attest."""
    async with serving(temporal, tmp_path, World(), forced=POLICY) as one:
        take_away(one.world, Gone.DEAD)
        yield one
