"""The reference client for Redis against real servers and Sentinels that are moved, killed, frozen and brought back."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import ResponseError

from deploy.clients.errors import AccessDeniedError, InDoubtError, UnavailableError
from deploy.clients.redis_client import RedisClient
from tests.clients.redis_cluster import NAME, PASSWORD, SENTINELS, SERVERS, RedisCluster, running_redis
from tests.clients.writers import Put, Written, writing


@asynccontextmanager
async def client_of(redis: RedisCluster, **changes: float | str) -> AsyncIterator[RedisClient]:
    async with RedisClient(dataclasses.replace(redis.settings, **changes)) as client:  # type: ignore[arg-type]
        yield client


@asynccontextmanager
async def plain_client_of(redis: RedisCluster) -> AsyncIterator[Put]:
    """Make redis-py's own Sentinel client, with its own defaults but for a deadline."""
    sentinels = [redis.address(name) for name in SENTINELS]
    own = Sentinel(  # type: ignore[no-untyped-call]
        sentinels, sentinel_kwargs={"password": PASSWORD}, password=PASSWORD, socket_timeout=1
    )
    async with own.master_for(NAME) as master:
        yield lambda number: master.sadd("plain", number)
    for sentinel in own.sentinels:
        await sentinel.aclose()


async def lost(redis: RedisCluster, key: str, written: Written) -> set[int]:
    """Return acknowledged numbers that the master does not have."""
    async with client_of(redis) as client:
        return set(written.acknowledged) - {int(one) for one in await client.repeat("SMEMBERS", key)}


@pytest.mark.parametrize("redis", [0, 1], indirect=True, ids=["alone", "with a replica"])
async def test_a_planned_move_loses_nothing_and_fails_no_call(redis: RedisCluster) -> None:
    async with client_of(redis) as client, plain_client_of(redis) as plain:
        async with writing(lambda number: client.repeat("SADD", "ours", number)) as ours, writing(plain) as theirs:
            await redis.until(lambda: _goes_on(0, ours, theirs))
            await asyncio.sleep(1.2)  # right after its start a Sentinel looks at replicas more often, and publishes earlier
            new = await redis.move_planned()
            moved = time.monotonic()
            await redis.until(lambda: _goes_on(moved, ours, theirs))
        assert redis.name(client.master) == new
    print(f"planned: reference client {ours.outage:.3f} s, redis-py's Sentinel client {theirs.outage:.3f} s")
    assert not ours.errors
    assert not await lost(redis, "ours", ours)
    assert not await lost(redis, "plain", theirs)


async def test_a_demoted_master_is_left_at_its_first_refusal_for_the_one_that_it_follows(redis: RedisCluster) -> None:
    async with client_of(redis) as client:
        async with writing(lambda number: client.write("SADD", "ours", number)) as ours:
            await redis.until(lambda: _goes_on(0, ours))
            await redis.move_unannounced()
            moved = time.monotonic()
            await redis.until(lambda: _goes_on(moved, ours))
            assert [await redis.named_by(sentinel) for sentinel in SENTINELS] == ["redis-0"] * 3, "it had only to ask them"
        assert redis.name(client.master) == "redis-1"
        assert set(map(int, await client.repeat("SMEMBERS", "ours"))) >= set(ours.acknowledged)
    assert not ours.errors, "READONLY says that it was not executed"


async def test_a_master_that_still_takes_writes_is_left_when_a_sentinel_names_another(redis: RedisCluster) -> None:
    async with client_of(redis) as client:
        await client.repeat("PING")
        await redis.tell(SENTINELS[0], "SENTINEL", "FAILOVER", NAME)
        await _published(redis)
        await redis.until(lambda: _moved(client, redis), 1)
        assert await redis.role("redis-0") == "master", "it was demoted, and that is why it was left"


async def test_a_killed_master_is_left_for_the_one_that_sentinel_elects(redis: RedisCluster) -> None:
    async with client_of(redis) as client, writing(lambda number: client.repeat("SADD", "ours", number)) as ours:
        await redis.until(lambda: _goes_on(0, ours))
        redis.signal("redis-0", signal.SIGKILL)
        await redis.until(lambda: _moved(client, redis))
        await asyncio.sleep(0.2)
    print(f"kill -9: reference client {ours.outage:.3f} s")
    assert not ours.errors
    assert ours.outage > 1, "Sentinel cannot know in less; it was not the master that was killed"


async def test_a_restarted_old_master_gets_no_writes(redis: RedisCluster) -> None:
    redis.signal("redis-0", signal.SIGKILL)
    async with client_of(redis) as client:
        await client.repeat("PING")
        redis.start("redis-0")
        await redis.until(lambda: _says_master(redis, "redis-0"))
        for number in range(20):
            async with client_of(redis) as newcomer:
                await newcomer.repeat("SADD", "newcomers", number)
                assert newcomer.master == client.master != redis.address("redis-0")
        assert await redis.role("redis-0") == "master", "it was taken for a master all the while, or this proves nothing"
        assert len(await client.repeat("SMEMBERS", "newcomers")) == 20
    assert not await redis.tell("redis-0", "EXISTS", "newcomers")


