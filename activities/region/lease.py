"""The Lease in the surviving region: it keeps apart two runs that cannot see each other in Temporal.

Its holder is the run. Temporal's own lock (the workflow ID) keeps two runs of one server apart; a break-glass run on another
server, and a run that is cut off, are kept apart by the Lease. A run renews it as long as Temporal carries the run on, and
looks before each change. Another run takes it only when its holder is closed, by Temporal's own word, or has not renewed it
for ``LEASE_LASTS`` and the difference of two clocks. Each write names the version that it was decided by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.clients.ports import ForbiddenError
from activities.clients.region_ports import RegionClusters
from activities.region.failover_models import HeldLease, RegionOrder
from activities.region.failover_survey import lease_of
from activities.region.overtaking import unless_overtaken
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.models.wire import workflow_of
from activities.run.postures import CHANGE, COMPENSATE

T = TypeVar("T")

_ATTEMPTS = 5


class LeaseActivities:
    """Takes, renews and gives back one region's Lease."""

    def __init__(self, clusters: RegionClusters) -> None:
        """Write it by ``clusters``."""
        self._clusters = clusters

    @step("region.claim", CHANGE, lambda request: f"take the Lease of region {request.target.name}")
    async def claim(self, request: RegionOrder) -> HeldLease:
        """Take the Lease, or renew it where this run holds it. Safe to repeat.

        Raises:
            ApplicationError: ``ClaimedElsewhere``, another run holds it; ``NotAvailable``, we may not. Nothing was changed.

        """
        return await self._written(request, partial(self._held, request, take=True))

    @step("region.hold", CHANGE, lambda request: f"renew the Lease of region {request.target.name}")
    async def hold(self, request: RegionOrder) -> HeldLease:
        """Renew the Lease. One that this run has lost is never taken again: another run may have held it meanwhile.

        A run that was reset in Temporal goes on under another run ID: it takes over from its own closed run.

        Raises:
            ApplicationError: ``Superseded``, another run has taken it, or nobody holds it any more.

        """
        return await self._written(request, partial(self._held, request, take=False))

    @step("region.give_back", COMPENSATE, lambda request: f"give back the Lease of region {request.target.name}")
    async def give_back(self, request: RegionOrder) -> bool:
        """Let another run take the Lease at once; return whether this run held it. Safe to repeat."""
        return await self._written(request, partial(self._given_back, request))

    @staticmethod
    async def _written(request: RegionOrder, change: Callable[[], Awaitable[T]]) -> T:
        return await unless_overtaken(f"Lease {lease_of(request.target)}", _ATTEMPTS, change)

    async def _given_back(self, request: RegionOrder) -> bool:
        target = request.target
        found = await self._clusters.lease(target.to, lease_of(target))
        if found.holder != str(request.run):
            return False
        await self._clusters.write_lease(target.to, lease_of(target), found.model_copy(update={"holder": ""}))
        return True

    async def _held(self, request: RegionOrder, *, take: bool) -> HeldLease:
        target, me = request.target, str(request.run)
        found = await self._clusters.lease(target.to, lease_of(target))
        if found.holder != me and not (take and not found.holder):
            await self._must_be_free(request, found, take=take)
        held = found.model_copy(update={"holder": me, "renewed_at": datetime.now(UTC)})
        try:
            await self._clusters.write_lease(target.to, lease_of(target), held)
        except ForbiddenError as error:
            raise refuse(Refusal.NOT_AVAILABLE, f"{error}: see the worker's Role in the surviving region") from error
        return held

    async def _must_be_free(self, request: RegionOrder, found: HeldLease, *, take: bool) -> None:
        name = lease_of(request.target)
        if not take:
            if workflow_of(found.holder) == request.run.workflow_id and await is_closed(found.holder):
                return
            who = f"the run {found.holder} has taken" if found.holder else "nobody holds"
            raise refuse(Refusal.SUPERSEDED, f"{who} the Lease {name}: this run has lost it, and changes no more")
        if found.is_free(datetime.now(UTC)) or await is_closed(found.holder):
            return
        renewed = f"renewed at {found.renewed_at:%H:%M:%S} UTC" if found.renewed_at else "never renewed"
        raise refuse(
            Refusal.CLAIMED_ELSEWHERE,
            f"the Lease {name} in the surviving region is held by the run {found.holder}, {renewed}: end that run, or wait"
            " until it has not been renewed for 6 min",
        )


async def is_closed(holder: str) -> bool:
    """Whether our own Temporal says that the run ``holder`` (``str(RunId)``) has ended.

    Of another server's runs it knows none: they are not closed.
    """
    lock, run = workflow_of(holder), holder.rpartition("/")[2]
    try:
        found = await activity.client().get_workflow_handle(lock, run_id=run).describe()
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            return False
        raise
    return found.status is not WorkflowExecutionStatus.RUNNING
