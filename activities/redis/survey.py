"""Looks at a Redis deployment: every server and every Sentinel by its own word, all at once. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError
from activities.redis.models import RedisLook, RedisSurvey, SentinelFact, ServerFact
from activities.run.declare import step
from activities.run.models.diagnosis import Silence
from activities.run.postures import READ
from estate.redis import RedisTarget

F = TypeVar("F", ServerFact, SentinelFact)
_ADDRESS = timedelta(seconds=5)
"""To learn from the API server where a pod is, at most: the first look of a worker that has just started takes seconds."""


class RedisLookActivities:
    """The read-only half of ``redis-failover``."""

    def __init__(self, redis: RedisServers) -> None:
        """Ask ``redis``."""
        self._redis = redis

    @step("redis.survey", READ, lambda request: f"survey {request.target.name}")
    async def survey(self, request: RedisLook) -> RedisSurvey:
        """Return the deployment as it is now. Who does not answer within the patience is in it with that."""
        return await survey_of(self._redis, request.target, request.patience)


async def survey_of(
    redis: RedisServers, target: RedisTarget, patience: timedelta, *, address_within: timedelta = _ADDRESS
) -> RedisSurvey:
    """Return the deployment as it is now; ``address_within``: more patience for learning where a pod is."""
    within, where = (patience + address_within).total_seconds(), target.deployment
    server, sentinel = partial(redis.server, target, within=patience), partial(redis.sentinel, target, within=patience)
    servers = [_fact(ServerFact, server, name, within) for name in where.servers]
    sentinels = [_fact(SentinelFact, sentinel, name, within) for name in where.sentinels]
    seen, heard = await asyncio.gather(asyncio.gather(*servers), asyncio.gather(*sentinels))
    return RedisSurvey(at=datetime.now(UTC), servers=tuple(seen), sentinels=tuple(heard))


async def _fact(kind: type[F], ask: Callable[[str], Awaitable[F]], name: str, within: float) -> F:
    """Return the answer; who does not give one is known by name, and by how it is silent."""
    try:
        async with asyncio.timeout(within):
            return await ask(name)
    except (UnreachableError, RedisAnswerError, TimeoutError) as error:
        silence = Silence.TURNED_AWAY if isinstance(error, RedisAnswerError) else Silence.UNKNOWN
        silence = error.silence if isinstance(error, UnreachableError) else silence
        return kind(name=name, error=str(error) or "no answer", silence=silence)
