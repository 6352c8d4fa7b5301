"""Real Redis and PostgreSQL for the clients' tests."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from activities.clients.postgres import PostgresClient
from estate.postgres import PostgresTarget
from tests.clients.operator import Loopback, target_of
from tests.clients.postgres_pair import PASSWORD, PostgresPair, running_pair, template
from tests.clients.redis_cluster import RedisCluster, running_redis


@pytest_asyncio.fixture(loop_scope="session")
async def redis(_real_servers: None, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RedisCluster]:
    """Start a master, ``redis-0``, two replicas and three Sentinels.

    Unless a test's parameter says otherwise the master takes writes with no replica at all: no server then makes up for
    a client that is wrong.
    """
    async with running_redis(tmp_path, min_replicas=getattr(request, "param", 0)) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def made(_real_servers: None) -> AsyncIterator[Path]:
    """Make a pair's data once, where the postgres user can look; pytest's own folders belong to root alone."""
    folder = Path(tempfile.mkdtemp(prefix="clients-"))
    try:
        yield await template(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def pair(made: Path) -> AsyncIterator[PostgresPair]:
    """Start a primary, ``pg-0``, its synchronous standby and the write Service."""
    async with _new_pair(made) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def shared_pair(made: Path) -> AsyncIterator[PostgresPair]:
    async with _new_pair(made) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def same_pair(shared_pair: PostgresPair) -> AsyncIterator[PostgresPair]:
    """Return a pair for tests that leave it as it was but for frozen servers, which go on after each."""
    yield shared_pair
    shared_pair.freeze(signal.SIGCONT)
    shared_pair.freeze_standby(signal.SIGCONT)
    await shared_pair.sql("pg-0", "truncate numbers")


@asynccontextmanager
async def _new_pair(made: Path) -> AsyncIterator[PostgresPair]:
    folder = Path(tempfile.mkdtemp(prefix="clients-"))
    try:
        async with running_pair(made, folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(pair: PostgresPair) -> PostgresClient:
    """Speak to the pair as a worker does."""
    return PostgresClient(Loopback(pair))


@pytest.fixture
def target(pair: PostgresPair, monkeypatch: pytest.MonkeyPatch) -> PostgresTarget:
    """Name the pair as an estate would."""
    monkeypatch.setenv("OPERATOR_PASSWORD", PASSWORD)
    return target_of(pair)
