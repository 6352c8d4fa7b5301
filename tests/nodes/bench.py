"""Nodes in memory, a PostgreSQL cluster in memory on them, a real Temporal server, and a worker that serves both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from temporalio.client import Client

from activities.clients.ports import UnreachableError
from activities.nodes.machine_fencing import MachineWords, NodeMachines
from activities.nodes.machine_steps import MachineActivities
from activities.nodes.steps import NodeActivities
from activities.nodes.survey import NodeLookActivities
from activities.redis.models import SentinelFact, ServerFact
from activities.run.models.report import RunReport
from estate.nodes import MachineKind
from estate.redis import RedisTarget
from starters.history.reports import read_report
from tests.fakes.clients import systems_of
from tests.fakes.world import World
from tests.nodes.world import FakeMachines, NodeWorld
from tests.postgres.bench import Handle, write_estate
from tests.postgres.gone import POLICY, Gone, take_away
from tests.postgres.worker import steps_for
from tests.run.served import Served
from workflows.nodes.models import node_lock_id
from workflows.postgres.models import lock_id
from workflows.run.models import plan_id

NODE = "node-2"
_LONGEST = timedelta(seconds=90)
BY_MACHINE = {**POLICY, "proof": ["gate", "machine"], "proof_within": "PT20S"}
"""Of a cluster that takes the word of a machine's control plane, and nobody's."""


class NoRedis:
    """Nobody answers."""

    async def server(self, target: RedisTarget, name: str, *, within: timedelta = ...) -> ServerFact:  # type: ignore[assignment]  # noqa: ARG002
        raise UnreachableError(f"{name} does not answer")

    async def sentinel(self, target: RedisTarget, name: str, *, within: timedelta = ...) -> SentinelFact:  # type: ignore[assignment]  # noqa: ARG002
        raise UnreachableError(f"{name} does not answer")


class NodeBench(Served):
    """A node of its own name, whose pods are two of an API and the PostgreSQL primary."""

    def __init__(self, client: Client, folder: Path, forced: dict[str, Any], **changes: Any) -> None:
        """Write an estate; ``forced`` is the cluster's policy, ``changes`` replace keys of the pool's entry."""
        self.folder, self.world, self.postgres, self.machines = folder, NodeWorld(), World(), FakeMachines()
        super().__init__(client, f"nodes-{uuid4().hex[:8]}", self.postgres.faults)
        self.cluster, self.node = f"orders-{uuid4().hex[:8]}", f"node-2-{uuid4().hex[:6]}"
        self.world.nodes_by_name[self.node] = self.world.nodes_by_name.pop(NODE).model_copy(update={"name": self.node})
        self.estate = folder / "estate.yaml"
        write_estate(self.estate, self.cluster)
        content = yaml.safe_load(self.estate.read_text(encoding="utf-8"))
        pool = {"region": "eastus", "selector": {"agentpool": "workers"}, "blocked_after": "PT1S", "settled_within": "PT2S"}
        content["postgres"][self.cluster]["forced"] = forced
        content["node_pools"] = {"workers": {**pool, **changes}}
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.world.put(self.node, "api-a-1", owner="api-a")
        self.world.put(self.node, "api-b-1", owner="api-b")
        self.world.put(self.node, "kube-proxy-1", "DaemonSet", stays="belongs to a DaemonSet")

    def ask_dbas(self) -> None:
        """Let a DBA approve failovers of the database."""
        content = yaml.safe_load(self.estate.read_text(encoding="utf-8"))
        content["postgres"][self.cluster]["approvals"] = {
            mode: {"roles": ["DBA"], "window": "PT1M"} for mode in ("planned", "forced")
        }
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    def lose_primary(self, gone: Gone = Gone.CUT_OFF) -> None:
        """Have the PostgreSQL primary on the node, and the node cut off with all that runs there, or without power."""
        self.put_primary()
        self.world.go_dark(self.node)
        take_away(self.postgres, gone)

    def put_primary(self) -> str:
        """Let the PostgreSQL primary run on the node, its standby elsewhere; return its name."""
        leader = self.postgres.record.leader
        for name in self.postgres.members:
            node = self.postgres.node_of[name] = self.node if name == leader else "node-1"
            self.world.put(node, name, "StatefulSet", owner=name.rsplit("-", 1)[0])
        return leader

    async def start(self, *args: Any, id: str | None = None, **more: Any) -> Handle:  # noqa: A002 - Temporal's name
        """Start a run with exactly ``args``, or a real one with ``more``."""
        request = {"node": self.node, "run": "real", "by": "omar", "reason": "a test", **more}
        lock = node_lock_id(self.node)
        usual = plan_id(lock) if request["run"] == "plan" else lock
        handle: Handle = await self.client.start_workflow(
            "node-failover", args=args or [request], id=id or usual, task_queue=self.queue, execution_timeout=_LONGEST
        )
        self.started.append(handle)
        return handle

    def of_postgres(self) -> Handle:
        """Return the run that holds the cluster's lock."""
        return self.client.get_workflow_handle(lock_id(self.cluster))

    @property
    def is_cordoned(self) -> bool:
        return self.world.nodes_by_name[self.node].cordoned

    def report(self) -> RunReport:
        """Return the newest kept report of the node's runs."""
        paths = [path for path in (self.folder / "records").rglob("report.json") if "node-node" in str(path)]
        newest = max(paths, key=lambda path: path.stat().st_mtime)
        return read_report(json.loads(newest.read_text(encoding="utf-8")))


@asynccontextmanager
async def serving(client: Client, folder: Path, forced: dict[str, Any] = POLICY, **changes: Any) -> AsyncIterator[NodeBench]:
    """Serve node and cluster until the block ends; the cluster's invariants must have held."""
    bench = NodeBench(client, folder, forced, **changes)
    records = systems_of(bench.postgres).leader_records
    looks = NodeLookActivities(bench.inventory, bench.world, records, NoRedis())  # type: ignore[arg-type]
    async with bench.postgres.living():
        by_kind = dict.fromkeys(MachineKind, bench.machines)
        machines = MachineActivities(bench.world, by_kind, watched=timedelta(seconds=0.5))
        under_pods = NodeMachines(bench.inventory, bench.world, MachineWords(bench.world, by_kind))
        steps = steps_for(bench.postgres, bench.inventory, under_pods)
        bench.serve((looks, NodeActivities(bench.world), machines), steps)
        try:
            yield bench
        finally:
            await bench.close()
    assert bench.postgres.violations == []
