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

from temporalio.exceptions import ApplicationError

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError
from activities.redis.models import Moved, Quiesced, RedisSurvey, RedisSwitch, Resumed, ServerFact
from activities.redis.sentinels import Asking, new_master, old_master
from activities.redis.survey import survey_of
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.polling import until
from activities.run.postures import CHANGE_SOON, COMPENSATE

_LOOK = timedelta(seconds=0.5)
_POLL_SECONDS = 0.02
_SOON = timedelta(seconds=0.3)


class RedisSwitchActivities:
    """Everything that changes who is master while the old one lives."""

    def __init__(self, redis: RedisServers) -> None:
        """Command ``redis``."""
        self._redis, self._sentinels = redis, Asking(redis)

    @step("redis.quiesce", CHANGE_SOON, lambda switch: f"hold writes back at {switch.plan.primary}")
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
            within = limits.caught_up_within.total_seconds()
            offset = await until(lambda: self._common_offset(switch), every=_POLL_SECONDS, within=within)
        except (TimeoutError, UnreachableError) as error:
            await self._let_writers_go_on(switch)
            words = str(error) or f"the replicas did not receive the rest within {limits.caught_up_within}"
            raise refuse(Refusal.CANDIDATE_BEHIND, f"{words}; writers go on at {old}") from error
        return Quiesced(offset=offset, seconds=asyncio.get_running_loop().time() - began, paused_at=paused_at)

    @step("redis.switch", CHANGE_SOON, lambda switch: f"promote {switch.plan.candidate}")
    async def switch(self, switch: RedisSwitch) -> Moved:
        """Let a Sentinel promote, then turn the old master into a replica. Goes on where an earlier attempt was.

        Raises:
            ApplicationError: ``CandidateFailed``, no Sentinel would promote anybody, or nobody became master in time.

        """
        began, note = asyncio.get_running_loop().time(), ""
        survey = await survey_of(self._redis, switch.target, _LOOK)
        new = new_master(survey, switch)
        if new is None:
            if old_master(survey, switch) is not None:
                await self.quiesce(switch)  # again: the pause of a worker that died may be over
            note, new = await self._promote(switch, survey)
        seconds = asyncio.get_running_loop().time() - began
        ended = await self._demote(switch, new)
        words = note if ended is not None else f"{note} {switch.plan.primary} did not take the order to follow".strip()
        return Moved(
            leader=new.name, address=new.address, seconds=seconds, moved_at=datetime.now(UTC),
            demoted=ended is not None, clients_ended=ended or 0, note=words,
        )  # fmt: skip

    @step("redis.resume", COMPENSATE, lambda switch: f"undo: writes go on at {switch.plan.primary}")
    async def resume(self, switch: RedisSwitch) -> Resumed:
        """Undo ``redis.quiesce``: let writers go on, unless another server is master already or becomes it."""
        survey = await survey_of(self._redis, switch.target, _LOOK)
        new = new_master(survey, switch)
        if new is not None:
            return Resumed(gave_back=False, leader=new.name, message=f"{new.name} is master already")
        if survey.fails_over:
            raise retry_in(_SOON, "a failover is under way at the Sentinels; its end decides")
        try:
            await self._redis.unpause(switch.target, switch.plan.primary)
        except UnreachableError as error:
            words = f"{switch.plan.primary} does not answer ({error}); Redis ends the pause automatically"
            return Resumed(gave_back=True, message=words)
        return Resumed(gave_back=True, message=f"writers go on at {switch.plan.primary}")

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

    async def _promote(self, switch: RedisSwitch, survey: RedisSurvey) -> tuple[str, ServerFact]:
        try:
            note = await self._sentinels.ask(switch, survey)
        except ApplicationError:
            await self._let_writers_go_on(switch)
            raise
        return note, await self._sentinels.until_promoted(switch)

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
