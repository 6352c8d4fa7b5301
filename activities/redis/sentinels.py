"""How a Sentinel is asked to promote, and by what its new master is recognised.

``SENTINEL FAILOVER`` does not say which master it means, and does not ask the other Sentinels. Beside an election of
theirs it replaces the master that they have just made, or makes a second one. So nobody is asked while another may have
begun.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError
from activities.redis.models import RedisSurvey, RedisSwitch, SentinelFact, ServerFact
from activities.redis.survey import survey_of
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import Silence
from activities.run.polling import until

_LOOK = timedelta(seconds=0.5)
_QUICK_LOOK = timedelta(seconds=0.3)
_POLL_SECONDS = 0.02
_PROMOTED_WITHIN_SECONDS = 8.0
UNDER_WAY = "a failover was under way already;"


class Asking:
    """Asks the Sentinels of one deployment after the other."""

    def __init__(self, redis: RedisServers) -> None:
        """Command ``redis``."""
        self._redis = redis

    async def ask(self, switch: RedisSwitch, survey: RedisSurvey) -> str:
        """Ask one Sentinel after the other to promote, until one does; return what there is to say about it.

        Never a second one while another may have begun: both would promote, each a server of its own. The survey is as old
        as its slowest answer, so those that do answer are asked once more.

        Raises:
            ApplicationError: ``CandidateFailed``, none of them would.

        """
        said = []
        for fact in sorted(survey.sentinels, key=lambda fact: not fact.can_decide):
            if fact.master != switch.old:
                continue
            if await self._has_begun(switch, survey):
                return UNDER_WAY
            try:
                await self._redis.elect(switch.target, fact.name, switch.old)
            except RedisAnswerError as error:
                if error.code in {"INPROG", "MOVED"}:
                    return UNDER_WAY
                said.append(str(error))
            except UnreachableError as error:
                if error.silence is Silence.NO_ANSWER:
                    return f"{fact.name} was asked to act and did not answer;"
                said.append(str(error))
            else:
                return ""
        why = "; ".join(said) or f"no Sentinel that answers names {switch.plan.primary}"
        raise refuse(Refusal.CANDIDATE_FAILED, f"no Sentinel promotes anybody: {why}")

    async def _has_begun(self, switch: RedisSwitch, survey: RedisSurvey) -> bool:
        """Whether a Sentinel fails over, or names a newer master by now; one that has missed a failover names an older."""
        answering = [fact.name for fact in survey.sentinels if fact.master]
        looks = (self._redis.sentinel(switch.target, name, within=_QUICK_LOOK) for name in answering)
        found = await asyncio.gather(*looks, return_exceptions=True)
        return any(
            one.fails_over or (one.master != switch.old and one.config_epoch > switch.config_epoch)
            for one in found
            if isinstance(one, SentinelFact)
        )

    async def until_promoted(self, switch: RedisSwitch) -> ServerFact:
        """Return the new master. ApplicationError: ``CandidateFailed``, there is none in time."""

        async def came() -> ServerFact | None:
            return new_master(await survey_of(self._redis, switch.target, _LOOK), switch)

        try:
            return await until(came, every=_POLL_SECONDS, within=_PROMOTED_WITHIN_SECONDS)
        except TimeoutError as error:
            words = f"nobody became master within {_PROMOTED_WITHIN_SECONDS:g} s"
            raise refuse(Refusal.CANDIDATE_FAILED, words) from error


def new_master(survey: RedisSurvey, switch: RedisSwitch) -> ServerFact | None:
    """Return the server that has taken over from the old master, if one has: an eligible one, or whom a majority names."""
    masters = [fact for fact in survey.servers if fact.is_master and fact.address != switch.old]
    named = [fact for fact in masters if fact.address == survey.named]
    return next(iter(named or (fact for fact in masters if fact.name in switch.eligible)), None)


def old_master(survey: RedisSurvey, switch: RedisSwitch) -> ServerFact | None:
    """Return the old master if it answers and takes writes."""
    return next((fact for fact in survey.servers if fact.is_master and fact.address == switch.old), None)
