"""The clients that ``clients.py`` compares: the reference ones, and what people use otherwise. Each yields how to write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from deploy.clients.postgres_client import PostgresClient
from deploy.clients.postgres_connection import Connection, multi_host
from deploy.clients.redis_client import RedisClient
from tests.clients.postgres_pair import PostgresPair
from tests.clients.redis_cluster import NAME, PASSWORD, SENTINELS, RedisCluster
from tests.clients.writers import Put

_INSERT = "insert into numbers values (%s, %s) on conflict do nothing"


@asynccontextmanager
async def redis_write(redis: RedisCluster, key: str) -> AsyncIterator[Put]:
    """Yield the reference client's ``write``."""
    async with RedisClient(redis.settings) as client:
        yield lambda number: client.write("SADD", key, number)


@asynccontextmanager
async def redis_repeat(redis: RedisCluster, key: str) -> AsyncIterator[Put]:
    """Yield the reference client's ``repeat``."""
    async with RedisClient(redis.settings) as client:
        yield lambda number: client.repeat("SADD", key, number)


@asynccontextmanager
async def redis_py(redis: RedisCluster, key: str, **options: Any) -> AsyncIterator[Put]:  # noqa: ANN401 - passed on
    """Yield redis-py's Sentinel client with a timeout of one second and otherwise its defaults."""
    addresses = [redis.address(name) for name in SENTINELS]
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        addresses,
        sentinel_kwargs={"password": PASSWORD, "socket_timeout": 1},
        password=PASSWORD,
        socket_timeout=1,
        **options,
    )
    async with sentinel.master_for(NAME) as master:
        yield lambda number: master.sadd(key, number)
    for one in sentinel.sentinels:
        await one.aclose()


@asynccontextmanager
async def redis_py_once(redis: RedisCluster, key: str) -> AsyncIterator[Put]:
    """Yield the same without retries."""
    async with redis_py(redis, key, retry=Retry(NoBackoff(), 0)) as put:
        yield put


@asynccontextmanager
async def reference_service(pair: PostgresPair, writer: str) -> AsyncIterator[Put]:
    """Yield the reference client on the write Service."""
    async with PostgresClient(pair.settings()) as client:
        yield lambda number: client.write(_insert(writer, number))


@asynccontextmanager
async def reference_members(pair: PostgresPair, writer: str) -> AsyncIterator[Put]:
    """Yield the reference client on all members' addresses."""
    async with PostgresClient(pair.settings(pair.both)) as client:
        yield lambda number: client.write(_insert(writer, number))


@asynccontextmanager
async def psycopg_pool(pair: PostgresPair, writer: str) -> AsyncIterator[Put]:
    """Yield psycopg's own pool on the write Service; it checks a connection before it hands it out."""
    settings = pair.settings()
    pool = AsyncConnectionPool(
        settings.conninfo,
        kwargs={"password": settings.password, "connect_timeout": 3},
        min_size=2,
        max_size=10,
        timeout=8,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    await pool.open()

    async def put(number: int) -> None:
        async with pool.connection() as connection:
            await connection.execute(_INSERT, (writer, number))

    try:
        yield put
    finally:
        await pool.close(timeout=1)


@asynccontextmanager
async def libpq_hosts(pair: PostgresPair, writer: str) -> AsyncIterator[Put]:
    """Yield one plain connection with several hosts and ``target_session_attrs``, opened anew after each error."""
    settings = pair.settings(pair.both)
    turn, held = asyncio.Lock(), list[Connection]()

    async def put(number: int) -> None:
        async with turn:
            if not held:
                conninfo = multi_host(settings.conninfo)
                held.append(await psycopg.AsyncConnection.connect(conninfo, password=settings.password, autocommit=True))
            try:
                await held[0].execute(_INSERT, (writer, number))
            except psycopg.Error:
                await held.pop().close()
                raise

    yield put
    for one in held:
        await one.close()


def _insert(writer: str, number: int) -> Any:  # noqa: ANN401 - a function of a connection
    return lambda connection: connection.execute(_INSERT, (writer, number))


REDIS = {
    "reference client, `write`": redis_write,
    "reference client, `repeat`": redis_repeat,
    "redis-py's Sentinel client": redis_py,
    "the same, no retries": redis_py_once,
}
POSTGRES = {
    "reference client, write Service": reference_service,
    "reference client, all members": reference_members,
    "psycopg's pool, write Service": psycopg_pool,
    "one connection, several hosts": libpq_hosts,
}
