"""Real PostgreSQL for the gate's tests."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.gate import template
from tests.gate.harness import Cluster, running_cluster


@pytest.fixture
def folder(_real_servers: None) -> Iterator[Path]:
    """Make an empty folder."""
    with template.new_folder() as path:
        yield path


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def made(_real_servers: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let gates set a cluster up, once for all processes of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    return await template.made_once(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture
def settled(made: Path, folder: Path) -> Path:
    """Make a folder with a cluster that has been set up."""
    template.copy(made, folder)
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def pair(settled: Path) -> AsyncIterator[Cluster]:
    """Start a primary, ``pg-0``, and its synchronous standby, ``pg-1``."""
    async with running_cluster(settled) as cluster:
        yield cluster
