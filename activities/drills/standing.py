"""Looks at all that a drill may change, and at what must be well before one begins. Changes nothing.

Each kind has one look. A look that is not answered is a trouble, and its facts are missing: then nothing is proved equal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from activities.clients.bundle import Clients
from activities.clients.ports import (
    ForbiddenError,
    GateRefusedError,
    MissingError,
    RedisAnswerError,
    UnreachableError,
    WriteFailedError,
)
from activities.drills.models import Standing
from estate.drilled import DrillTarget
from estate.drills import Kind
from estate.nodes import NodePoolTarget
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.workloads import WorkloadTarget

_NO_ANSWER = (
    UnreachableError, ForbiddenError, MissingError, GateRefusedError, RedisAnswerError, WriteFailedError,
    TimeoutError, OSError,
)  # fmt: skip


@dataclass
class Seen:
    """Facts and troubles, as they come in."""

    facts: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


Look = Callable[[Seen], Awaitable[None]]


class Looks:
    """The looks, by kind."""

    def __init__(self, clients: Clients) -> None:
        """Look by ``clients``."""
        self._clients = clients

    async def standing(self, target: DrillTarget, node: str) -> Standing:
        """Return all that the drill of ``target`` may change, and what is not well."""
        seen = Seen()
        for name, look in self._of(target, node):
            try:
                await look(seen)
            except _NO_ANSWER as error:
                seen.troubles.append(f"{name}: {str(error) or type(error).__name__}")
        return Standing(at=datetime.now(UTC), facts=seen.facts, troubles=tuple(seen.troubles))

    def _of(self, target: DrillTarget, node: str) -> list[tuple[str, Look]]:
        """Return the looks of ``target``, each with what it looks at."""
        looks: list[tuple[str, Look]] = [
            (f"PostgreSQL {one.name}", partial(self._postgres, target=one)) for one in target.postgres
        ]
        looks += [(f"Redis {one.name}", partial(self._redis, target=one)) for one in target.redis]
        pods = (*target.workloads, *((target.workload,) if target.workload else ()))
        looks += [(f"workload {one.name}", partial(self._workload, target=one)) for one in pods]
        if target.pool is not None:
            looks.append((f"node pool {target.pool.name}", partial(self._nodes, pool=target.pool, chosen=node)))
        if target.drill.kind is Kind.REGION:
            looks.append((f"region {target.drill.target}", partial(self._region, target=target)))
        return looks

    async def _postgres(self, seen: Seen, target: PostgresTarget) -> None:
        cluster, systems, name = target.cluster, self._clients.systems, target.name
        record = await systems.leader_records.read(target.region, cluster.write_service)
        if record is None:
            seen.troubles.append(f"PostgreSQL {name}: there is no leader record")
            return
        seen.facts |= {f"{name} leader": record.leader, f"{name} selector": str(record.selector)}
        seen.facts[f"{name} synchronous standbys"] = ", ".join(sorted(record.sync_members))
        if record.intent is not None or record.unfinished:
            seen.troubles.append(f"PostgreSQL {name}: a failover is not finished: failover status {name}")
        pods = await systems.kubernetes.pods(target.region, cluster.members)
        for member in cluster.members:
            pod = pods.get(member)
            seen.facts[f"{name} role of {member}"] = str(pod.role) if pod else "no pod"
            if pod is None or not pod.ready:
                seen.troubles.append(f"PostgreSQL {name}: {member} is not ready")
        leader = record.leader
        await asyncio.gather(*(self._member(seen, target, one, leads=one == leader) for one in cluster.members))
        seen.facts[f"{name} behind the write Service"] = ", ".join(
            await systems.kubernetes.endpoints(target.region, cluster.write_service)
        )
        if not record.sync_members:
            seen.troubles.append(f"PostgreSQL {name}: no standby is synchronous")

    async def _member(self, seen: Seen, target: PostgresTarget, member: str, *, leads: bool) -> None:
        found = await self._clients.systems.postgres.facts(target, member)
        seen.facts[f"{target.name} {member} takes writes"] = str(not found.in_recovery)
        if found.in_recovery is leads:
            seen.troubles.append(f"PostgreSQL {target.name}: {member} is {'in recovery' if leads else 'no standby'}")

    async def _redis(self, seen: Seen, target: RedisTarget) -> None:
        deployment, name = target.deployment, target.name
        servers = await asyncio.gather(*(self._clients.redis.server(target, one) for one in deployment.servers))
        sentinels = await asyncio.gather(*(self._clients.redis.sentinel(target, one) for one in deployment.sentinels))
        for one in servers:
            seen.facts[f"{name} role of {one.name}"] = str(one.role.value if one.role else "unknown")
            if one.error or (not one.is_master and not one.link_up):
                seen.troubles.append(f"Redis {name}: {one.name} {one.error or 'does not follow its master'}")
        named = {one.master for one in sentinels}
        masters = {one.address: one.name for one in servers if one.is_master}
        seen.facts[f"{name} master"] = ", ".join(sorted(masters.get(one, one or "none") for one in named))
        for two in sentinels:
            if two.error or not two.can_decide or two.agrees_it_is_down or two.fails_over:
                seen.troubles.append(f"Redis {name}: Sentinel {two.name}: {two.error or two.words or 'a failover goes on'}")

    async def _workload(self, seen: Seen, target: WorkloadTarget) -> None:
        wanted, pods = await self._clients.workloads.pods(target)
        ready = sum(pod.is_ready for pod in pods)
        seen.facts |= {f"{target.name} replicas": str(wanted), f"{target.name} ready": str(ready)}
        seen.troubles += [f"workload {target.name}: {pod.name} is {pod.trouble.value}" for pod in pods if not pod.is_ready]
        if ready < wanted:
            seen.troubles.append(f"workload {target.name}: {ready} of {wanted} pods are ready")
        if target.workload.service:
            await self._clients.workloads.ask(target)

    async def _nodes(self, seen: Seen, pool: NodePoolTarget, chosen: str) -> None:
        nodes = [one for one in await self._clients.nodes.nodes(pool.region) if pool.settings.has(one.labels)]
        for one in nodes:
            seen.facts[f"node {one.name} cordoned"] = str(one.cordoned)
            seen.facts[f"node {one.name} taints"] = ", ".join(sorted(one.taints)) or "none"
            seen.facts[f"node {one.name} labels"] = json.dumps(one.labels, sort_keys=True)
            if one.ready != "True":
                seen.troubles.append(f"node {one.name} is not Ready: {one.reason or one.ready}")
            if one.cordoned and one.name != chosen:
                seen.troubles.append(f"node {one.name} is cordoned{f' for {one.cordoned_for}' if one.cordoned_for else ''}")

    async def _region(self, seen: Seen, target: DrillTarget) -> None:
        moved = target.moved
        assert moved is not None  # noqa: S101 - of a region's drill
        clusters, _, _ = self._clients.regions
        for name in moved.settings.applications:
            for where, region in ((moved.name, moved.region), (moved.settings.to, moved.to)):
                scale = await _scale(clusters.scale(region, name))
                seen.facts[f"{name} in {where} asks for"] = scale
        servers, _ = self._clients.flexible
        for database in moved.databases:
            for server in database.database.servers:
                fact = await servers.server(database, server)
                seen.facts[f"{database.name} role of {server}"] = str(fact.role)
                seen.facts[f"{database.name} high availability of {server}"] = str(fact.high_availability)
                if fact.state != "Ready":
                    seen.troubles.append(f"{database.name}: Azure says that {server} is {fact.state}")
                waiting = await servers.maintenance(database, server)
                seen.troubles += [f"{server}: maintenance is announced: {one}" for one in waiting]
        for entry in target.traffic:
            answer = await self._clients.traffic.edge.ask(entry)
            seen.facts[f"traffic {entry.name}"] = str(answer.region or answer.error)


async def _scale(asked: Awaitable[object]) -> str:
    try:
        return str(getattr(await asked, "wanted", None))
    except MissingError:
        return "no such Deployment"
