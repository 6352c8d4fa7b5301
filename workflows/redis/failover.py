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

from activities.redis.models import Moved, RedisSwitch, RedisVerified
from activities.run.errors import Refusal, refuse
from activities.run.models.measure import Measurement
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from activities.run.models.todo import LeftToDo, Todo, todo
from estate.redis import RedisTarget
from gate.record import Mode
from workflows.postgres.recovery import approved
from workflows.postgres.steps import me
from workflows.redis import steps
from workflows.redis.planning import (
    address_of,
    eligible_of,
    make_redis_plan,
    must_be_meant,
    must_not_have_moved,
    must_not_live,
)
from workflows.run import outcome
from workflows.run.inputs import parse
from workflows.run.measuring import measurement_of
from workflows.run.models import RedisFailoverRequest, Run
from workflows.run.phases import Phase
from workflows.run.preconditions import admitted
from workflows.run.state import Journal
from workflows.run.uncancellable import uncancellable
from workflows.run.voting import Decidable

_BASELINE = timedelta(milliseconds=250)
"""The measuring writer needs acknowledgements before the outage to measure it; nothing is held back meanwhile."""
_WORD_WITHIN = timedelta(minutes=15)
_ALL_WITHIN = timedelta(seconds=40)
_LEFT_ALONE = timedelta(seconds=12)
"""Sentinels that can elect do so 3 s (``down-after-milliseconds``) and one election later, or at their second attempt: that
begins 4 to 5 s after the first (twice ``failover-timeout``, and up to one more) and takes up to 2 s."""