async def test_a_frozen_master_is_left_and_stays_left_when_it_thaws(redis: RedisCluster) -> None:
    async with client_of(redis) as client:
        async with writing(lambda number: client.repeat("SADD", "ours", number)) as ours:
            await redis.until(lambda: _goes_on(0, ours))
            redis.signal("redis-0", signal.SIGSTOP)
            await redis.until(lambda: _moved(client, redis))
            frozen = set(await redis.tell(redis.name(client.master), "SMEMBERS", "ours"))
            redis.signal("redis-0", signal.SIGCONT)
            await redis.until(lambda: _says_master(redis, "redis-0"))
            await asyncio.sleep(0.5)
            assert await redis.role("redis-0") == "master"
            thawed = {int(one) for one in await redis.tell("redis-0", "SMEMBERS", "ours")}
        after = {number for number in ours.acknowledged if number > max(map(int, frozen))}
    print(f"SIGSTOP: reference client {ours.outage:.3f} s")
    assert len(after) > 20
    assert not after & thawed, "written to the old master after the new one had taken over"
    assert not ours.errors


async def test_an_idle_client_leaves_a_frozen_master_before_its_next_call(redis: RedisCluster) -> None:
    async with client_of(redis) as client:
        await client.repeat("PING")
        redis.signal("redis-0", signal.SIGSTOP)
        await redis.until(lambda: _moved(client, redis))
        began = time.monotonic()
        await client.write("SET", "key", "value")
        assert time.monotonic() - began < 0.5


async def test_one_dead_sentinel_costs_nothing(redis: RedisCluster) -> None:
    redis.signal("redis-sentinel-2", signal.SIGKILL)
    async with client_of(redis) as client, writing(lambda number: client.repeat("SADD", "ours", number)) as ours:
        await asyncio.sleep(0.2)
        await redis.move_planned()
        await asyncio.sleep(0.2)
    assert not ours.errors
    assert not await lost(redis, "ours", ours)


async def test_a_write_that_was_cut_off_is_in_doubt_and_one_that_was_refused_is_not(redis: RedisCluster) -> None:
    async with client_of(redis, attempt_seconds=0.3, total_seconds=1.0) as client:
        await client.write("SET", "counter", 0)
        redis.signal("redis-0", signal.SIGSTOP)
        with pytest.raises(InDoubtError, match=r"did not answer within 0\.3 s"):
            await client.write("INCR", "counter")
        with pytest.raises(UnavailableError, match=r"127\.0\.2\.1"):
            await client.write("INCR", "counter")
        redis.signal("redis-0", signal.SIGCONT)
        assert await client.write("INCR", "counter", within=5) == 2, "the one in doubt was executed, the other was not"
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await client.write("SADD", "counter", 1)


@pytest.mark.usefixtures("_real_servers")
async def test_a_master_without_replicas_is_asked_again_until_it_has_them(tmp_path: Path) -> None:
    async with running_redis(tmp_path, down_after=20_000, min_replicas=1) as redis, client_of(redis) as client:
        await client.write("SET", "key", 1)
        for name in SERVERS[1:]:
            redis.signal(name, signal.SIGKILL)
        await redis.until(lambda: _refuses(redis))
        with pytest.raises(UnavailableError, match="NOREPLICAS"):
            await client.write("INCR", "key", within=0.5)
        waiting = asyncio.create_task(client.write("INCR", "key"))
        await asyncio.sleep(0.2)
        redis.start("redis-1", replica_of="redis-0")
        assert await waiting == 2


async def test_a_wrong_password_is_told_at_once(redis: RedisCluster) -> None:
    async with client_of(redis, password="wrong") as client:
        began = time.monotonic()
        with pytest.raises(AccessDeniedError, match="refuse the password"):
            await client.write("SET", "key", 1)
        assert time.monotonic() - began < 4, "a call has 8 s"


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_every_call_keeps_its_deadline(redis: RedisCluster, number: signal.Signals) -> None:
    async with client_of(redis, attempt_seconds=0.3, total_seconds=1.5) as client, client_of(redis) as newcomer:
        await client.repeat("PING")
        for name in (*SENTINELS, *SERVERS):
            redis.signal(name, number)
        for call, within in ((client.repeat("SET", "key", 1), 1.5), (newcomer.write("SET", "key", 1, within=0.4), 0.4)):
            began = time.monotonic()
            with pytest.raises((UnavailableError, InDoubtError)):
                await call
            assert within - 0.1 < time.monotonic() - began < within + 1


async def _published(redis: RedisCluster) -> float:
    """Return when the first Sentinel named another master than ``redis-0``."""

    async def somebody_does() -> bool:
        return any([await redis.named_by(sentinel) != "redis-0" for sentinel in SENTINELS])

    await redis.until(somebody_does)
    return time.monotonic()


async def _goes_on(since: float, *written: Written) -> bool:
    return all(one.last > since for one in written)


async def _moved(client: RedisClient, redis: RedisCluster) -> bool:
    return client.master not in {None, redis.address("redis-0")}


async def _says_master(redis: RedisCluster, name: str) -> bool:
    return await redis.role(name) == "master"


async def _refuses(redis: RedisCluster) -> bool:
    try:
        await redis.tell("redis-0", "SET", "probe", "1")
    except ResponseError as error:
        return "NOREPLICAS" in str(error)
    return False
