"""Three nodes in memory, behind the same Protocol as the real ones: evicted pods come back elsewhere, as budgets allow."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.nodes.machine_models import MachineState
from activities.nodes.models import NodeFact, NodePod, NodeWitness
from estate.base import Region
from estate.nodes import NodeTarget

NAMESPACE = "aiagent-prod"


@dataclass
class NodeWorld:
    """Who runs where. A pod that leaves is ready on another node after ``ready_within`` seconds."""

    ready_within: float = 0.3
    gone: bool = False
    nodes_by_name: dict[str, NodeFact] = field(default_factory=dict)
    pods: list[tuple[str, NodePod]] = field(default_factory=list)
    """(node, pod)."""
    budgets: dict[str, str] = field(default_factory=dict)
    """Pod → what its budget says against an eviction."""
    evicted: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """Deleted without waiting for a kubelet."""
    dark: set[str] = field(default_factory=set)
    cut_off: set[str] = field(default_factory=set)
    renewing: set[str] = field(default_factory=set)
    """Dark ones whose lease is renewed all the same."""
    without_lease: bool = False
    lease_age: float = 60
    """Seconds, of a node that goes dark, at that moment."""
    never_ready: set[str] = field(default_factory=set)
    """Owners whose pods no other node takes."""
    _dark_since: dict[str, float] = field(default_factory=dict)
    _ready_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("node-1", "node-2", "node-3"):
            self.nodes_by_name[name] = NodeFact(name=name, ready="True", labels={"agentpool": "workers"})

    def put(self, node: str, name: str, kind: str = "ReplicaSet", owner: str = "", **more: Any) -> None:
        """Let a pod run on a node."""
        pod = NodePod(
            namespace=NAMESPACE, name=name, uid=f"uid-{name}-{len(self.pods)}", owner_kind=kind,
            owner=owner or name.rsplit("-", 1)[0], ready=True, **more,
        )  # fmt: skip
        self.pods.append((node, pod))

    def on(self, node: str) -> list[str]:
        return sorted(pod.name for where, pod in self.pods if where == node)

    def where(self, name: str) -> str:
        return next(node for node, pod in self.pods if pod.name == name)

    async def nodes(self, region: Region) -> tuple[NodeFact, ...]:  # noqa: ARG002 - there is one cluster
        self._must_answer()
        return tuple(self.nodes_by_name[name] for name in sorted(self.nodes_by_name))

    async def pods_on(self, region: Region, node: str) -> tuple[NodePod, ...]:  # noqa: ARG002
        self._must_answer()
        return tuple(sorted((pod for where, pod in self.pods if where == node), key=lambda pod: pod.path))

    async def homeless(self, region: Region, node: str, others: tuple[str, ...]) -> dict[str, tuple[str, ...]]:  # noqa: ARG002
        self._must_answer()
        return {pod.uid: pod.bound for where, pod in self.pods if where == node and pod.homeless}

    async def cordon(self, region: Region, node: str, run: str) -> None:  # noqa: ARG002
        self._must_answer()
        changes = {"cordoned": True, "cordoned_for": run}
        self.nodes_by_name[node] = self.nodes_by_name[node].model_copy(update=changes)

    async def uncordon(self, region: Region, node: str) -> None:  # noqa: ARG002
        self._must_answer()
        changes = {"cordoned": False, "cordoned_for": ""}
        self.nodes_by_name[node] = self.nodes_by_name[node].model_copy(update=changes)

    async def evict(self, region: Region, pod: NodePod) -> str:  # noqa: ARG002
        self._must_answer()
        if words := self.budgets.get(pod.name, ""):
            return words
        self.evicted.append(pod.name)
        self._move(pod)
        return ""

    async def delete(self, region: Region, pod: NodePod, *, at_once: bool = False) -> None:  # noqa: ARG002
        self._must_answer()
        if any(one.uid == pod.uid for _, one in self.pods):
            (self.removed if at_once else self.deleted).append(pod.name)
            self._move(pod)

    async def witness(self, region: Region, node: NodeFact, pods: tuple[NodePod, ...]) -> NodeWitness:  # noqa: ARG002
        self._must_answer()
        names = tuple(pod.path for pod in pods)
        if node.name not in self.dark:
            return NodeWitness(lease_age_seconds=3, port="answers", answering=names)
        runs = node.name in self.cut_off
        return NodeWitness(
            lease_age_seconds=self._lease_age(node.name),
            port="silent",
            answering=names if runs else (),
            silent=() if runs else names,
        )

    def _lease_age(self, node: str) -> float | None:
        if self.without_lease:
            return None
        return 3 if node in self.renewing else self.lease_age + time.monotonic() - self._dark_since[node]

    async def give_up(self, region: Region, node: str) -> None:  # noqa: ARG002
        self._must_answer()
        self._taint(node, ("node.kubernetes.io/out-of-service:NoExecute",))

    async def take_back(self, region: Region, node: str) -> None:  # noqa: ARG002
        self._must_answer()
        self._taint(node, ())

    def _taint(self, node: str, taints: tuple[str, ...]) -> None:
        self.nodes_by_name[node] = self.nodes_by_name[node].model_copy(update={"taints": taints})

    def go_dark(self, node: str, *, cut_off: bool = False) -> None:
        """Let a node fall silent; cut off, its pods run on and can be reached by us alone."""
        self.dark.add(node)
        self._dark_since[node] = time.monotonic()
        if cut_off:
            self.cut_off.add(node)
        self.nodes_by_name[node] = self.nodes_by_name[node].model_copy(update={"ready": "Unknown", "reason": "silent"})

    def come_back(self, node: str) -> None:
        self.dark.discard(node)
        self.nodes_by_name[node] = self.nodes_by_name[node].model_copy(update={"ready": "True", "reason": ""})

    async def unready(self, region: Region, pods: tuple[NodePod, ...]) -> tuple[str, ...]:  # noqa: ARG002
        self._must_answer()
        asked = {pod.owner for pod in pods}
        late = {name for name, at in self._ready_at.items() if at > time.monotonic()} | self.never_ready
        late &= asked
        return tuple(f"ReplicaSet {NAMESPACE}/{name}: 1 of 2 ready" for name in sorted(late))

    def _move(self, pod: NodePod) -> None:
        there = next(node for node, fact in sorted(self.nodes_by_name.items()) if fact.takes_pods)
        self.pods = [(where, one) for where, one in self.pods if one.uid != pod.uid]
        self.pods.append((there, pod.model_copy(update={"uid": f"{pod.uid}+"})))
        self._ready_at[pod.owner] = time.monotonic() + self.ready_within

    def _must_answer(self) -> None:
        if self.gone:
            raise UnreachableError("the API server does not answer")


class FakeMachines:
    """Control plane of the machines: what it has ended changes for a moment, then is deallocated."""

    def __init__(self) -> None:
        self.states: dict[str, MachineState] = {}
        """Node → state; a node that is not listed has a machine that runs."""
        self.ended: list[str] = []
        """Who was to be ended, once per call."""
        self.keeps: MachineState | None = None
        """What every machine is, whatever is done."""
        self.missing: set[str] = set()
        self.silent = self.forbidden = self.breaks = False
        self.asked = 0

    async def state(self, target: NodeTarget, provider_id: str) -> MachineState:  # noqa: ARG002 - it goes by names
        self._must_answer(target.name)
        state = self.states.get(target.name, MachineState.RUNNING)
        if state is MachineState.CHANGING:
            self.states[target.name] = MachineState.DEALLOCATED
        return self.keeps or state

    async def end(self, target: NodeTarget, provider_id: str) -> None:  # noqa: ARG002
        self._must_answer(target.name)
        self.ended.append(target.name)
        if self.states.get(target.name, MachineState.RUNNING) is MachineState.RUNNING:
            self.states[target.name] = MachineState.CHANGING

    def _must_answer(self, node: str) -> None:
        self.asked += 1
        if self.breaks:
            self.breaks = False
            raise RuntimeError("the worker dies")
        if self.silent:
            raise UnreachableError(f"nobody says how {node} is")
        if self.forbidden:
            raise ForbiddenError(f"asked for {node}: grant the worker instanceView/read")
        if node in self.missing:
            raise MissingError(f"nobody knows {node}")
