"""The steps of a drill that are its own: what stands before and after, which node, the rows that prove it, the lever.

All else is done by the runs that it begins. Nothing here changes the platform, but for a row in ``failover_tests``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.common import SearchAttributeKey

from activities.clients.bundle import Clients
from activities.clients.ports import UnreachableError
from activities.drills.lever import stopped_since
from activities.drills.models import (
    LeverLook,
    LeverSeen,
    NodeChoice,
    RowRequest,
    RowSeen,
    Standing,
    StandingRequest,
)
from activities.drills.standing import Looks
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.polling import sleep
from activities.run.postures import FORWARD, READ, READ_LONG
from estate.drilled import DrillTarget
from estate.postgres import PostgresTarget

LAG_AT_MOST = timedelta(seconds=5)
"""Until a standby has the row (platform runbook, database drill)."""
_PHASE, _MOVING = SearchAttributeKey.for_keyword("FailoverPhase"), {"drilling", "drilling: the way back"}
_LOOK_SECONDS, _ROW_SECONDS = 1.0, 0.05


class DrillActivities:
    """What a drill looks at."""

    def __init__(self, clients: Clients) -> None:
        """Look by ``clients``."""
        self._clients, self._looks = clients, Looks(clients)

    @step("drills.standing", READ, lambda request: f"what {request.target.name} may change")
    async def standing(self, request: StandingRequest) -> Standing:
        """Return all that the drill may change, and what is not well. Changes nothing."""
        return await self._looks.standing(request.target, request.node)

    @step("drills.settle", FORWARD, lambda request: f"is all of {request.target.name} as before")
    async def settle(self, request: StandingRequest) -> Standing:
        """Return how all stands once it is as ``before`` and well, or when ``until`` has come. Changes nothing."""
        while True:
            seen = await self._looks.standing(request.target, request.node)
            equal = request.before is None or (not seen.troubles and not seen.differences(request.before))
            if equal or request.until is None or datetime.now(UTC) >= request.until:
                return seen
            await sleep(_LOOK_SECONDS)

    @step("drills.choose_node", READ, lambda request: f"which node of {request.target.drill.target}")
    async def choose_node(self, request: StandingRequest) -> NodeChoice:
        """Return a node of the pool that hosts no leader, the one with most pods of the workloads first.

        A hosted leader would have to be moved there and back, and has a drill of its own. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate``, the drill is not of a node.

        """
        target = request.target
        if target.pool is None:
            raise refuse(Refusal.BAD_ESTATE, f"{target.name} is no drill of a node")
        nodes = [one for one in await self._clients.nodes.nodes(target.region) if target.pool.settings.has(one.labels)]
        leading = await self._leading(target)
        free = [one for one in nodes if one.takes_pods and one.name not in leading]
        if not free:
            told = ", ".join(f"{node} ({what})" for node, what in sorted(leading.items())) or "none of them takes pods"
            return NodeChoice(node="", why=f"every node of {target.pool.name} hosts a leader: {told}")
        counted = {one.name: await self._pods_on(target, one.name) for one in free}
        node = max(sorted(counted), key=lambda name: counted[name])
        return NodeChoice(node=node, why=f"{counted[node]} pods of the workloads run there, and it hosts no leader")

    async def _leading(self, target: DrillTarget) -> dict[str, str]:
        """Return node → the leader that it hosts."""
        found: dict[str, str] = {}
        for cluster in target.postgres:
            record = await self._clients.systems.leader_records.read(target.region, cluster.cluster.write_service)
            leader = record.leader if record else ""
            pods = await self._clients.systems.kubernetes.pods(target.region, (leader,)) if leader else {}
            if (pod := pods.get(leader)) is not None and pod.node:
                found[pod.node] = f"PostgreSQL {cluster.name}"
        for deployment in target.redis:
            for name in deployment.deployment.servers:
                if (await self._clients.redis.server(deployment, name)).is_master:
                    pods = await self._clients.systems.kubernetes.pods(target.region, (name,))
                    found |= {str(pod.node): f"Redis {deployment.name}" for pod in pods.values() if pod.node}
        return found

    async def _pods_on(self, target: DrillTarget, node: str) -> int:
        pods = [await self._clients.workloads.pods(one) for one in target.workloads]
        return sum(pod.node == node for _, found in pods for pod in found)

    @step("drills.row", READ_LONG, lambda request: f"a row in failover_tests of {request.target.drill.target}")
    async def row(self, request: RowRequest) -> RowSeen:
        """Write a row by the write Service and wait until a standby has it. Repeated: the same row.

        Raises:
            ApplicationError: ``BadEstate``, the drill is not of a database.

        """
        postgres = self._clients.systems.postgres
        if not request.target.postgres:
            raise refuse(Refusal.BAD_ESTATE, f"{request.target.name} is no drill of a database")
        cluster = request.target.postgres[0]
        await postgres.add_test(cluster, request.row, str(request.run))
        at, began = datetime.now(UTC), asyncio.get_running_loop().time()
        while (waited := asyncio.get_running_loop().time() - began) < LAG_AT_MOST.total_seconds():
            for member in cluster.cluster.members:
                if await self._has(cluster, member, request.row):
                    return RowSeen(row=request.row, written_at=at, on_standby_after=round(waited, 3), standby=member)
            await sleep(_ROW_SECONDS)
        return RowSeen(row=request.row, written_at=at)

    async def _has(self, cluster: PostgresTarget, member: str, row: str) -> bool:
        """Whether a standby has the row; the primary's word does not count, and silence is a no."""
        postgres = self._clients.systems.postgres
        try:
            facts = await postgres.facts(cluster, member)
            return facts.in_recovery and await postgres.has_test(cluster, member, row)
        except UnreachableError:
            return False

    @step("drills.lever", READ, lambda _: "may a drill begin")
    async def lever(self, request: LeverLook) -> LeverSeen:  # noqa: ARG002 - of all drills
        """Return whether somebody has stopped all drills, and which other ones go on. Changes nothing."""
        stopped = await stopped_since(activity.client(), activity.info().task_queue)
        return LeverSeen(stopped=stopped, others=await _others())


async def _others() -> tuple[str, ...]:
    """Return the other drills of our task queue that go on."""
    info = activity.info()
    query = f"WorkflowType = 'failover-drill' AND ExecutionStatus = 'Running' AND TaskQueue = '{info.task_queue}'"
    found = [one async for one in activity.client().list_workflows(query) if one.id != info.workflow_id]
    return tuple(one.id for one in found if one.typed_search_attributes.get(_PHASE) in _MOVING)
