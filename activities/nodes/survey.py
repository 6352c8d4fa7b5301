"""Looks at a node: its pool, what runs on it, what leads from there, and whether it answers. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from activities.clients import granting
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.nodes.models import Carried, MovedRequest, NodeLook, NodePod, NodeSurvey
from activities.redis.survey import survey_of
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.inventory import Inventory, must_be_listed
from activities.run.models.inventory import ResolveRequest
from activities.run.polling import until
from activities.run.postures import READ, WAIT
from estate.nodes import NodeTarget
from estate.resolving import resolve_node
from gate.record import MalformedRecordError, Mode

if TYPE_CHECKING:
    from activities.clients.cluster_ports import Nodes
    from activities.clients.ports import LeaderRecords, RedisServers

T = TypeVar("T")
_LOOK_SECONDS = 0.3
_PATIENCE = timedelta(seconds=1)
_SILENT = (UnreachableError, MissingError, ForbiddenError, MalformedRecordError)


class NodeLookActivities:
    """The read-only half of ``node-failover``."""

    def __init__(self, inventory: Inventory, nodes: Nodes, leader_records: LeaderRecords, redis: RedisServers) -> None:
        """Find pools in ``inventory``; ask who leads through ``leader_records`` and ``redis``."""
        self._inventory, self._nodes, self._leader_records, self._redis = inventory, nodes, leader_records, redis

    @step("node.resolve", READ, lambda request: f"look up {request.cluster}")
    async def resolve(self, request: ResolveRequest) -> NodeTarget:
        """Return one node with its pool, and with everything in its region that could lead from it. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate`` when the file cannot be used; ``BadInput`` when there is no such node, or no
                pool has its labels.

        """
        estate = self._inventory.estate()
        known: list[str] = []
        for name, pool in sorted(estate.node_pools.items()):
            nodes = await granted(self._nodes.nodes(estate.regions[pool.region]))
            known += [node.name for node in nodes if node.name not in known]
            found = next((node for node in nodes if node.name == request.cluster), None)
            if found is not None and pool.has(found.labels):
                must_be_listed(estate, request.by)
                return self._inventory.told(resolve_node(estate, found.name, name))
        if request.cluster in known:
            pools = "; ".join(f"{name}: {pool.selector or 'all'}" for name, pool in sorted(estate.node_pools.items()))
            raise refuse(Refusal.BAD_INPUT, f"node: {request.cluster} has the labels of no pool in node_pools ({pools})")
        pools = ", ".join(known) or "none: the estate has no node_pools"
        raise refuse(Refusal.BAD_INPUT, f"node: there is no {request.cluster}; there is {pools}")

    @step("node.survey", READ, lambda request: f"survey {request.target.name}")
    async def survey(self, request: NodeLook) -> NodeSurvey:
        """Return the node as it is now, and what leads from it. Changes nothing.

        Raises:
            ApplicationError: ``BadInput`` when the node is gone; ``Unreachable`` when we may not look.

        """
        target = request.target
        nodes, pods = await granted(
            asyncio.gather(self._nodes.nodes(target.region), self._nodes.pods_on(target.region, target.name))
        )
        node = next((one for one in nodes if one.name == target.name), None)
        if node is None:
            raise refuse(Refusal.BAD_INPUT, f"node: {target.name} is gone from the cluster")
        others = tuple(one.name for one in nodes if one.takes_pods and one.name != node.name)
        (carries, unknown), witness, homeless = await asyncio.gather(
            self._carries(target, pods),
            self._nodes.witness(target.region, node, pods),
            granted(self._nodes.homeless(target.region, target.name, others)),
        )
        pods = tuple(
            pod.model_copy(
                update={
                    "homeless": pod.uid in homeless,
                    "bound": homeless.get(pod.uid, ()),
                    "leads": leads_unlisted(target, pod),
                }
            )
            for pod in pods
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
                record = await self._leader_records.read(cluster.region, cluster.cluster.write_service)
            except _SILENT as error:
                unknown.append(f"PostgreSQL {cluster.name}: {error}")
                continue
            if record is not None and (cluster.region.namespace, record.leader) in here:
                claimed = record.intent is not None and record.intent.mode is Mode.FORCED
                carries.append(
                    Carried(workflow="postgres-failover", target=cluster.name, pod=record.leader, claimed=claimed)
                )
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

    @step(
        "node.await_leaders_moved",
        WAIT,
        lambda request: f"no hosted leader is left on {request.target.name}",
        formerly="node.moved",
    )
    async def await_leaders_moved(self, request: MovedRequest) -> datetime:
        """Return once nothing leads from the pods any more, and everybody who must know has said so. Changes nothing."""

        async def free_since() -> datetime | None:
            return None if any(await self._carries(request.target, request.pods)) else datetime.now(UTC)

        return await until(free_since, every=_LOOK_SECONDS)


def leads_unlisted(target: NodeTarget, pod: NodePod) -> str:
    """Return the label by which a pod says that it leads a database which the estate does not list; else nothing."""
    known = {(one.region.namespace, name) for one in target.postgres for name in one.cluster.members}
    known |= {(one.region.namespace, name) for one in target.redis for name in one.deployment.servers}
    return "" if (pod.namespace, pod.name) in known else pod.leads


async def granted(question: Awaitable[T]) -> T:
    """Return the answer, as ``activities.clients.granting``: what we may not do, the worker's ClusterRole lacks."""
    return await granting.granted(question, "see node-access.yaml in the shipped base")
