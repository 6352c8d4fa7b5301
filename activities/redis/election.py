"""Has a dead Redis master replaced: by the Sentinels, as long as they can elect, and by insisting where they cannot."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.ports import RedisServers
from activities.redis.models import ElectRequest, Moved, RedisSurvey, RedisSwitch, ServerFact
from activities.redis.sentinels import UNDER_WAY, Asking, new_master, old_master
from activities.redis.survey import survey_of
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.heartbeat import keep_details
from activities.run.polling import sleep
from activities.run.postures import READ_LONG

_LOOK = timedelta(seconds=0.5)
_POLL_SECONDS = 0.02
_ELECTED_WITHIN_SECONDS = 25.0
_UNDECIDED_SECONDS = 2.0
"""One look may miss a Sentinel that is busy; whoever acts beside Sentinels that can elect may promote a second master."""
_ASK_AGAIN_SECONDS = 0.5
_ASKED = "asked"


class _Again(Exception):  # noqa: N818 - no error
    """Worth another try."""


class RedisElectActivities:
    """The forced half of who is master."""

    def __init__(self, redis: RedisServers) -> None:
        """Watch and command ``redis``."""
        self._redis, self._sentinels = redis, Asking(redis)

    @step(
        "redis.force_election",
        READ_LONG,
        lambda request: f"the Sentinels promote {request.switch.plan.candidate}",
        formerly="redis.elected",
    )
    async def force_election(self, request: ElectRequest) -> Moved:
        """Wait until another server is master by Sentinel's own doing; after ``insist_after`` ask one to act (forced).

        On a person's word one is asked as soon as it is seen that the Sentinels themselves cannot elect. Where they can,
        they are left alone meanwhile: two of them, each with a failover of its own, promote two servers.

        Raises:
            ApplicationError: ``CandidateFailed``, as ``redis.switch``; ``NoQuorum``, nobody may insist.

        """
        switch, began = request.switch, asyncio.get_running_loop().time()
        if _ASKED in activity.info().heartbeat_details:  # by a worker that has died since
            note, new = "a Sentinel was asked to act;", await self._sentinels.until_promoted(switch)
        else:
            note, new = await self._elected_or_asked(request)
        seconds = asyncio.get_running_loop().time() - began
        note += f" {switch.plan.primary} follows it when it comes back"
        return Moved(
            leader=new.name, address=new.address, seconds=seconds, moved_at=datetime.now(UTC), demoted=False, note=note
        )

    async def _elected_or_asked(self, request: ElectRequest) -> tuple[str, ServerFact]:
        new = await self._elected_by_themselves(request)
        return ("Sentinel elected it;", new) if new is not None else await self._insist(request)

    async def _elected_by_themselves(self, request: ElectRequest) -> ServerFact | None:
        """Return the new master; ``None`` once it is time to insist."""
        clock, undecided_since = asyncio.get_running_loop().time, None
        began = clock()
        while clock() - began < request.insist_after.total_seconds():
            survey = await survey_of(self._redis, request.switch.target, _LOOK)
            if (new := new_master(survey, request.switch)) is not None:
                return new
            undecided_since = None if survey.can_decide else undecided_since or clock()
            if request.by_word and undecided_since and clock() - undecided_since > _UNDECIDED_SECONDS:
                return None
            await sleep(_POLL_SECONDS)
        return None

    async def _insist(self, request: ElectRequest) -> tuple[str, ServerFact]:
        """Ask again and again for a while: a Sentinel that has just lost the master promotes nobody at first.

        Once one may have begun nobody else is asked: it may go on after a freeze, and promote a second server.
        """
        switch, clock = request.switch, asyncio.get_running_loop().time
        deadline = clock() + _ELECTED_WITHIN_SECONDS
        while True:
            survey = await survey_of(self._redis, switch.target, _LOOK)
            if (new := new_master(survey, switch)) is not None:
                return "Sentinel elected it;", new
            _may_insist(survey, request)
            with contextlib.suppress(_Again):
                return await self._ask(switch, survey, is_last=clock() > deadline)
            await sleep(_ASK_AGAIN_SECONDS)

    async def _ask(self, switch: RedisSwitch, survey: RedisSurvey, *, is_last: bool) -> tuple[str, ServerFact]:
        """Ask, and wait for what comes of it. _Again: nobody has begun, and somebody may be asked."""
        keep_details(_ASKED)
        try:
            note = await self._sentinels.ask(switch, survey)
        except ApplicationError as error:
            keep_details()
            if is_last:
                raise
            raise _Again from error
        try:
            return note or "a Sentinel was asked to act;", await self._sentinels.until_promoted(switch)
        except ApplicationError as error:
            if is_last or note != UNDER_WAY or not await self._nobody_goes_on(switch, survey):
                raise
            keep_details()
            raise _Again from error

    async def _nobody_goes_on(self, switch: RedisSwitch, before: RedisSurvey) -> bool:
        """Whether every Sentinel that answered before does so now, and none of them fails over: one that is silent may."""
        now = await survey_of(self._redis, switch.target, _LOOK)
        silent = {fact.name for fact in before.sentinels if fact.master} - {
            fact.name for fact in now.sentinels if fact.master
        }
        return not silent and not now.fails_over


def _may_insist(survey: RedisSurvey, request: ElectRequest) -> None:
    """Refuse to replace a master by force that is not known to be gone, and that nobody has given up by name."""
    old = old_master(survey, request.switch)
    if request.by_word and old is not None and old.name != request.given_up:
        raise refuse(
            Refusal.PRIMARY_ALIVE, f"{old.name} answers and is the master; nobody has named it as the one to replace"
        )
    if not request.by_word and not any(fact.agrees_it_is_down for fact in survey.sentinels):
        old_name = request.switch.plan.primary
        words = f"no quorum of Sentinels agrees that {old_name} is down, and nobody has attested to it by name"
        raise refuse(Refusal.NO_QUORUM, words)
