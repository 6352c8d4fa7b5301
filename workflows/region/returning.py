"""A lost region is waited for and fenced, until nothing is left to fence: what ``region-fence`` and the recovery share.

A wait is one step of an hour: its looks are not in the run's history. Something that answers and cannot be fenced is tried
again after pauses that double, so that a month of it fits into one history.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

from activities.region.failover_models import RegionDetails, RegionOrder
from activities.region.returning import ReturningActivities
from activities.region.returning_models import (
    Goal,
    Lead,
    Old,
    RegionFenceDetails,
    Returned,
    ReturnLook,
    ServerOrder,
    Verdict,
)
from activities.run.errors import Refusal, refuse
from estate.regions import RegionTarget
from gate.record import Mode
from workflows.region.fence_models import fence_lock_id
from workflows.region.models import RegionFailoverRequest
from workflows.region.server_changes import change_server
from workflows.run import outcome
from workflows.run.child_runs import Child, begin
from workflows.run.models import Run
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable

LONGEST = timedelta(days=30)
_ONE_WAIT = timedelta(hours=1)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=1)
_STOPPED_WITHIN = timedelta(minutes=30)


class Returning:
    """Of one run. ``leave_to``: workflow ID of another run that fences the region, and is left to it while it is open."""

    def __init__(self, state: RunState[Any], target: RegionTarget, leave_to: str = "") -> None:
        """Write to ``state`` what is seen and done; its details are ``RegionFenceDetails``."""
        self._state, self._target, self._leave_to = state, target, leave_to
        self._details: RegionFenceDetails = state.details

    async def fenced(self) -> Returned:
        """Return once nothing is left to fence.

        Raises:
            ApplicationError: ``Superseded``, the region leads again; ``Unreachable``, it is not fenced after 30 days.

        """
        until, pause = workflow.now() + LONGEST, _FIRST_PAUSE
        while True:
            seen = await self._waited()
            if seen.verdict is Verdict.FENCED:
                return seen
            if seen.verdict is Verdict.LEADS_AGAIN:
                raise refuse(Refusal.SUPERSEDED, f"{self._target.name} leads again: nothing is fenced there any more")
            if workflow.now() >= until:
                raise refuse(Refusal.UNREACHABLE, f"{self._target.name} is not fenced after 30 days: {seen.words}")
            if seen.verdict is Verdict.ACT and not seen.elsewhere:
                failed = await self._acted(seen)
                if failed:
                    pause = await self._paused(failed, pause)
                    continue
            pause = _FIRST_PAUSE

    async def _waited(self) -> Returned:
        state, target = self._state, self._target
        state.enter(Phase.RETURNING, self._words())
        look = ReturnLook(target=target, until=workflow.now() + _ONE_WAIT, leave_to=self._leave_to)
        seen = self._details.returned = await step(ReturningActivities.await_return, look)
        return seen

    def _words(self) -> str:
        seen = self._details.returned
        return seen.words if seen and seen.words else f"for something of {self._target.name} that is to be fenced"

    async def _acted(self, seen: Returned) -> str:
        """Fence what answers; return what could not be fenced."""
        details = self._details
        details.answered_at, details.tries = details.answered_at or seen.at, details.tries + 1
        self._state.leaves = f"what is fenced in {self._target.name} stays fenced"
        failed = [await self._scaled(seen)] if seen.survivor_leads and seen.to_scale else []
        writing = [one for one in seen.databases if one.old is Old.WRITES and one.lead is Lead.SURVIVOR]
        failed += [await self._stopped(one.name, one.server, one.leader) for one in writing]
        return "; ".join(filter(None, failed))

    async def _scaled(self, seen: Returned) -> str:
        state, order = self._state, RegionOrder(target=self._target, run=me())
        state.enter(Phase.FENCING, ", ".join(seen.to_scale))
        try:
            fenced = self._details.fenced = await step(ReturningActivities.fence, order)
        except FailureError as error:
            return self._why(error)
        answered = [one for one in fenced.applications if one.name in seen.to_scale]
        return "; ".join(f"{one.name}: {one.error}" for one in answered if one.error)

    async def _stopped(self, name: str, server: str, leader: str) -> str:
        self._state.enter(Phase.FENCING, f"{server} takes writes: Azure is asked to stop it")
        target = next(one for one in self._target.databases if one.name == name)
        order = ServerOrder(target=target, server=server, leader=leader, goal=Goal.STOPPED, run=me())
        try:
            changed = await change_server(order, _STOPPED_WITHIN)
        except FailureError as error:
            return self._why(error)
        self._details.changed = (*self._details.changed, changed)
        return "" if changed.done else f"{server}: {changed.words}"

    @staticmethod
    def _why(error: FailureError) -> str:
        if outcome.was_cancelled(error):
            raise error
        return outcome.cause_of(error)[1]

    async def _paused(self, failed: str, pause: timedelta) -> timedelta:
        """Wait a while before the next try; return how long to wait after that one."""
        self._state.remark = f"NOT FENCED: {failed}"
        self._state.show()
        workflow.logger.warning("Not fenced: %s", failed)
        await workflow.sleep(pause, summary="before the next try")
        return min(pause * 2, _LONGEST_PAUSE)


async def fenced_on_return(state: RunState[RegionDetails], asked: RegionFailoverRequest, moving: Any) -> None:  # noqa: ANN401
    """Await ``moving``; past the first promotion have what was not fenced of the region fenced by a run of its own."""
    try:
        await moving
    except FailureError:
        if state.forward_only:
            await uncancellable(_begin_fence(state, asked))
        raise
    await uncancellable(_begin_fence(state, asked))


async def _begin_fence(state: RunState[RegionDetails], asked: RegionFailoverRequest) -> None:
    """Begin a run that fences the region when it returns, if it may return unfenced; one that waits already is enough."""
    details, region = state.details, asked.region
    unfenced = any(one.error for one in details.fenced.applications) if details.fenced else False
    if not (unfenced or asked.mode is Mode.FORCED) or not workflow.patched("fence-on-return"):
        return
    lock = fence_lock_id(region)
    request = {
        "region": region, "mode": asked.mode.value, "run": Run.REAL.value, "by": asked.by,
        "reason": f"region-failover {region}: {asked.reason or 'no reason given'}"[:1000],
    }  # fmt: skip
    told = f"{lock} waits for {region} and fences it when it answers (failover status {lock})"
    try:
        await begin(Child("region-fence", request, lock), state.votes)
    except WorkflowAlreadyStartedError:
        workflow.logger.info("%s waits already", lock)
    except FailureError as error:
        told = f"{region} IS NOT FENCED WHEN IT RETURNS: {outcome.cause_of(error)[1]}; failover start region-fence {region}"
    details.notes = (*details.notes, told)
