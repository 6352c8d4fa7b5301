"""Real Redis for the clients' tests; the distribution's packages are installed where they are missing."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.lab import packages
from tests.clients.redis_cluster import RedisCluster, running_redis


@pytest.fixture(scope="session", autouse=True)
def _redis() -> None:
    packages.must_be_root()
    with packages._LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("redis-sentinel") is None or shutil.which("redis-server") is None:
            packages._install(["redis-server", "redis-sentinel"])


@pytest_asyncio.fixture(loop_scope="session")
async def redis(tmp_path: Path) -> AsyncIterator[RedisCluster]:
    """Start a master, ``redis-0``, two replicas and three Sentinels."""
    async with running_redis(tmp_path) as cluster:
        yield cluster
