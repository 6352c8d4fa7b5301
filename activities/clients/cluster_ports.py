"""What the steps for pods and nodes need from a Kubernetes cluster, as Protocols; errors are those of ``ports``."""

from __future__ import annotations

from typing import Protocol

from activities.nodes.machine_models import MachineState
from activities.nodes.models import NodeFact, NodePod, NodeWitness
from activities.pods.models import PodSeen
from estate.base import Region
from estate.nodes import NodeTarget
from estate.workloads import WorkloadTarget


class Workloads(Protocol):
    """Deployments and their pods, and the Services in front of them."""

    async def pods(self, target: WorkloadTarget) -> tuple[int, tuple[PodSeen, ...]]:
        """Return (wanted pods, the Deployment's pods) without those that leave within their grace."""

    async def evidence(self, target: WorkloadTarget, pod: PodSeen) -> PodSeen:
        """Return ``pod`` with its latest events and its last log lines; what cannot be had is left out."""

    async def end_main_process(self, target: WorkloadTarget, pod: PodSeen) -> str:
        """End the first process of a pod's container; return how. MissingError without such a pod."""

    async def delete(self, target: WorkloadTarget, pod: PodSeen, *, at_once: bool) -> None:
        """Delete this very pod (by its UID); one that is gone is success. ``at_once`` waits for no kubelet."""

    async def ask(self, target: WorkloadTarget) -> None:
        """Ask the Service on a new connection.

        Raises:
            WriteFailedError: it answered with another status than 2xx, or its connection ended.
            UnreachableError: nobody answered.

        """


class Nodes(Protocol):
    """Nodes and what runs on them, in every namespace."""

    async def nodes(self, region: Region) -> tuple[NodeFact, ...]:
        """Return every node, sorted by name."""

    async def pods_on(self, region: Region, node: str) -> tuple[NodePod, ...]:
        """Return the pods that were given to ``node``, sorted by path."""

    async def homeless(self, region: Region, node: str, others: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the UIDs of the pods of ``node`` that none of the nodes ``others`` would take.

        With each those of its claims whose volumes are bound to ``node``; none where volumes may not be read.
        """

    async def cordon(self, region: Region, node: str, run: str) -> None:
        """Keep new pods away, and write down for which run. Safe to repeat."""

    async def uncordon(self, region: Region, node: str) -> None:
        """Let new pods on again, and forget for which run they were kept away. Safe to repeat."""

    async def evict(self, region: Region, pod: NodePod) -> str:
        """Evict this very pod; return why its budget does not let it go, empty when it goes or has gone."""

    async def delete(self, region: Region, pod: NodePod, *, at_once: bool = False) -> None:
        """Delete this very pod, whatever its budget says; one that is gone is success. ``at_once`` waits for no kubelet."""

    async def witness(self, region: Region, node: NodeFact, pods: tuple[NodePod, ...]) -> NodeWitness:
        """Return what lease, kubelet port and pods tell of a node, each asked for at most a second."""

    async def give_up(self, region: Region, node: str) -> None:
        """Taint a node as out of service: its volumes may be used elsewhere. Only after proof that it is stopped."""

    async def take_back(self, region: Region, node: str) -> None:
        """Remove that taint. Safe to repeat."""

    async def unready(self, region: Region, pods: tuple[NodePod, ...]) -> tuple[str, ...]:
        """Return a line per controller of ``pods`` that has fewer ready pods than it wants; one that is gone wants none."""


class Machines(Protocol):
    """The machines below the nodes, by the word of their own control plane."""

    async def state(self, target: NodeTarget, provider_id: str) -> MachineState:
        """Return what the control plane says of the node's machine.

        Raises:
            MissingError: it knows no such machine.

        """

    async def end(self, target: NodeTarget, provider_id: str) -> None:
        """Ask for the machine's end, whatever runs on it. Safe to repeat; returns once it is asked for.

        Raises:
            MissingError: there is no such machine.

        """
