r"""Make the pair redundant again after a region was left: the old region is fenced, its servers follow, a standby is there.

    look -> approve -> look -> high availability -> wait and fence -> old servers follow -> caught up -> report

It names the failover that it repairs. High availability comes first: the server that leads needs it, whether the old region
returns or not, and it is given only where that failover says that the old primary had it. Then the old region is waited for,
and fenced as by ``region-fence``; while such a run is open, fencing is left to it. Azure makes an old primary a replica when
its region returns; one that is stopped as a replica is started. One that stands alone, or that Azure calls broken, is for a
person: the run ends with the commands, and deletes nothing.

There is no way back and none is needed: every step may be repeated, and a cancel leaves what is done.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.region.following import FollowingActivities
from activities.region.recovery_models import (
    AwaitFollower,
    FindFailover,
    Follower,
    RegionRecoveryDetails,
    RegionRecoveryPlan,
)
from activities.region.recovery_steps import RecoveryLookActivities
from activities.region.returning import ReturningActivities
from activities.region.returning_models import DatabaseStanding, Goal, Returned, ReturnLook, ServerOrder
from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import Todo, todo
from estate.base import ApprovalPolicy
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget
from workflows.region.fence import must_be_left
from workflows.region.fence_models import RegionRecoveryRequest, fence_lock_id
from workflows.region.recovery_planning import make_recovery_plan, must_be_led_elsewhere, rebuilding
from workflows.region.returning import LONGEST, Returning
from workflows.region.server_changes import change_server
from workflows.run import outcome
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.steps import me, step

_ONE_WAIT = timedelta(hours=1)
_STARTED_WITHIN, _STANDBY_WITHIN = timedelta(hours=1), timedelta(hours=4)


@workflow.defn(name="region-recovery")
class RegionRecovery(Procedure[RegionRecoveryRequest, RegionTarget, RegionRecoveryPlan, RegionRecoveryDetails]):
    """One recovery of one region; its workflow ID is the region's lock."""

    asks, details = RegionRecoveryRequest, RegionRecoveryDetails
    waits_out_absence = True

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Make the pair redundant again, or say what a person must do."""
        return await self.conclude()

    async def resolve(self) -> RegionTarget:
        """Look the region up in the estate."""
        return await step(EstateActivities.resolve_region, ResolveRequest(cluster=self.request.region, by=self.asker))

    async def make_plan(self) -> RegionRecoveryPlan:
        """Look the failover up, and who leads now. ApplicationError: what does not hold, by name."""
        state, target, details = self.state, self.target, self.state.details
        state.enter(Phase.SURVEYING)
        find = FindFailover(target=target, run_id=self.request.repairs)
        repaired = details.repaired = await step(RecoveryLookActivities.find, find)
        seen = details.returned = await step(ReturningActivities.look, ReturnLook(target=target))
        must_be_left(target, seen)
        must_be_led_elsewhere(target, seen)
        state.plan = plan = make_recovery_plan(target, seen, repaired)
        state.show()
        return plan

    @staticmethod
    def policy(target: RegionTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.settings.approvals.recovery

    def would(self, plan: RegionRecoveryPlan) -> str:
        """Return what a dry run has found."""
        return f"{plan.cluster} would follow {plan.candidate}; nothing was changed"

    async def execute(self, plan: RegionRecoveryPlan) -> str:
        """Give the new primaries a standby, fence the old region, and see its servers follow."""
        state, target, databases = self.state, self.target, self._databases
        state.leaves = "what is done stays as it is: start it again, and it goes on from there"
        state.left_to_do = tuple(
            todo(Todo.REDUNDANCY, f"high availability of {one}: az postgres flexible-server update", one.partition(":")[0])
            for one in plan.standbys
        ) + tuple(todo(Todo.REDUNDANCY, f"{one.server} follows {one.leader}", one.server) for one in databases)
        failed = [await self._standby(one, databases) for one in plan.standbys]
        seen = await Returning(state, target, leave_to=fence_lock_id(target.name)).fenced()
        failed += [await self._followed(one) for one in seen.databases]
        if words := "; ".join(filter(None, failed)):
            raise refuse(Refusal.STRANDED, words)
        state.leaves = ""
        return f"{target.name} follows {target.settings.to}: {', '.join(one.server for one in seen.databases)} caught up"

    @property
    def _databases(self) -> tuple[DatabaseStanding, ...]:
        seen: Returned | None = self.state.details.returned
        return seen.databases if seen else ()

    async def _standby(self, wanted: str, databases: tuple[DatabaseStanding, ...]) -> str:
        """Give a new primary high availability; return what went wrong. It does not keep the rest back."""
        server, _, mode = wanted.partition(": ")
        name = next(one.name for one in databases if one.leader == server)
        self.state.enter(Phase.RESTORING, f"high availability of {server}")
        return await self._changed(name, server, server, Goal.HIGHLY_AVAILABLE, mode=mode, within=_STANDBY_WITHIN)

    async def _changed(self, name: str, server: str, leader: str, goal: Goal, *, mode: str = "", within: timedelta) -> str:  # noqa: PLR0913
        order = ServerOrder(target=self._target_of(name), server=server, leader=leader, goal=goal, mode=mode, run=me())
        try:
            changed = await change_server(order, within)
        except FailureError as error:
            if outcome.was_cancelled(error):
                raise
            return f"{server} is not {goal.value}: {outcome.cause_of(error)[1]}"
        self.state.details.changed = (*self.state.details.changed, changed)
        if changed.done and goal is Goal.HIGHLY_AVAILABLE:
            self.state.done(Todo.REDUNDANCY, server)
        return "" if changed.done else f"{server} is not {goal.value}: {changed.words}"

    async def _followed(self, one: DatabaseStanding) -> str:
        """See the old server follow and catch up, started where it is stopped; return what a person must do."""
        until, target = workflow.now() + LONGEST, self._target_of(one.name)
        while True:
            self.state.enter(Phase.RESTORING, f"{one.server} is to follow {one.leader}")
            wait = AwaitFollower(target=target, server=one.server, leader=one.leader, until=workflow.now() + _ONE_WAIT)
            seen = await step(FollowingActivities.await_follower, wait)
            self._note(seen)
            if seen.caught_up:
                self.state.done(Todo.REDUNDANCY, one.server)
                return ""
            if seen.broken:
                return f"{one.server} is no replica ({seen.words}); build it again: {rebuilding(target, one)}"
            if seen.stopped:
                failed = await self._changed(one.name, one.server, one.leader, Goal.STARTED, within=_STARTED_WITHIN)
                if failed:
                    return failed
            elif workflow.now() >= until:
                return f"{one.server} has not caught up within 30 days: {seen.words}"

    def _note(self, seen: Follower) -> None:
        details = self.state.details
        details.followers = (*(one for one in details.followers if one.server != seen.server), seen)

    def _target_of(self, name: str) -> FlexibleTarget:
        return next(one for one in self.target.databases if one.name == name)
