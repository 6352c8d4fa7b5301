"""What the load says about Redis: nothing is lost by the operator's move, and what a plain failover loses is seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from deploy.lab import redis_load
from deploy.lab.checker import two_writers
from deploy.lab.redis_load import RedisLoadSettings, RedisSeen
from tests.clients.redis_cluster import NAME, PASSWORD, SENTINELS, SERVERS, RedisCluster
from tests.clients.test_redis import plain_client_of


@asynccontextmanager
async def loaded(redis: RedisCluster) -> AsyncIterator[tuple[RedisSeen, dict[str, Any]]]:
    """Make load inside the block; what was seen is complete after it."""
    settings = RedisLoadSettings(
        sentinels=list(redis.settings.sentinels),
        members={name: redis.address(name)[0] for name in SERVERS},
        port=redis.port,
        password=PASSWORD,
    )
    seen, found = RedisSeen(), dict[str, Any]()
    async with redis_load.client_for(settings) as client:
        going = [redis_load.members(client, "members", seen)]
        going += [redis_load.check(settings, seen, member) for member in SERVERS]
        tasks = [asyncio.create_task(one) for one in going]
        yield seen, found
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        found |= await redis_load.summary(client, "members", seen)


async def test_a_planned_move_has_one_writer_and_no_loss(redis: RedisCluster) -> None:
    async with loaded(redis) as (seen, found):
        await asyncio.sleep(1)
        moved = await redis.move_planned()
        await redis.until(lambda: _has_written(seen, moved))
        await asyncio.sleep(0.3)
    assert found["lost"] == 0
    assert found["members"] > 30
    assert found["in_doubt_present"] is not None
    assert set(found["errors"]) <= {"InDoubtError"}, "what was held back when the clients were sent away"
    assert two_writers(seen.writes) == []
    assert not await redis.tell(moved, "EXISTS", "members", "lab:checker"), "it leaves something behind"


async def test_a_plain_failover_has_two_writers_and_they_are_seen(redis: RedisCluster) -> None:
    async with loaded(redis) as (seen, _), plain_client_of(redis) as put:
        await put(1)
        await redis.tell(SENTINELS[0], "SENTINEL", "FAILOVER", NAME)
        await redis.until(lambda: _has_written(seen, "redis-1", "redis-2"))
        began = time.time()
        await redis.until(lambda: _writes_since(seen, "redis-0", began))
    found = two_writers(seen.writes)
    assert found
    assert "redis-0" in found[0]


async def _has_written(seen: RedisSeen, *servers: str) -> bool:
    return any(server in servers for _, _, server in seen.writes)


async def _writes_since(seen: RedisSeen, server: str, since: float) -> bool:
    return any(name == server and asked > since + 0.3 for asked, _, name in seen.writes)
