"""What follows a change of Redis master: Sentinels agree, replicas follow, and a client finds it and writes.

Also turns a server that takes itself for the master, while a majority of the Sentinels names another, into a replica:
what an earlier run, or a restart, has left behind.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError
from activities.errors import Refusal, refuse, retry_in
from activities.models.redis import Agreed, AgreeRequest, RedisLook, RedisSurvey, RedisSwitch, RedisVerified
from activities.redis_look import survey_of

_LOOK = timedelta(seconds=0.5)
_POLL_SECONDS = 0.1
_SOON = timedelta(milliseconds=50)


class RedisAftermathActivities:
    """Everything after the promotion."""

    def __init__(self, redis: RedisServers) -> None:
        """Ask and command ``redis``."""
        self._redis = redis

    @activity.defn(name="redis.demote_strays")
    async def demote_strays(self, request: RedisLook) -> tuple[str, ...]:
        """Let every server follow the master that a majority names; return those that took themselves for it."""
        survey = await survey_of(self._redis, request.target, request.patience)
        for fact in survey.strays:
            await self._redis.demote(request.target, fact.name, survey.named)
        return tuple(fact.name for fact in survey.strays)

    @activity.defn(name="redis.verify")
    async def verify(self, switch: RedisSwitch) -> RedisVerified:
        """Find the master as a client does, by the word of a majority of the Sentinels, write to it and read it back.

        Raises:
            ApplicationError: not yet; it is tried again.

        """
        began = time.monotonic()
        survey = await survey_of(self._redis, switch.target, _LOOK)
        master = survey.master
        if master is None or master.name != switch.plan.candidate or not master.is_master:
            found = master.name if master else survey.named or "nobody"
            raise retry_in(_SOON, f"a majority of the Sentinels names {found}, not yet {switch.plan.candidate}")
        try:
            replicas = await self._redis.probe(switch.target, master.name, secrets.token_hex(6))
        except RedisAnswerError as error:
            raise retry_in(_SOON, str(error)) from error
        return RedisVerified(
            leader=master.name,
            replicas=replicas,
            milliseconds=(time.monotonic() - began) * 1000,
            verified_at=datetime.now(UTC),
        )

    @activity.defn(name="redis.agree")
    async def agree(self, request: AgreeRequest) -> Agreed:
        """Wait until every Sentinel names the new master and every other server follows it; say who does not in the end.

        Servers that do not follow are not told to: Sentinel does that, and a server that starts asks the Sentinels.
        """
        switch, clock = request.switch, asyncio.get_running_loop().time
        began, address = clock(), await self._address_of(switch)
        agreed, followed = None, None
        while True:
            survey = await survey_of(self._redis, switch.target, _LOOK)
            spent, (silent, apart) = clock() - began, _missing(survey, address)
            agreed = spent if agreed is None and not silent else agreed
            followed = spent if followed is None and not apart else followed
            if None not in {agreed, followed} or spent > request.within.total_seconds():
                return Agreed(
                    sentinels=tuple(fact.name for fact in survey.sentinels if fact.master == address),
                    followers=tuple(fact.name for fact in survey.followers(address)),
                    missing=(*silent, *apart),
                    sentinels_seconds=agreed,
                    followers_seconds=followed,
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def _address_of(self, switch: RedisSwitch) -> str:
        try:
            return (await self._redis.server(switch.target, switch.plan.candidate)).address
        except (UnreachableError, RedisAnswerError) as error:
            raise refuse(Refusal.UNREACHABLE, f"the new master does not answer: {error}") from error


def _missing(survey: RedisSurvey, address: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the Sentinels that do not name the master at ``address``, and the servers that do not follow it."""
    sentinels = tuple(fact.name for fact in survey.sentinels if fact.master != address)
    following = {fact.name for fact in survey.followers(address)}
    servers = tuple(fact.name for fact in survey.servers if fact.address != address and fact.name not in following)
    return sentinels, servers
