"""Looks at a node, keeps new pods away from it, and evicts what is there as its disruption budgets allow.

Every step looks first. A pod is evicted by its UID, so that the new one of the same name, on another node, is never meant.
A run that ended in between leaves a node that is cordoned and half empty, which does no harm: the next one goes on there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from temporalio import activity

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.errors import Refusal, refuse
from activities.models.nodes import (
    Blocked,
    Carried,
    Cordoned,
    CordonRequest,
    Drained,
    DrainRequest,
    MovedRequest,
    NodeFact,
    NodeLook,
    NodePod,
    NodeSettled,
    NodeSurvey,
    PodsReplaced,
    ReplacePodsRequest,
    Returned,
    SettledRequest,
)
from activities.models.survey import ResolveRequest
from activities.redis_look import survey_of
from estate.loader import EstateError, load_estate, resolve_redis, resolve_target
from estate.model import Estate
from estate.nodes import NodePool, NodeTarget
from gate.record import MalformedRecordError

if TYPE_CHECKING:
    from activities.clients.clusterports import Nodes
    from activities.clients.ports import Kubernetes, RedisServers

T = TypeVar("T")
_LOOK_SECONDS, _EVICT_AGAIN_SECONDS = 0.3, 1.0
_WELL_SECONDS = 5.0
"""A node must have been Ready for so long before it takes pods again."""
_LEASE_SECONDS = 15.0
"""A kubelet renews its lease every ten seconds."""
_PATIENCE = timedelta(seconds=1)
_SILENT = (UnreachableError, MissingError, ForbiddenError, MalformedRecordError)


class NodeActivities:
    """The steps of ``node-failover``."""

    def __init__(self, path: Path, nodes: Nodes, kubernetes: Kubernetes, redis: RedisServers) -> None:
        """Find pools in the estate at ``path``; ask who leads through ``kubernetes`` and ``redis``."""
        self._path, self._nodes, self._kubernetes, self._redis = path, nodes, kubernetes, redis

    @activity.defn(name="node.resolve")
    async def resolve(self, request: ResolveRequest) -> NodeTarget:
        """Return one node with its pool, and with everything in its region that could lead from it. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate`` when the file cannot be used; ``BadInput`` when there is no such node, or no
                pool has its labels.

        """
        try:
            estate = load_estate(self._path)
        except EstateError as error:
            raise refuse(Refusal.BAD_ESTATE, str(error)) from error
        known: list[str] = []
        for name, pool in sorted(estate.node_pools.items()):
            nodes = await _granted(self._nodes.nodes(estate.regions[pool.region]))
            known += [node.name for node in nodes if node.name not in known]
            found = next((node for node in nodes if node.name == request.cluster), None)
            if found is not None and pool.selector.items() <= found.labels.items():
                return _target(estate, name, pool, found)
        if request.cluster in known:
            pools = "; ".join(f"{name}: {pool.selector or 'all'}" for name, pool in sorted(estate.node_pools.items()))
            raise refuse(Refusal.BAD_INPUT, f"node: {request.cluster} has the labels of no pool in node_pools ({pools})")
        pools = ", ".join(known) or "none: the estate has no node_pools"
        raise refuse(Refusal.BAD_INPUT, f"node: there is no {request.cluster}; there is {pools}")

    @activity.defn(name="node.survey")
    async def survey(self, request: NodeLook) -> NodeSurvey:
        """Return the node as it is now, and what leads from it. Changes nothing.

        Raises:
            ApplicationError: ``BadInput`` when the node is gone; ``Unreachable`` when we may not look.

        """
        target = request.target
        nodes, pods = await _granted(
            asyncio.gather(self._nodes.nodes(target.region), self._nodes.pods_on(target.region, target.name))
        )
        node = next((one for one in nodes if one.name == target.name), None)
        if node is None:
            raise refuse(Refusal.BAD_INPUT, f"node: {target.name} is gone from the cluster")
        others = tuple(one.name for one in nodes if one.takes_pods and one.name != node.name)
        (carries, unknown), witness = await asyncio.gather(
            self._carries(target, pods), self._nodes.witness(target.region, node, pods)
        )
        return NodeSurvey(
            at=datetime.now(UTC), node=node, others=others, pods=pods, witness=witness, carries=carries, unknown=unknown
        )

    async def _carries(self, target: NodeTarget, pods: tuple[NodePod, ...]) -> tuple[tuple[Carried, ...], tuple[str, ...]]:
        """Return what leads from one of ``pods``, and what nobody could say."""
        here = {(pod.namespace, pod.name) for pod in pods if not pod.stays}
        carries, unknown = [], []
        for cluster in target.postgres:
            if not any((cluster.region.namespace, name) in here for name in cluster.cluster.members):
                continue
            try:
                record = await self._kubernetes.read_record(cluster.region, cluster.cluster.write_service)
            except _SILENT as error:
                unknown.append(f"PostgreSQL {cluster.name}: {error}")
                continue
            if record is not None and (cluster.region.namespace, record.leader) in here:
                carries.append(Carried(workflow="postgres-failover", target=cluster.name, pod=record.leader))
        for deployment in target.redis:
            if not any((deployment.region.namespace, name) in here for name in deployment.deployment.servers):
                continue
            seen = await survey_of(self._redis, deployment, _PATIENCE)
            names = [fact.name for fact in seen.servers if fact.address and fact.address == seen.named]
            silent = [fact.name for fact in seen.servers if fact.role is None]
            master = next(iter(names), silent[0] if len(silent) == 1 and seen.named else "")
            if not master:
                unknown.append(f"Redis {deployment.name}: no majority of its Sentinels names a master that answers")
            elif (deployment.region.namespace, master) in here:
                carries.append(Carried(workflow="redis-failover", target=deployment.name, pod=master))
        return tuple(carries), tuple(unknown)

    @activity.defn(name="node.cordon")
    async def cordon(self, request: CordonRequest) -> Cordoned:
        """Keep new pods away from the node. Repeating it changes nothing more."""
        target = request.target
        node = await self._node(target)
        ours = bool(node.cordoned_for)
        if not node.cordoned or ours:
            await _granted(self._nodes.cordon(target.region, target.name, str(request.run)))
        return Cordoned(at=datetime.now(UTC), before=node.cordoned and not ours)

    @activity.defn(name="node.uncordon")
    async def uncordon(self, request: CordonRequest) -> Cordoned:
        """Let new pods on again, unless somebody else than a run keeps them away. Repeating it changes nothing more."""
        target = request.target
        node = await self._node(target)
        if node.cordoned and not node.cordoned_for:
            return Cordoned(at=datetime.now(UTC), before=True)
        await _granted(self._nodes.uncordon(target.region, target.name))
        return Cordoned(at=datetime.now(UTC))

    async def _node(self, target: NodeTarget) -> NodeFact:
        nodes = await _granted(self._nodes.nodes(target.region))
        for node in nodes:
            if node.name == target.name:
                return node
        raise refuse(Refusal.BAD_INPUT, f"node: {target.name} is gone from the cluster")

    @activity.defn(name="node.drain")
    async def drain(self, request: DrainRequest) -> Drained:
        """Evict what is on the node; return when nothing is left, or when budgets have refused for ``blocked_after``.

        Repeating it goes on where the last attempt was. With ``insisted_by`` what a budget refuses is deleted instead.
        """
        target, seen = request.target, set[str]()
        patience, since = target.settings.blocked_after.total_seconds(), time.monotonic()
        while True:
            pods = await _granted(self._nodes.pods_on(target.region, target.name))
            staying = [pod for pod in pods if not pod.stays]
            seen |= {pod.path for pod in staying}
            if not staying:
                return Drained(gone=tuple(sorted(seen)), at=datetime.now(UTC))
            waiting = [pod for pod in staying if not pod.leaving]
            blocked = [found for pod in waiting if (found := await self._evict(request, pod)) is not None]
            if len(blocked) < len(staying):
                since = time.monotonic()  # something is still going
            if time.monotonic() - since > patience:
                gone = seen - {one.pod for one in blocked}
                return Drained(gone=tuple(sorted(gone)), blocked=tuple(blocked), at=datetime.now(UTC))
            await asyncio.sleep(_EVICT_AGAIN_SECONDS if waiting else _LOOK_SECONDS)

    async def _evict(self, request: DrainRequest, pod: NodePod) -> Blocked | None:
        """Evict one pod; return what its budget says, ``None`` when it goes."""
        region = request.target.region
        words = await _granted(self._nodes.evict(region, pod))
        if words and request.insisted_by:
            await _granted(self._nodes.delete(region, pod))
            return None
        return Blocked(pod=pod.path, words=words) if words else None

    @activity.defn(name="node.moved")
    async def moved(self, request: MovedRequest) -> datetime:
        """Return once nothing leads from the pods any more, and everybody who must know has said so. Changes nothing."""
        while True:
            carries, unknown = await self._carries(request.target, request.pods)
            if not carries and not unknown:
                return datetime.now(UTC)
            await asyncio.sleep(_LOOK_SECONDS)

    @activity.defn(name="node.replace")
    async def replace(self, request: ReplacePodsRequest) -> PodsReplaced:
        """Remove pods without waiting for their kubelet, so that their controllers make new ones; gone ones stay gone."""
        for pod in request.pods:
            await _granted(self._nodes.delete(request.target.region, pod, at_once=True))
        return PodsReplaced(pods=tuple(pod.path for pod in request.pods), at=datetime.now(UTC))

    @activity.defn(name="node.give_up")
    async def give_up(self, request: CordonRequest) -> Cordoned:
        """Taint the node as out of service, so that its volumes may be used elsewhere. Only after proof."""
        await _granted(self._nodes.give_up(request.target.region, request.target.name))
        return Cordoned(at=datetime.now(UTC))

    @activity.defn(name="node.returned")
    async def returned(self, request: CordonRequest) -> Returned:
        """Wait until a node that was given up has been Ready for a while, or has left the cluster; then take it back.

        Its taint is removed and pods are let on again, unless a person has cordoned it meanwhile.
        """
        target, well_since = request.target, None
        while True:
            nodes = await _granted(self._nodes.nodes(target.region))
            node = next((one for one in nodes if one.name == target.name), None)
            if node is None:
                return Returned(at=datetime.now(UTC), gone=True)
            well_since = (well_since or time.monotonic()) if await self._is_well(target, node) else None
            if well_since is not None and time.monotonic() - well_since >= _WELL_SECONDS:
                break
            await asyncio.sleep(_EVICT_AGAIN_SECONDS)
        await _granted(self._nodes.take_back(target.region, target.name))
        await self.uncordon(request)
        return Returned(at=datetime.now(UTC))

    async def _is_well(self, target: NodeTarget, node: NodeFact) -> bool:
        """Whether a node answers for itself: its condition is a memory for as long as nobody has missed its kubelet."""
        if node.ready != "True":
            return False
        seen = await self._nodes.witness(target.region, node, ())
        fresh = seen.lease_age_seconds is not None and seen.lease_age_seconds < _LEASE_SECONDS
        return fresh and seen.port == "answers"

    @activity.defn(name="node.settled")
    async def settled(self, request: SettledRequest) -> NodeSettled:
        """Return once the controllers of the pods have as many ready pods as they want, or when time is up."""
        while True:
            try:
                unready: tuple[str, ...] | None = await self._nodes.unready(request.target.region, request.pods)
            except UnreachableError:
                unready = None
            if unready == ():
                return NodeSettled(whole=True, at=datetime.now(UTC))
            if unready and datetime.now(UTC) >= request.until:
                return NodeSettled(whole=False, at=datetime.now(UTC), unready=unready)
            await asyncio.sleep(_LOOK_SECONDS)


def _target(estate: Estate, pool_name: str, pool: NodePool, node: NodeFact) -> NodeTarget:
    """Return the node with all that may lead from it: what the estate has in the same region."""
    region = estate.regions[pool.region]
    return NodeTarget(
        name=node.name,
        region=region,
        pool=pool_name,
        settings=pool,
        postgres=tuple(resolve_target(estate, one) for one, entry in estate.postgres.items() if entry.region == pool.region),
        redis=tuple(resolve_redis(estate, one) for one, entry in estate.redis.items() if entry.region == pool.region),
        people=estate.people,
        records=estate.records,
    )


async def _granted(question: Awaitable[T]) -> T:
    """Return the answer; what we may not do is refused for good, silence is tried again.

    Raises:
        ApplicationError: ``Unreachable``, with what the worker's ClusterRole lacks.

    """
    try:
        return await question
    except ForbiddenError as error:
        raise refuse(Refusal.UNREACHABLE, f"{error}; see node-access.yaml in the shipped base") from error
