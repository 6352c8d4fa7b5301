"""The sample API on real servers: what it writes, and what it says when one of them is away."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from deploy.lab import sample_api
from tests.clients.postgres_pair import PASSWORD as DATABASE_PASSWORD
from tests.clients.postgres_pair import PostgresPair
from tests.clients.redis_cluster import PASSWORD, SENTINELS, SERVERS, RedisCluster


class Api:
    def __init__(self, http: ClientSession, server: TestServer) -> None:
        self._http, self._server = http, server

    async def ready(self) -> tuple[int, dict[str, Any]]:
        async with self._http.get(self._server.make_url("/health/ready")) as answer:
            return answer.status, await answer.json()

    async def create(self, name: str, token: str = "token") -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        url = self._server.make_url("/api/v1/workflows")
        async with self._http.post(url, json={"name": name}, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def serving(pair: PostgresPair) -> AsyncIterator[Api]:
    """Serve inside the block, once the table is there."""
    server = TestServer(sample_api.application())
    async with server, ClientSession() as http:
        await pair.until("pg-0", "select to_regclass('workflows') is not null")
        yield Api(http, server)


@pytest.fixture
def configured(same_pair: PostgresPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the secrets."""
    for name, text in (("API_PASSWORD_FILE", DATABASE_PASSWORD), ("API_TOKEN_FILE", "token")):
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("API_DATABASE", same_pair.settings().conninfo)
    return tmp_path


@pytest.fixture
def with_redis(configured: Path, redis: RedisCluster, monkeypatch: pytest.MonkeyPatch) -> RedisCluster:
    (configured / "redis").write_text(PASSWORD, encoding="utf-8")
    monkeypatch.setenv("API_REDIS_PASSWORD_FILE", str(configured / "redis"))
    for number, name in enumerate(SENTINELS):
        host, port = redis.address(name)
        monkeypatch.setenv(f"REDIS_SENTINEL_{number}_SERVICE_HOST", host)
        monkeypatch.setenv(f"REDIS_SENTINEL_{number}_SERVICE_PORT", str(port))
    return redis


@pytest.mark.usefixtures("configured")
async def test_without_redis_it_writes_to_postgresql_alone_and_says_so(same_pair: PostgresPair) -> None:
    async with serving(same_pair) as api:
        status, made = await api.create("billing")
        assert (status, made["name"]) == (201, "billing")
        assert await api.ready() == (200, {"status": "ready", "redis": "not configured"})
        assert (await api.create("billing", token="wrong"))[0] == 401


async def test_with_redis_a_workflow_is_in_both(with_redis: RedisCluster, same_pair: PostgresPair) -> None:
    async with serving(same_pair) as api:
        status, made = await api.create("billing")
        assert status == 201
        assert await api.ready() == (200, {"status": "ready"})
    assert await with_redis.tell("redis-0", "HGET", f"workflow:{made['id']}", "name") == "billing"
    assert await same_pair.sql("pg-0", f"select name from workflows where id = {made['id']}") == [("billing",)]


async def test_it_is_not_ready_without_redis_and_turns_writes_away(
    with_redis: RedisCluster, same_pair: PostgresPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_api, "_REDIS_SECONDS", 1.0)
    monkeypatch.setattr(sample_api, "_READY_SECONDS", 0.5)
    async with serving(same_pair) as api:
        assert (await api.create("billing"))[0] == 201
        for name in (*SENTINELS, *SERVERS):
            with_redis.signal(name, signal.SIGKILL)
        began = time.monotonic()
        status, said = await api.create("billing")
        assert (status, "Redis did not take it: not acknowledged within 1.0 s" in said["error"]) == (503, True), said
        assert time.monotonic() - began < 2
        status, said = await api.ready()
        assert (status, said["status"], list(said["missing"])) == (503, "unavailable", ["redis"])


async def test_a_password_that_is_missing_is_what_readiness_says(
    with_redis: RedisCluster, same_pair: PostgresPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_REDIS_PASSWORD_FILE", "/nowhere")
    async with serving(same_pair) as api:
        status, said = await api.ready()
        assert status == 503
        assert "refuse the password" in said["missing"]["redis"]
    assert await with_redis.role("redis-0") == "master"


@pytest.mark.usefixtures("with_redis")
async def test_it_is_not_ready_without_its_database(same_pair: PostgresPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_api, "_READY_SECONDS", 0.5)
    monkeypatch.setattr(sample_api, "_DATABASE_SECONDS", 1.0)
    async with serving(same_pair) as api:
        assert (await api.create("billing"))[0] == 201
        same_pair.freeze()
        status, said = await api.ready()
        assert (status, list(said["missing"])) == (503, ["postgresql"])
        assert (await api.create("billing"))[0] == 503
