"""What follows the change of route: proof by a write, the old primary's sessions, the applications, redundancy.

The service is restored once a write through it has reached the new leader. Everything after that is done as far as it can
be, side by side, and what does not succeed stays in ``left_to_do``: the run then ends STRANDED, never silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.postgres.claim import ClaimActivities
from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.post_promotion import (
    FinishRequest,
    FirstWriteRequest,
    Reconnected,
    ReconnectRequest,
    Redundancy,
    Verified,
)
from activities.postgres.models.transfer import Switch
from activities.postgres.post_promotion import AftermathActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from activities.run.models.todo import LeftToDo, Todo, todo
from activities.run.postures import CHANGE_SOON, INSIST
from estate.postgres import Application
from gate.record import Mode
from workflows.postgres import steps
from workflows.run.measuring import Measuring
from workflows.run.outcome import cause_of, was_cancelled
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import me, step

_WATCHED_AFTER_CANCEL = timedelta(seconds=10)


class Aftermath:
    """Of one switch, whose route has moved."""

    def __init__(self, state: RunState[PostgresDetails], switch: Switch, measuring: Measuring) -> None:
        """Write what happens into ``state``; ``measuring`` ends when applications are back."""
        self._state, self._switch, self._measuring = state, switch, measuring

    async def carry_out(self) -> None:
        """Do all of it, and raise STRANDED if something is left to do."""
        state, switch = self._state, self._switch
        state.forward_only = True
        state.left_to_do = state.left_to_do or all_that_follows(switch.plan)[1:]
        state.enter(Phase.VERIFYING)
        state.details.verified = verified = await self._verify()
        state.done(Todo.VERIFY)
        state.left_to_do += refused_write(verified)
        state.enter(Phase.RECONNECTING, "service is restored")
        routed = state.details.routed
        since = routed.routed_at if routed else verified.verified_at
        rejoining = asyncio.create_task(steps.await_redundancy(switch, since))
        await self._reconnect(since, must_restart=await self._evict())
        await self._measuring.end()
        state.enter(Phase.REJOINING, "service is restored")
        await self._await_redundancy(rejoining)
        await step(ClaimActivities.finish, FinishRequest(switch=switch))
        state.done(Todo.FINISH)
        if state.left_to_do:
            raise refuse(Refusal.STRANDED, "service is restored, but not all is done")

    async def _verify(self) -> Verified:
        try:
            patience = INSIST if self._switch.run == me() else CHANGE_SOON  # an earlier run's leader may have died since
            return await step(AftermathActivities.verify, self._switch, posture=patience)
        except FailureError as error:
            new = self._switch.plan.candidate
            words = f"no write reaches {new}: {cause_of(error)[1]}; if it is gone, start again with mode forced"
            raise refuse(Refusal.STRANDED, words) from error

    async def _await_redundancy(self, watch: asyncio.Task[Redundancy]) -> None:
        """Watch the old primary come back; after a cancel only a little longer, since the gates go on by themselves.

        Without this a member that never comes back would hold the cluster's lock for a day. Where it may well be dead it is
        given the time that the estate allows, and the run ends well without it.
        """
        plan, within = self._switch.plan, self._switch.target.cluster.forced.redundancy_within
        may_be_dead = plan.mode is Mode.FORCED or self._switch.run != me() or self._state.by_watch  # asked to end
        longest = within if may_be_dead else None
        self._state.can_be_ended = True
        await _until(lambda: watch.done() or _is_cancelled(), longest, f"{plan.primary} comes back")
        if _is_cancelled():
            last_look = min(_WATCHED_AFTER_CANCEL, longest or _WATCHED_AFTER_CANCEL)
            await _until(watch.done, last_look, "cancelled: a last look")
        gives_up = not watch.done()
        if gives_up:
            watch.cancel()
        try:
            self._state.details.redundancy = await watch
        except (asyncio.CancelledError, FailureError) as error:
            if not (gives_up or was_cancelled(error)):
                raise
            if not may_be_dead:
                return
            self._state.details.redundancy = _absent(plan, within)
        self._state.done(Todo.REDUNDANCY)

    async def _evict(self) -> bool:
        """See that no session is left on the old primary; return whether applications must be restarted for that."""
        state = self._state
        try:
            evicted = await step(AftermathActivities.await_disconnects, self._switch)
        except FailureError as error:
            old = self._switch.plan.primary
            state.done(Todo.EVICT)
            state.left_to_do += (todo(Todo.EVICT, f"sessions on {old}: {cause_of(error)[1]}", old),)
            return True
        proof = state.details.proof
        fenced = state.details.fenced or (proof.fenced if proof else None)
        ended = fenced.sessions_ended if fenced else evicted.ended
        state.details.evicted = evicted.model_copy(update={"ended": ended})
        state.done(Todo.EVICT)
        stopped_cleanly = fenced is not None and fenced.clean  # then no session is left, whoever can be asked
        return evicted.remaining is None and not stopped_cleanly

    async def _reconnect(self, since: datetime, *, must_restart: bool) -> None:
        """Bring the applications over side by side; one that fails does not hold up the others."""
        applications = self._switch.plan.applications
        answers = await asyncio.gather(
            *(self._bring_over(application, since, must_restart=must_restart) for application in applications),
            return_exceptions=True,
        )
        done, failed = [], []
        for application, answer in zip(applications, answers, strict=True):
            if isinstance(answer, FailureError):
                failed.append(_not_back(application, answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                done.append(answer)
        self._state.details.reconnected = tuple(done)
        self._state.done(Todo.RECONNECT)
        self._state.left_to_do += tuple(failed)

    async def _bring_over(self, application: Application, since: datetime, *, must_restart: bool) -> Reconnected:
        """Restart one application where that is due, and learn when it wrote again."""
        writing = asyncio.create_task(
            step(
                AftermathActivities.first_write,
                FirstWriteRequest(switch=self._switch, deployment=application.deployment, since=since),
            )
        )
        try:
            request = ReconnectRequest(switch=self._switch, application=application, since=since, must_restart=must_restart)
            answer = await step(AftermathActivities.reconnect, request)
            wrote = await writing
        finally:
            writing.cancel()
        note = answer.note or (
            "" if wrote.seconds is not None else "no write of it was seen: no client may have asked it to write"
        )
        return answer.model_copy(update={"writes_again_seconds": wrote.seconds, "note": note})


def all_that_follows(plan: Plan) -> tuple[LeftToDo, ...]:
    """Return what is left to do once the candidate leads."""
    old, new = plan.primary, plan.candidate
    return (
        todo(Todo.ROUTE, f"route: writes to {new}", new),
        todo(Todo.VERIFY, f"verify: a write reaches {new}", new),
        todo(Todo.EVICT, f"evict: no session is left on {old}", old),
        todo(Todo.RECONNECT, "reconnect: applications"),
        todo(Todo.REDUNDANCY, f"redundancy: {old} follows {new}", old),
        todo(Todo.FINISH, "finish: take the mark of an unfinished switch off the record"),
    )


def refused_write(verified: Verified) -> tuple[LeftToDo, ...]:
    """Return what is left to do when the leader answered the verifying write with a refusal: applications may well write."""
    if not verified.refused:
        return ()
    what = f"verify: {verified.leader} answers behind the write Service and refuses failover's own write"
    return (todo(Todo.VERIFY, f"{what}: {verified.refused}; see that applications can write", verified.leader),)


def _not_back(application: Application, error: BaseException) -> LeftToDo:
    name = application.deployment
    return todo(Todo.RECONNECT, f"{name}: {cause_of(error)[1]}", name)


def _is_cancelled() -> bool:
    return workflow.cancellation_reason() is not None


def _absent(plan: Plan, within: timedelta) -> Redundancy:
    note = f"NOT REDUNDANT: {plan.primary} is not back; its gate lets it follow {plan.candidate} whenever it is"
    return Redundancy(member=plan.primary, sync_state="absent", seconds=within.total_seconds(), note=note)


async def _until(holds: Callable[[], bool], longest: timedelta | None, summary: str) -> None:
    """Wait until ``holds``, or no longer."""
    with suppress(TimeoutError):
        await workflow.wait_condition(holds, timeout=longest, timeout_summary=summary)
