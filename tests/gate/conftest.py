"""Real PostgreSQL for the gate's tests; installs the distribution's packages where they are missing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.lab.packages import ensure_packages
from tests.gate.harness import Cluster, running_cluster


@pytest.fixture(scope="session", autouse=True)
def _postgresql() -> None:
    ensure_packages(print)


@pytest.fixture
def folder(_postgresql: None) -> Iterator[Path]:
    """Make a folder that the postgres user can enter; pytest's own belongs to root alone."""
    path = Path(tempfile.mkdtemp(prefix="gate-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def pair(folder: Path) -> AsyncIterator[Cluster]:
    """Start a primary, ``pg-0``, and its synchronous standby, ``pg-1``."""
    async with running_cluster(folder) as cluster:
        yield cluster