@workflow.defn(name="redis-failover")
class RedisFailover(Decidable):
    """One failover of one deployment; its workflow ID is the deployment's lock."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self._request, self._bad_input = parse(RedisFailoverRequest, args)
        self._journal = Journal(self._request)
        self._writer: workflow.ActivityHandle[Measurement] | None = None
        self._old = ""

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Replace the master, or let everything be and say why."""
        return await outcome.conclude(self._journal, self._story())

    async def _story(self) -> None:
        request, journal = admitted(self._journal, self._request, self._bad_input), self._journal
        target = await steps.resolve(request.master)
        journal.target = target
        if request.attest:
            journal.attest(request.by, target)
        if request.run is Run.PLAN:
            await self._plan(request, target)
            journal.close(Outcome.PLANNED_ONLY, "nothing was changed")
            return
        journal.facts["strays"] = await steps.settle(target)
        policies = target.deployment.approvals
        policy = policies.forced if request.mode is Mode.FORCED else policies.planned
        plan = await approved(journal, policy, target, lambda: self._plan(request, target))
        switch = RedisSwitch(
            target=target, plan=plan, old=self._old, eligible=eligible_of(plan), run=me(),
            config_epoch=journal.facts["redis"].config_epoch,
        )  # fmt: skip
        try:
            moved = await (self._force(switch) if plan.mode is Mode.FORCED else self._hand_over(switch))
            await uncancellable(self._follow_up(switch, moved))
        except (asyncio.CancelledError, FailureError):
            await uncancellable(self._stop_writer())
            raise
        journal.close(Outcome.COMPLETED, f"{journal.facts['moved'].leader} is the master of {target.name}")

    async def _plan(self, request: RedisFailoverRequest, target: RedisTarget) -> Plan:
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        survey = await steps.survey(target)
        journal.facts["redis"] = survey
        must_not_have_moved(target, survey, request.member)
        plan = make_redis_plan(target, survey, request.mode)
        journal.plan = plan
        self._old = address_of(plan, survey)
        must_be_meant(plan, survey, request.member)
        if plan.mode is Mode.FORCED and request.run is not Run.PLAN:
            must_not_live(plan, survey, given_up=request.member if journal.attested_by else None)
        journal.show()
        return plan

    async def _hand_over(self, switch: RedisSwitch) -> Moved:
        """Hold writers back and let a Sentinel promote; undo, or find out that another server leads already."""
        journal = self._journal
        self._writer = steps.measure(switch.target)
        try:
            journal.enter(Phase.CLAIMING, "a baseline of the measurement")
            await workflow.sleep(_BASELINE, summary="let the measuring writer see a baseline")
            journal.would_undo = (f"let writes go on at {switch.plan.primary}",)
            journal.enter(Phase.FENCING)
            journal.facts["quiesced"] = await steps.quiesce(switch)
            journal.enter(Phase.PROMOTING)
            return await uncancellable(steps.move(switch))
        except (asyncio.CancelledError, FailureError) as error:
            return await uncancellable(self._go_back(switch, error))

    async def _go_back(self, switch: RedisSwitch, error: BaseException) -> Moved:
        """Let writers go on and raise ``error``; or go on forward, when another server is master already."""
        journal = self._journal
        journal.phase = Phase.UNDOING
        try:
            resumed = await steps.resume(switch)
        except FailureError as failure:
            message = f"see who is master of {switch.target.name} (failover plan redis-failover)"
            journal.left_to_do = (todo(Todo.AGREE, message, switch.target.name),)
            words = f"{outcome.cause_of(error)[1]}; the undo failed: {outcome.cause_of(failure)[1]}"
            raise refuse(Refusal.ROLLBACK_INCOMPLETE, words) from error
        if not resumed.gave_back:
            return await steps.move(switch, insist=True)
        journal.would_undo = ()
        if "quiesced" in journal.facts or not outcome.is_answer(error):
            journal.facts["undone"] = (resumed.message,)
        raise error

    async def _force(self, switch: RedisSwitch) -> Moved:
        journal, plan = self._journal, switch.plan
        journal.leaves = "Sentinel may still elect a new master by itself"
        if plan.attestation and not journal.attested_by:
            await self._wait_for_a_word(plan)
        journal.enter(Phase.PROMOTING, f"the Sentinels choose {plan.candidate}")
        by_word, limits = bool(journal.attested_by), switch.target.deployment.thresholds
        within = min(limits.elected_within, _LEFT_ALONE) if by_word else limits.elected_within
        return await steps.elected(switch, within, by_word=by_word, given_up=self._given_up(plan))

    def _given_up(self, plan: Plan) -> str:
        """Return the server that a person has given up by name: in the request, or by a word on the plan."""
        request = self._request
        if request is not None and request.attest:
            return request.member or ""
        return plan.primary if self._journal.attested_by else ""

    async def _wait_for_a_word(self, plan: Plan) -> None:
        journal = self._journal
        journal.enter(Phase.PROVING, plan.attestation)
        try:
            await workflow.wait_condition(
                lambda: bool(journal.attested_by), timeout=_WORD_WITHIN, timeout_summary="wait for a person's word"
            )
        except TimeoutError:
            words = f"nobody has said within {_WORD_WITHIN} that {plan.primary} is to be given up: {plan.attestation}"
            raise refuse(Refusal.NO_PROOF, words) from None

    async def _follow_up(self, switch: RedisSwitch, moved: Moved) -> None:
        """Prove the new master by a write, then wait for all others; what is missing in the end is left to do."""
        journal = self._journal
        journal.forward_only, journal.would_undo, journal.leaves = True, (), ""
        journal.facts["moved"] = moved
        plan = switch.plan.model_copy(update={"candidate": moved.leader})
        by_word = plan.mode is Mode.FORCED and bool(journal.attested_by)
        journal.plan, switch = plan, switch.model_copy(update={"plan": plan, "by_word": by_word})
        journal.left_to_do = (_left_to_verify(moved.leader), _left_to_agree(moved.leader))
        journal.enter(Phase.VERIFYING)
        verified = journal.facts["redis_verified"] = await steps.verify(switch)
        if verified.leader != moved.leader:
            switch = self._leads_now(switch, moved, verified)
            if verified.address == switch.old:
                await self._end_as_undone(moved, verified.leader)
        journal.left_to_do = (_left_to_agree(verified.leader),)
        await self._stop_writer()
        journal.enter(Phase.REJOINING, "service is restored")
        forced = plan.mode is Mode.FORCED
        agreed = await steps.agree(switch, _ALL_WITHIN, only_living=forced)
        journal.facts["agreed"], journal.left_to_do = agreed, ()
        if agreed.missing:
            journal.left_to_do = tuple(
                todo(Todo.AGREE, f"{name}: is to follow, or to name, {verified.leader}", name) for name in agreed.missing
            )
            raise refuse(Refusal.STRANDED, "service is restored, but not everybody agrees")

    def _leads_now(self, switch: RedisSwitch, moved: Moved, verified: RedisVerified) -> RedisSwitch:
        """Take note that the Sentinels have elected another one since: theirs is the last word."""
        journal, leader = self._journal, verified.leader
        note = f"{moved.leader} led for a moment, then the Sentinels elected {leader}; {moved.note}".rstrip("; ")
        moved = moved.model_copy(update={"leader": leader, "address": verified.address, "note": note})
        plan = switch.plan.model_copy(update={"candidate": leader})
        journal.facts["moved"], journal.plan = moved, plan
        return switch.model_copy(update={"plan": plan})

    async def _end_as_undone(self, moved: Moved, old: str) -> None:
        """Raise, since the Sentinels have elected the old master again."""
        journal = self._journal
        await self._stop_writer()
        journal.forward_only, journal.left_to_do = False, ()
        journal.facts["undone"] = (f"{old} is the master and takes writes",)
        words = f"{moved.leader} led for a moment, then the Sentinels elected {old} again"
        raise refuse(Refusal.CANDIDATE_FAILED, words)

    async def _stop_writer(self) -> None:
        """End the measurement and keep what it saw; a run does not fail for it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        measured = await measurement_of(writer)
        quiesced, moved = self._journal.facts.get("quiesced"), self._journal.facts.get("moved")
        around = measured.around(quiesced.paused_at, moved.moved_at) if quiesced and moved else measured
        self._journal.facts["measurement"] = around


def _left_to_agree(leader: str) -> LeftToDo:
    return todo(Todo.AGREE, f"agree: all agree on {leader}", leader)


def _left_to_verify(leader: str) -> LeftToDo:
    return todo(Todo.VERIFY, f"verify: a write reaches {leader}", leader)
