"""What is done to a primary, the same way to each contestant, and what makes the next run start from the same place."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deploy.lab.breaking import break_it, kill_processes
from deploy.lab.cluster import ready_nodes
from deploy.lab.names import NODES, Lab, LabError
from deploy.lab.network import set_link
from deploy.lab.node import power_off, start_node
from deploy.lab.processes import wait_until
from deploy.lab.workload import kubectl

_NODES_WITHIN = 90


class Fault(StrEnum):
    """What happens to the primary."""

    PLANNED = "planned switch"
    SERVER = "server killed"
    KEPT_DOWN = "server kept down"
    CONTAINER = "container killed"
    POD = "pod deleted"
    NODE = "node's power cut"
    NETWORK = "node cut off"


HOW = {
    Fault.PLANNED: "nothing fails; Patroni: `patronictl switchover --force`, ours: `postgres-failover` in mode planned",
    Fault.SERVER: "kill -9 of the leading PostgreSQL server alone; ours: its gate starts it again at once",
    Fault.KEPT_DOWN: "kill -9 of the leading PostgreSQL server, and of every server that its gate starts after it",
    Fault.CONTAINER: "kill -9 of every process in the primary's pod; the kubelet starts its container again in the same pod",
    Fault.POD: "`kubectl delete pod --force --grace-period=0`; the kubelet ends it with SIGTERM and its grace of 60 s,"
    " the StatefulSet makes a new pod of that name with the same disk",
    Fault.NODE: "every process of the primary's node is killed at once and its cable is gone; the node comes back after the"
    " first write",
    Fault.NETWORK: "the cable of the primary's node is pulled: its server runs on and reaches nobody; mended afterwards",
}


@dataclass(frozen=True)
class Pods:
    """A contestant's members on the lab."""

    lab: Lab
    binaries: Path
    namespace: str
    members: tuple[str, ...]

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        """Run kubectl in their namespace."""
        return kubectl(self.lab, self.binaries, *arguments, check=check, namespace=self.namespace)

    def field(self, member: str, path: str) -> str:
        """Return what a JSON path finds in a member's pod; empty while there is no such pod."""
        return self.kubectl("get", "pod", member, "-o", f"jsonpath={{{path}}}", check=False)

    def addresses(self) -> dict[str, str]:
        """Return member → pod address."""
        return {member: self.field(member, ".status.podIP") for member in self.members}

    def strike(self, fault: Fault, member: str, node: str) -> None:
        """Let ``fault`` happen to ``member``, which runs on ``node``.

        Raises:
            LabError: there was nothing to kill.
        """
        if fault is Fault.NODE:
            power_off(self.lab, node)
        elif fault is Fault.NETWORK:
            set_link(self.lab, node, up=False)
        elif fault is Fault.SERVER:
            break_it(self.lab, self.binaries, "primary", "")
        elif fault is Fault.POD:
            self.kubectl("delete", "pod", member, "--force", "--grace-period=0", "--wait=false")
        elif kill_processes(self.lab, self.binaries, member, signal.SIGKILL, namespace=self.namespace) == 0:
            raise LabError(f"{member} has no process to kill")

    def serves_names(self, node: str) -> bool:
        """Whether one of the cluster's DNS servers runs on ``node``: its loss stalls every other lookup for a while."""
        here = ("-l", "k8s-app=kube-dns", "--field-selector", f"spec.nodeName={node}", "-o", "name")
        return bool(kubectl(self.lab, self.binaries, "get", "pods", *here, namespace="kube-system").strip())

    def bring_back(self, node: str) -> None:
        """Give ``node`` its power back. Harmless when it has it."""
        start_node(self.lab, node, self.binaries)
        wait_until("every node Ready", lambda: ready_nodes(self.lab, self.binaries) >= set(NODES), _NODES_WITHIN)

    def replace_restarted(self) -> bool:
        """Delete members whose container was started again; return whether there were any.

        The kubelet lets a container that fails again wait longer and longer; a new pod starts without that memory.
        """
        restarts = {member: self.field(member, ".status.containerStatuses[0].restartCount") for member in self.members}
        restarted = [member for member, count in restarts.items() if count not in {"", "0"}]
        for member in restarted:
            self.kubectl("delete", "pod", member)
        return bool(restarted)
