"""Replaces a Redis master: holds writers back, lets Sentinel promote, and sends the old master's clients away.

A plain ``SENTINEL FAILOVER`` leaves the old master writable until Sentinel turns it into a replica, 11 s later: what it
acknowledges meanwhile is lost. So writes are paused first, until every replica that Sentinel may choose has everything;
as soon as one of them is master, the old one follows it and its clients are cut off. Redis ends the pause by itself:
a worker that dies leaves no frozen service, and the pause lasts longer than Sentinel's own way to the same end.

Every step looks first. Once another server is master there is no way back: the undo then answers so.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError
from activities.errors import Refusal, refuse, retry_in
from activities.models.redis import ElectRequest, Moved, Quiesced, RedisSurvey, RedisSwitch, Resumed, ServerFact
from activities.models.survey import Silence
from activities.redis_look import survey_of

_LOOK = timedelta(seconds=0.5)
_POLL_SECONDS = 0.02
_PROMOTED_WITHIN_SECONDS = 8.0
_ELECTED_WITHIN_SECONDS = 25.0
_UNDECIDED_SECONDS = 2.0
"""One look may miss a Sentinel that is busy; whoever acts beside Sentinels that can elect may promote a second master."""
_ASK_AGAIN_SECONDS = 0.5
_SOON = timedelta(seconds=0.3)
_UNDER_WAY = "a failover was under way already;"


class RedisSwitchActivities:
    """Everything that changes who is master."""

    def __init__(self, redis: RedisServers) -> None:
        """Command ``redis``."""
        self._redis = redis

    @activity.defn(name="redis.quiesce")
    async def quiesce(self, switch: RedisSwitch) -> Quiesced:
        """Hold writers back until every eligible replica has what the master has written. Undone by ``redis.resume``.

        Raises:
            ApplicationError: ``NoPrimary``, the old master is no longer the one; ``CandidateBehind``, a replica did not
                catch up in time: writers go on again.

        """
        target, old = switch.target, switch.plan.primary
        limits = target.deployment.thresholds
        await self._must_be_master(switch)
        began, paused_at = asyncio.get_running_loop().time(), datetime.now(UTC)
        await self._redis.pause(target, old, limits.pause)
        try:
            async with asyncio.timeout(limits.caught_up_within.total_seconds()):
                offset = await self._common_offset(switch)
                while offset is None:
                    await asyncio.sleep(_POLL_SECONDS)
                    offset = await self._common_offset(switch)
        except (TimeoutError, UnreachableError) as error:
            await self._let_writers_go_on(switch)
            words = str(error) or f"the replicas did not receive the rest within {limits.caught_up_within}"
            raise refuse(Refusal.CANDIDATE_BEHIND, f"{words}; writers go on at {old}") from error
        return Quiesced(offset=offset, seconds=asyncio.get_running_loop().time() - began, paused_at=paused_at)

    @activity.defn(name="redis.switch")
    async def switch(self, switch: RedisSwitch) -> Moved:
        """Let a Sentinel promote, then turn the old master into a replica. Goes on where an earlier attempt was.

        Raises:
            ApplicationError: ``CandidateFailed``, no Sentinel would promote anybody, or nobody became master in time.

        """
        began, note = asyncio.get_running_loop().time(), ""
        survey = await survey_of(self._redis, switch.target, _LOOK)
        new = _new_master(survey, switch)
        if new is None:
            if _old(survey, switch) is not None:
                await self.quiesce(switch)  # again: the pause of a worker that died may be over
            note = await self._elect(switch, survey)
            new = await self._until_promoted(switch)
        seconds = asyncio.get_running_loop().time() - began
        ended = await self._demote(switch, new)
        words = note if ended is not None else f"{note} {switch.plan.primary} did not take the order to follow".strip()
        return Moved(
            leader=new.name, address=new.address, seconds=seconds, moved_at=datetime.now(UTC),
            demoted=ended is not None, clients_ended=ended or 0, note=words,
        )  # fmt: skip

    @activity.defn(name="redis.resume")
    async def resume(self, switch: RedisSwitch) -> Resumed:
        """Undo ``redis.quiesce``: let writers go on, unless another server is master already or becomes it."""
        survey = await survey_of(self._redis, switch.target, _LOOK)
        new = _new_master(survey, switch)
        if new is not None:
            return Resumed(gave_back=False, leader=new.name, message=f"{new.name} is master already")
        if survey.fails_over:
            raise retry_in(_SOON, "a failover is under way at the Sentinels; its end decides")
        try:
            await self._redis.unpause(switch.target, switch.plan.primary)
        except UnreachableError as error:
            words = f"{switch.plan.primary} does not answer ({error}); its pause ends by itself"
            return Resumed(gave_back=True, message=words)
        return Resumed(gave_back=True, message=f"writers go on at {switch.plan.primary}")

    @activity.defn(name="redis.elected")
    async def elected(self, request: ElectRequest) -> Moved:
        """Wait until another server is master by Sentinel's own doing; after ``insist_after`` ask one to act (forced).

        On a person's word one is asked as soon as it is seen that the Sentinels themselves cannot elect. Where they can,
        they are left alone meanwhile: two of them, each with a failover of its own, promote two servers.

        Raises:
            ApplicationError: ``CandidateFailed``, as ``redis.switch``; ``NoQuorum``, nobody may insist.

        """
        switch, began = request.switch, asyncio.get_running_loop().time()
        note, new = "Sentinel elected it;", await self._elected_by_themselves(request)
        if new is None:
            if not request.by_word:
                await self._must_be_agreed_on(switch)
            note = await self._elect_at_last(switch) or "a Sentinel was asked to act;"
            new = await self._until_promoted(switch)
        seconds = asyncio.get_running_loop().time() - began
        note += f" {switch.plan.primary} follows it when it comes back"
        return Moved(
            leader=new.name, address=new.address, seconds=seconds, moved_at=datetime.now(UTC), demoted=False, note=note
        )

    async def _elected_by_themselves(self, request: ElectRequest) -> ServerFact | None:
        """Return the new master; ``None`` once it is time to insist."""
        clock = asyncio.get_running_loop().time
        began = could = clock()
        while clock() - began < request.insist_after.total_seconds():
            survey = await survey_of(self._redis, request.switch.target, _LOOK)
            if (new := _new_master(survey, request.switch)) is not None:
                return new
            could = clock() if survey.can_decide else could
            if request.by_word and clock() - could > _UNDECIDED_SECONDS:
                return None
            await asyncio.sleep(_POLL_SECONDS)
        return None

    async def _must_be_agreed_on(self, switch: RedisSwitch) -> None:
        survey = await survey_of(self._redis, switch.target, _LOOK)
        if not any(fact.agrees_it_is_down for fact in survey.sentinels):
            words = f"no quorum of Sentinels agrees that {switch.plan.primary} is down, and nobody has given it up by name"
            raise refuse(Refusal.NO_QUORUM, words)

    async def _must_be_master(self, switch: RedisSwitch) -> None:
        fact = await self._redis.server(switch.target, switch.plan.primary)
        if not fact.is_master or fact.address != switch.old:
            raise refuse(Refusal.NO_PRIMARY, f"{switch.plan.primary} is no longer the master at {switch.old}")

    async def _common_offset(self, switch: RedisSwitch) -> int | None:
        """Return the offset that master and eligible replicas share, or ``None`` while they do not."""
        names = (switch.plan.primary, *switch.eligible)
        facts = await asyncio.gather(*(self._redis.server(switch.target, name) for name in names))
        offsets = {fact.offset for fact in facts}
        linked = all(fact.link_up and fact.follows == switch.old for fact in facts[1:])
        return facts[0].offset if linked and len(offsets) == 1 else None

    async def _elect_at_last(self, switch: RedisSwitch) -> str:
        """Ask again for a while: a Sentinel that has just lost the master promotes nobody until it has seen a replica."""
        deadline = asyncio.get_running_loop().time() + _ELECTED_WITHIN_SECONDS
        while True:
            survey = await survey_of(self._redis, switch.target, _LOOK)
            try:
                return await self._elect(switch, survey)
            except ApplicationError:
                if _new_master(survey, switch) is None and asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(_ASK_AGAIN_SECONDS)

    async def _elect(self, switch: RedisSwitch, survey: RedisSurvey) -> str:
        """Ask one Sentinel after the other to promote, until one does; return what there is to say about it.

        Never a second one while the first may have begun: both would promote, each a server of its own.
        """
        if survey.fails_over:
            return _UNDER_WAY
        said = []
        for fact in sorted(survey.sentinels, key=lambda fact: not fact.can_decide):
            if fact.master != switch.old:
                continue
            try:
                await self._redis.elect(switch.target, fact.name, switch.old)
            except RedisAnswerError as error:
                if error.code in {"INPROG", "MOVED"}:
                    return _UNDER_WAY
                said.append(str(error))
            except UnreachableError as error:
                if error.silence is Silence.NO_ANSWER:
                    return f"{fact.name} was asked to act and did not answer;"
                said.append(str(error))
            else:
                return ""
        await self._let_writers_go_on(switch)
        why = "; ".join(said) or f"no Sentinel that answers names {switch.plan.primary}"
        raise refuse(Refusal.CANDIDATE_FAILED, f"no Sentinel promotes anybody: {why}")

    async def _until_promoted(self, switch: RedisSwitch) -> ServerFact:
        try:
            async with asyncio.timeout(_PROMOTED_WITHIN_SECONDS):
                return await self._master_that_came(switch)
        except TimeoutError as error:
            words = f"nobody became master within {_PROMOTED_WITHIN_SECONDS:g} s"
            raise refuse(Refusal.CANDIDATE_FAILED, words) from error

    async def _master_that_came(self, switch: RedisSwitch) -> ServerFact:
        while True:
            survey = await survey_of(self._redis, switch.target, _LOOK)
            if (new := _new_master(survey, switch)) is not None:
                return new
            await asyncio.sleep(_POLL_SECONDS)

    async def _demote(self, switch: RedisSwitch, new: ServerFact) -> int | None:
        """Let the old master follow the new one; ``None`` when it does not answer (it asks the Sentinels when it starts)."""
        try:
            return await self._redis.demote(switch.target, switch.plan.primary, new.address)
        except (UnreachableError, RedisAnswerError):
            return None

    async def _let_writers_go_on(self, switch: RedisSwitch) -> None:
        try:
            await self._redis.unpause(switch.target, switch.plan.primary)
        except (UnreachableError, RedisAnswerError):
            return  # the pause ends by itself


def _new_master(survey: RedisSurvey, switch: RedisSwitch) -> ServerFact | None:
    """Return the server that has taken over from the old master, if one has: an eligible one, or whom a majority names."""
    masters = [fact for fact in survey.servers if fact.is_master and fact.address != switch.old]
    named = [fact for fact in masters if fact.address == survey.named]
    return next(iter(named or (fact for fact in masters if fact.name in switch.eligible)), None)


def _old(survey: RedisSurvey, switch: RedisSwitch) -> ServerFact | None:
    """Return the old master if it answers and takes writes."""
    return next((fact for fact in survey.servers if fact.is_master and fact.address == switch.old), None)
