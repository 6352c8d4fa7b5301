"""What a watch asks beside its witnesses: the estate, and whether the last failover was its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from temporalio import activity
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from activities.detection.models import (
    Cause,
    CauseRequest,
    Kind,
    LastRequest,
    LastRun,
    Listed,
    ListRequest,
    TargetList,
    Watched,
    WatchedRequest,
    WatchedTarget,
)
from activities.detection.standing import cause_in, standing_on
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.inventory import Inventory, listed
from activities.run.postures import READ
from activities.run.watches import watch_of
from estate.gateways import GatewayTarget
from estate.model import Estate
from estate.resolving import (
    resolve_gateway,
    resolve_pool,
    resolve_redis,
    resolve_target,
    resolve_watched_region,
    resolve_workload,
)
from gate.record import Mode

_MODE = SearchAttributeKey.for_keyword("FailoverMode")
_RESOLVERS: dict[Kind, Callable[[Estate, str], WatchedTarget]] = {
    Kind.POSTGRES: resolve_target,
    Kind.REDIS: resolve_redis,
    Kind.PODS: resolve_workload,
    Kind.NODES: resolve_pool,
    Kind.GATEWAY: resolve_gateway,
    Kind.REGION: resolve_watched_region,
}


class WatchActivities:
    """The part of a watch that any worker does."""

    def __init__(self, inventory: Inventory) -> None:
        """Find targets in ``inventory``."""
        self._inventory = inventory

    @step("watch.resolve", READ, lambda request: f"look up {request.name}")
    async def resolve(self, request: WatchedRequest) -> Watched:
        """Return a target and its witnesses. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate`` when the file cannot be used or names no witnesses, ``BadInput`` for an unknown
                target.

        """
        estate = self._estate()
        target = self._inventory.told(listed(estate, _RESOLVERS[request.kind], request.name))
        if isinstance(target, GatewayTarget) and target.gateway.watch is None:
            words = f"gateways.{target.name}.watch: missing; give it to have the gateway watched, empty ({{}}) for defaults"
            raise refuse(Refusal.BAD_ESTATE, f"estate: {words}")
        return Watched(target=target, witnesses=estate.witnesses)

    @step("watch.list", READ, lambda _: "what the estate lists")
    async def list(self, request: ListRequest) -> TargetList:
        """Return what the estate lists, or the one target that is asked for. Changes nothing.

        Raises:
            ApplicationError: as ``watch.resolve``.

        """
        estate = self._estate()
        sections: dict[Kind, Iterable[str]] = {
            Kind.POSTGRES: estate.postgres,
            Kind.REDIS: estate.redis,
            Kind.PODS: estate.workloads,
            Kind.NODES: estate.node_pools,
            Kind.GATEWAY: [name for name, one in estate.gateways.items() if one.watch is not None],
            Kind.REGION: [name for name, one in estate.region_failovers.items() if one.watch is not None],
        }
        known = [Listed(kind=kind, name=name) for kind, names in sections.items() for name in sorted(names)]
        wanted = [one for one in known if request.target in {"", one.name, f"{one.kind.value}/{one.name}"}]
        if request.target and not wanted:
            names = ", ".join(f"{one.kind.value}/{one.name}" for one in known) or "nothing"
            raise refuse(Refusal.BAD_INPUT, f"target: the estate does not list {request.target!r}; it lists {names}")
        return TargetList(targets=tuple(wanted))

    def _estate(self) -> Estate:
        """Return the estate, which must say who looks."""
        estate = self._inventory.estate()
        if not estate.witnesses:
            words = "witnesses: missing; name who looks, for example [failover-witness-0, failover-witness-1, …]"
            raise refuse(Refusal.BAD_ESTATE, f"estate: {words}")
        return estate

    @step("watch.cause", READ, lambda request: f"is a database of {request.name} down")
    async def cause(self, request: CauseRequest) -> Cause:
        """Return whether detection finds a database of a workload down, or has a failover of it open. Changes nothing.

        Raises:
            ApplicationError: as ``watch.resolve``.

        """
        estate = self._estate()
        workload = listed(estate, resolve_workload, request.name)
        databases = [
            watch_of(Kind.POSTGRES.value, name)
            for name, cluster in estate.postgres.items()
            if cluster.region == workload.workload.region
            and any(one.deployment == workload.workload.deployment for one in cluster.applications)
        ]
        if not databases:
            return Cause()
        standing = await standing_on(activity.client(), activity.info().task_queue)
        return Cause(message=cause_in({name: standing[name] for name in databases if name in standing}))

    @step("watch.last", READ, lambda request: f"the last run of {request.lock}")
    async def last(self, request: LastRequest) -> LastRun:
        """Return when the newest run under a lock ended, if ``request.watch`` had begun it, but for a planned one.

        No cool-down follows that: nothing was broken. Changes nothing.
        """
        try:
            found = await activity.client().get_workflow_handle(request.lock).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return LastRun()
            raise
        planned = found.typed_search_attributes.get(_MODE) == Mode.PLANNED
        return LastRun(closed_at=found.close_time if found.parent_id == request.watch and not planned else None)
