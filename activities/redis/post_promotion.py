"""What follows a change of Redis master: Sentinels agree, replicas follow, and a client finds it and writes.

Also turns a server that takes itself for the master, while a majority of the Sentinels names another, into a replica:
what an earlier run, or a restart, has left behind.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime, timedelta

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError
from activities.redis.models import Agreed, AgreeRequest, RedisLook, RedisSurvey, RedisSwitch, RedisVerified, ServerFact
from activities.redis.survey import survey_of
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.polling import sleep
from activities.run.postures import CHANGE, FORWARD, INSIST

_LOOK = timedelta(seconds=0.5)
_POLL_SECONDS = 0.1
_LOOK_AGAIN_SECONDS = 0.03
_VERIFIED_WITHIN_SECONDS = 30
_SETTLED_WITHIN_SECONDS = 25
_SOON = timedelta(milliseconds=50)


class RedisAftermathActivities:
    """Everything after the promotion."""

    def __init__(self, redis: RedisServers) -> None:
        """Ask and command ``redis``."""
        self._redis = redis

    @step("redis.settle", CHANGE, lambda _: "recover what an earlier failover left")
    async def settle(self, request: RedisLook) -> tuple[str, ...]:
        """Wait a while for a failover that is under way; then let every server follow the master that leads.

        Returns the servers that took themselves for the master. A failover that does not end is left to the plan to refuse.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        survey = await survey_of(self._redis, request.target, request.patience)
        while survey.fails_over and survey.master is not None and clock() - began < _SETTLED_WITHIN_SECONDS:
            await sleep(_POLL_SECONDS)
            survey = await survey_of(self._redis, request.target, request.patience)
        strays = await self._lasting_strays(request, survey)
        for name in strays:
            await self._redis.demote(request.target, name, survey.named)
        return strays

    async def _lasting_strays(self, request: RedisLook, survey: RedisSurvey) -> tuple[str, ...]:
        """Return those that are strays at two looks, beside a master that leads, while nobody fails over.

        A replica is master for up to a second before the Sentinel that has promoted it names it; one that were sent back
        then would follow a dead server until the Sentinels elect anew, and what it has acknowledged would be lost.
        """
        if not survey.strays:
            return ()
        again = await survey_of(self._redis, request.target, request.patience)
        if not (survey.is_led and again.is_led and survey.named == again.named):
            return ()
        lasting = {fact.name for fact in again.strays}
        return tuple(fact.name for fact in survey.strays if fact.name in lasting)

    @step("redis.verify", INSIST, lambda switch: f"verify by a write to {switch.plan.candidate}")
    async def verify(self, switch: RedisSwitch) -> RedisVerified:
        """Find the master as a client does, by the word of a majority of the Sentinels, write to it and read it back.

        Where a person has decided since no majority is left, the newest answer of a Sentinel counts. It may be the old
        master, if the Sentinels have elected that one again since.

        Raises:
            ApplicationError: not within ``_VERIFIED_WITHIN_SECONDS``; it is tried again.

        """
        began, why = time.monotonic(), ""
        while time.monotonic() - began < _VERIFIED_WITHIN_SECONDS:
            found, is_new, why = await self._named(switch)
            if found is not None and (found.address != switch.old or is_new):
                try:
                    replicas = await self._redis.probe(switch.target, found.name, secrets.token_hex(6))
                except (RedisAnswerError, UnreachableError) as error:
                    why = str(error)
                else:
                    return RedisVerified(
                        leader=found.name, address=found.address, replicas=replicas,
                        milliseconds=(time.monotonic() - began) * 1000, verified_at=datetime.now(UTC),
                    )  # fmt: skip
            await sleep(_LOOK_AGAIN_SECONDS)
        raise retry_in(_SOON, why)

    async def _named(self, switch: RedisSwitch) -> tuple[ServerFact | None, bool, str]:
        """Return the server that the Sentinels name and that agrees, whether they have elected it since, and their words.

        A Sentinel that fails over has the new epoch, and still names the old master until it is done.
        """
        survey, who = await survey_of(self._redis, switch.target, _LOOK), "a majority of the Sentinels"
        named = survey.named
        if not named and switch.by_word:  # a person has decided, since there is no majority
            named, who = survey.newest_word, "the newest answer of a Sentinel"
        master = survey.server_at(named)
        found = master if master is not None and master.is_master else None
        epoch = max((fact.config_epoch for fact in survey.sentinels if fact.master == named), default=0)
        is_new = epoch > switch.config_epoch and not survey.fails_over
        return found, is_new, f"{who} names {found.name if found else named or 'nobody'}, not yet {switch.plan.candidate}"

    @step("redis.agree", FORWARD, lambda request: f"all agree on {request.switch.plan.candidate}")
    async def agree(self, request: AgreeRequest) -> Agreed:
        """Wait until every Sentinel names the new master and every other server follows it; say who does not in the end.

        All at the same look: one that was dead, and not waited for, may be back before the Sentinels agree.
        Servers that do not follow are not told to: Sentinel does that, and a server that starts asks the Sentinels.
        """
        switch, clock = request.switch, asyncio.get_running_loop().time
        began, address = clock(), await self._address_of(switch)
        agreed, followed = None, None
        while True:
            survey = await survey_of(self._redis, switch.target, _LOOK)
            spent, (silent, apart) = clock() - began, _missing(survey, address, only_living=request.only_living)
            agreed = spent if agreed is None and not silent else agreed
            followed = spent if followed is None and not apart else followed
            if not (silent or apart) or spent > request.within.total_seconds():
                return Agreed(
                    sentinels=tuple(fact.name for fact in survey.sentinels if fact.master == address),
                    followers=tuple(fact.name for fact in survey.followers(address)),
                    missing=(*silent, *apart),
                    sentinels_seconds=agreed,
                    followers_seconds=followed,
                )
            await sleep(_POLL_SECONDS)

    async def _address_of(self, switch: RedisSwitch) -> str:
        try:
            return (await self._redis.server(switch.target, switch.plan.candidate)).address
        except (UnreachableError, RedisAnswerError) as error:
            raise refuse(Refusal.UNREACHABLE, f"the new master does not answer: {error}") from error


def _missing(survey: RedisSurvey, address: str, *, only_living: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the Sentinels that do not name the master at ``address``, and the servers that do not follow it."""
    sentinels = [fact for fact in survey.sentinels if fact.master or not only_living]
    servers = [fact for fact in survey.servers if fact.role or not only_living]
    following = {fact.name for fact in survey.followers(address)}
    return (
        tuple(fact.name for fact in sentinels if fact.master != address),
        tuple(fact.name for fact in servers if fact.address != address and fact.name not in following),
    )
