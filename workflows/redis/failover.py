r"""Replace a Redis master: one that lives (planned, loses nothing) or one that is gone (forced).

    planned: settle -> survey -> approve -> survey -> quiesce  !  switch -> verify -> agree
                                                             \undone/    \____ forward only ____
    forced:  settle -> survey -> approve -> survey -> (a person's word) -> elected  !  verify -> agree

Planned: writers are held back until the replicas have everything; then a Sentinel promotes, the old master follows at once
and its clients are sent away. Until a Sentinel has been asked everything is undone by letting writers go on; after that
``redis.resume`` looks who is master, and only then says which direction is left.

Forced: Sentinel elects by itself where a quorum can. The run watches, insists after a while, and proves the result. Where
no quorum is left a person must say so by name. Before a Sentinel promotes, a forced run changes nothing but a server that
wrongly leads beside a living master.

A run that was terminated leaves nothing that does not end by itself: Redis ends the pause, Sentinel ends the failover.
A server that still takes itself for the master afterwards is found by the next run, and follows before anything else.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.redis.election import RedisElectActivities
from activities.redis.measure import RedisMeasureActivities
from activities.redis.models import (
    AgreeRequest,
    ElectRequest,
    Moved,
    RedisDetails,
    RedisLook,
    RedisMeasureRequest,
    RedisPlan,
    RedisSwitch,
    RedisVerified,
)
from activities.redis.post_promotion import RedisAftermathActivities
from activities.redis.survey import RedisLookActivities
from activities.redis.transfer import RedisSwitchActivities
from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from activities.run.models.measure import Measurement
from activities.run.models.plan import near
from activities.run.models.todo import LeftToDo, Todo, todo
from activities.run.postures import FORWARD
from estate.base import ApprovalPolicy
from estate.redis import RedisTarget
from gate.record import Mode
from workflows.redis.models import RedisFailoverRequest
from workflows.redis.planning import (
    address_of,
    eligible_of,
    make_redis_plan,
    must_be_meant,
    must_not_have_moved,
    must_not_live,
)
from workflows.run.attestation import attested
from workflows.run.measuring import Measuring
from workflows.run.models import Run
from workflows.run.outcome import Summary, is_answer
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.saga import compensated
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable

_BASELINE = timedelta(milliseconds=250)
"""The measuring writer needs acknowledgements before the outage to measure it; nothing is held back meanwhile."""
_WORD_WITHIN = timedelta(minutes=15)
_ALL_WITHIN = timedelta(seconds=40)
_LEFT_ALONE = timedelta(seconds=12)
"""Sentinels that can elect do so 3 s (``down-after-milliseconds``) and one election later, or at their second attempt: that
begins 4 to 5 s after the first (twice ``failover-timeout``, and up to one more) and takes up to 2 s."""


@workflow.defn(name="redis-failover")
class RedisFailover(Procedure[RedisFailoverRequest, RedisTarget, RedisPlan, RedisDetails]):
    """One failover of one deployment; its workflow ID is the deployment's lock."""

    asks, details = RedisFailoverRequest, RedisDetails

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)
        self._old = ""
        self._measuring = Measuring(self.state, self._around)

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Replace the master, or let everything be and say why."""
        return await self.conclude()

    async def resolve(self) -> RedisTarget:
        """Look the deployment up in the estate."""
        return await step(EstateActivities.resolve_redis, ResolveRequest(cluster=self.request.master, by=self.asker))

    async def recover(self) -> bool:
        """Wait for a failover that is under way, and let servers that wrongly take themselves for the master follow it."""
        self.state.details.strays = await step(RedisAftermathActivities.settle, RedisLook(target=self.target))
        return False

    def nearly(self, plan: RedisPlan) -> tuple[str, ...]:
        """Return whose lag would soon be refused."""
        return near(plan.candidates, int(self.target.deployment.thresholds.planned_lag))

    async def make_plan(self) -> RedisPlan:
        """Ask every server and every Sentinel, and choose whom they may promote."""
        state, request = self.state, self.request
        state.enter(Phase.SURVEYING)
        survey = state.details.survey = await step(RedisLookActivities.survey, RedisLook(target=self.target))
        must_not_have_moved(self.target, survey, request.member)
        plan = make_redis_plan(self.target, survey, request.mode)
        state.plan = plan
        self._old = address_of(plan, survey)
        must_be_meant(plan, survey, request.member)
        if plan.mode is Mode.FORCED and request.run is not Run.PLAN:
            must_not_live(plan, survey, given_up=request.member if state.vouched_by else None)
        state.show()
        return plan

    @staticmethod
    def policy(target: RedisTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.deployment.approvals.of(mode)

    async def execute(self, plan: RedisPlan) -> str:
        """Have another server lead, and see that all agree."""
        survey = self.state.details.survey
        switch = RedisSwitch(
            target=self.target, plan=plan, old=self._old, eligible=eligible_of(plan), run=me(),
            config_epoch=survey.config_epoch if survey else 0,
        )  # fmt: skip
        async with self._measuring:
            moved = await (self._force(switch) if plan.mode is Mode.FORCED else self._hand_over(switch))
            leader = await uncancellable(self._follow_up(switch, moved))
        return f"{leader} is the master of {self.target.name}"

    async def _hand_over(self, switch: RedisSwitch) -> Moved:
        """Hold writers back and let a Sentinel promote; undo, or find out that another server leads already."""
        state = self.state
        self._measuring.begin(RedisMeasureActivities.measure, RedisMeasureRequest(target=switch.target, run=me()))
        try:
            state.enter(Phase.CLAIMING, "a baseline of the measurement")
            await workflow.sleep(_BASELINE, summary="let the measuring writer see a baseline")
            state.would_undo = (f"let writes go on at {switch.plan.primary}",)
            state.enter(Phase.FENCING)
            state.details.quiesced = await step(RedisSwitchActivities.quiesce, switch)
            state.enter(Phase.PROMOTING)
            return await uncancellable(step(RedisSwitchActivities.switch, switch))
        except (asyncio.CancelledError, FailureError) as error:
            return await uncancellable(self._go_back(switch, error))

    async def _go_back(self, switch: RedisSwitch, error: BaseException) -> Moved:
        """Let writers go on and raise ``error``; or go on forward, when another server is master already."""
        state, name = self.state, self.target.name
        state.phase = Phase.UNDOING
        left = todo(Todo.AGREE, f"see who is master of {name} (failover plan redis-failover)", name)
        resumed = await compensated(state, error, step(RedisSwitchActivities.resume, switch), left)
        if not resumed.gave_back:
            return await step(RedisSwitchActivities.switch, switch, posture=FORWARD)
        state.would_undo = ()
        if state.details.quiesced is not None or not is_answer(error):
            state.undone = (resumed.message,)
        raise error

    async def _force(self, switch: RedisSwitch) -> Moved:
        state, plan = self.state, switch.plan
        state.leaves = "Sentinel may still elect a new master"
        if plan.attestation and not state.attested_by:
            await self._wait_for_attestation(plan)
        state.enter(Phase.PROMOTING, f"the Sentinels choose {plan.candidate}")
        by_word, limits = bool(state.attested_by), switch.target.deployment.thresholds
        within = min(limits.elected_within, _LEFT_ALONE) if by_word else limits.elected_within
        request = ElectRequest(switch=switch, insist_after=within, by_word=by_word, given_up=self._given_up(plan))
        return await step(RedisElectActivities.force_election, request)

    def _given_up(self, plan: RedisPlan) -> str:
        """Return the server that a person has given up by name: in the request, or by a word on the plan."""
        if self.request.attest:
            return self.request.member or ""
        return plan.primary if self.state.attested_by else ""

    async def _wait_for_attestation(self, plan: RedisPlan) -> None:
        self.state.enter(Phase.PROVING, plan.attestation)
        if not await attested(self.state, _WORD_WITHIN):
            words = f"nobody has said within {_WORD_WITHIN} that {plan.primary} is to be replaced: {plan.attestation}"
            raise refuse(Refusal.NO_PROOF, words)

    async def _follow_up(self, switch: RedisSwitch, moved: Moved) -> str:
        """Prove the new master by a write, then wait for all others; return who leads."""
        state, mode = self.state, switch.plan.mode
        state.forward_only, state.would_undo, state.leaves = True, (), ""
        state.details.moved = moved
        switch = self._leads(switch, moved.leader)
        switch = switch.model_copy(update={"by_word": mode is Mode.FORCED and bool(state.attested_by)})
        state.left_to_do = (_left_to_verify(moved.leader), _left_to_agree(moved.leader))
        state.enter(Phase.VERIFYING)
        verified = state.details.verified = await step(RedisAftermathActivities.verify, switch)
        if verified.leader != moved.leader:
            switch = self._leads_now(switch, moved, verified)
            if verified.address == switch.old:
                await self._end_as_undone(moved, verified.leader)
        state.left_to_do = (_left_to_agree(verified.leader),)
        await self._measuring.end()
        state.enter(Phase.REJOINING, "service is restored")
        request = AgreeRequest(switch=switch, within=_ALL_WITHIN, only_living=mode is Mode.FORCED)
        agreed = state.details.agreed = await step(RedisAftermathActivities.agree, request)
        what = f"is to follow, or to name, {verified.leader}"
        state.left_to_do = tuple(todo(Todo.AGREE, f"{name}: {what}", name) for name in agreed.missing)
        if agreed.missing:
            raise refuse(Refusal.STRANDED, "service is restored, but not everybody agrees")
        return verified.leader

    def _leads(self, switch: RedisSwitch, leader: str) -> RedisSwitch:
        """Take note of who leads."""
        plan = switch.plan.model_copy(update={"candidate": leader})
        self.state.plan = plan = plan.model_copy(update={"headline": plan.heading()})
        return switch.model_copy(update={"plan": plan})

    def _leads_now(self, switch: RedisSwitch, moved: Moved, verified: RedisVerified) -> RedisSwitch:
        """Take note that the Sentinels have elected another one since: theirs is the last word."""
        leader = verified.leader
        note = f"{moved.leader} led for a moment, then the Sentinels elected {leader}; {moved.note}".rstrip("; ")
        update = {"leader": leader, "address": verified.address, "note": note}
        self.state.details.moved = moved.model_copy(update=update)
        return self._leads(switch, leader)

    async def _end_as_undone(self, moved: Moved, old: str) -> None:
        """Raise, since the Sentinels have elected the old master again."""
        await self._measuring.end()
        self.state.forward_only, self.state.left_to_do = False, ()
        self.state.undone = (f"{old} is the master and takes writes",)
        words = f"{moved.leader} led for a moment, then the Sentinels elected {old} again"
        raise refuse(Refusal.CANDIDATE_FAILED, words)

    def _around(self, measured: Measurement) -> Measurement:
        quiesced, moved = self.state.details.quiesced, self.state.details.moved
        return measured.around(quiesced.paused_at, moved.moved_at) if quiesced and moved else measured


def _left_to_agree(leader: str) -> LeftToDo:
    return todo(Todo.AGREE, f"agree: all agree on {leader}", leader)


def _left_to_verify(leader: str) -> LeftToDo:
    return todo(Todo.VERIFY, f"verify: a write reaches {leader}", leader)
