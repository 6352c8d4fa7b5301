"""Looks at a Redis deployment: every server and every Sentinel by its own word, all at once. Changes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError
from activities.redis.models import RedisLook, RedisSurvey, SentinelFact, ServerFact
from activities.run.declare import step
from activities.run.models.diagnosis import Silence
from activities.run.postures import READ
from estate.redis import RedisTarget

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
    within = (patience + address_within).total_seconds()
    servers, sentinels = await asyncio.gather(
        asyncio.gather(*(_server(redis, target, name, patience, within) for name in target.deployment.servers)),
        asyncio.gather(*(_sentinel(redis, target, name, patience, within) for name in target.deployment.sentinels)),
    )
    return RedisSurvey(at=datetime.now(UTC), servers=tuple(servers), sentinels=tuple(sentinels))


async def _server(redis: RedisServers, target: RedisTarget, name: str, patience: timedelta, within: float) -> ServerFact:
    try:
        async with asyncio.timeout(within):
            return await redis.server(target, name, within=patience)
    except (UnreachableError, RedisAnswerError, TimeoutError) as error:
        return ServerFact(name=name, error=str(error) or "no answer", silence=_silence_of(error))


async def _sentinel(redis: RedisServers, target: RedisTarget, name: str, patience: timedelta, within: float) -> SentinelFact:
    try:
        async with asyncio.timeout(within):
            return await redis.sentinel(target, name, within=patience)
    except (UnreachableError, RedisAnswerError, TimeoutError) as error:
        return SentinelFact(name=name, error=str(error) or "no answer", silence=_silence_of(error))


def _silence_of(error: Exception) -> Silence:
    return error.silence if isinstance(error, UnreachableError) else Silence.UNKNOWN
