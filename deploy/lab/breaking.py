"""Breaks one thing of a lab at a time, as the world would, and heals everything again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.lab import processes
from deploy.lab.cluster import ready_nodes, up
from deploy.lab.names import NODES, Lab, LabError, LabUsageError
from deploy.lab.network import lose_packets, set_link
from deploy.lab.node import in_node, power_off
from deploy.lab.processes import wait_until
from deploy.lab.regions.faults import FAULTS as OF_REGIONS
from deploy.lab.sentinels import redis_master
from deploy.lab.workload import NAMESPACE, annotation, kubectl

_LOSS = 0.05
FAULTS = {
    "primary": "kill -9 the leading PostgreSQL server; its gate starts it again",
    "redis-master": "kill -9 the Redis master; the kubelet starts its container again",
    "container": "kill -9 every process of the pod NAME; the kubelet starts its container again",
    "freeze": "stop every process of the pod NAME where it is (SIGSTOP); heal lets them go on",
    "pod": "delete the pod NAME at once, without grace",
    "worker": "kill -9 the worker in pod NAME (default: the first one)",
    "node": "cut the power of the node NAME",
    "machine": "freeze the node NAME, as when its machine is moved: nothing of it runs, nothing answers; heal lets it go on",
    "loss": "let the node NAME lose 5 % of the packets that it is sent",
    "network": "pull the network cable of the node NAME",
}


def break_it(lab: Lab, binaries: Path, what: str, name: str) -> str:
    """Break ``what``; return a sentence that says what was done.

    Raises:
        LabUsageError: unknown fault, or its name is missing or unknown.
        LabError: there is nothing to break.
    """
    if what not in FAULTS:
        raise LabUsageError(f"what: {what!r} is not known; known are {', '.join((*FAULTS, *OF_REGIONS))}")
    if what == "primary":
        return _kill_server(lab, binaries, annotation(lab, binaries, "leader"))
    if what == "redis-master":
        return _kill_redis_master(lab, binaries)
    if what == "worker":
        workers = worker_pods(lab, binaries)
        pod = _known("running worker pod", name or next(iter(workers), ""), workers)
        kill_processes(lab, binaries, pod, signal.SIGKILL)
        return f"killed the worker in {pod}"
    if what in {"container", "freeze", "pod"}:
        return _break_pod(lab, binaries, what, _known("pod", name, pods(lab, binaries)))
    return _break_node(lab, what, _known("node", name, NODES))


def _break_node(lab: Lab, what: str, node: str) -> str:
    if what == "node":
        power_off(lab, node)
        return f"cut the power of {node}"
    if what == "machine":
        freeze_machine(lab, node)
        return f"froze {node}"
    if what == "loss":
        lose_packets(lab, node, _LOSS)
        return f"{node} loses {_LOSS:.0%} of what it is sent"
    set_link(lab, node, up=False)
    return f"pulled the cable of {node}"


def freeze_machine(lab: Lab, node: str) -> None:
    """Stop every process of the node where it is, and its network with it: its kernel would answer for it."""
    set_link(lab, node, up=False)
    _signal_machine(lab, node, "STOP")


def thaw_machine(lab: Lab, node: str) -> None:
    """Let it go on. Harmless when it does."""
    _signal_machine(lab, node, "CONT")
    set_link(lab, node, up=True)


def _signal_machine(lab: Lab, node: str, name: str) -> None:
    holder = processes.pid_of(lab, node)
    if holder is not None:
        processes.run(in_node(holder, "sh", "-c", f"kill -{name} -1"), check=False)  # -1: every process of its namespace


def _break_pod(lab: Lab, binaries: Path, what: str, pod: str) -> str:
    if what == "pod":
        kubectl(lab, binaries, "delete", "pod", pod, "--force", "--grace-period=0", "--wait=false")
        return f"deleted {pod}"
    count = kill_processes(lab, binaries, pod, signal.SIGKILL if what == "container" else signal.SIGSTOP)
    if not count:
        raise LabError(f"nothing runs in {pod} now; see: failover lab status")
    return f"{'killed' if what == 'container' else 'stopped'} {count} processes of {pod}"


def _known(kind: str, name: str, known: Sequence[str]) -> str:
    """Return ``name`` if there is such a thing."""
    if name not in known:
        raise LabUsageError(f"target: {name or 'missing'} is no {kind}; there is {', '.join(known) or 'none'}")
    return name


def heal(lab: Lab, say: Callable[[str], None] = print) -> None:
    """Bring everything back: cables, power, and whatever else ``up`` brings."""
    let_go_on(lab)
    binaries = up(lab, say)
    wait_until("every node Ready", lambda: ready_nodes(lab, binaries) >= set(NODES), 90)


def let_go_on(lab: Lab) -> None:
    """Let every node that has power, and every pod, go on with whole cables. Harmless where they do."""
    for node in NODES:
        if processes.pid_of(lab, node) is not None:
            thaw_machine(lab, node)
            lose_packets(lab, node, 0)
    thaw(lab)


def worker_pods(lab: Lab, binaries: Path) -> list[str]:
    """Return the names of the running worker pods."""
    return pods(lab, binaries, "-l", "app=failover-worker", "--field-selector=status.phase=Running")


def pods(lab: Lab, binaries: Path, *select: str) -> list[str]:
    """Return the names of the platform's pods, sorted."""
    return sorted(kubectl(lab, binaries, "get", "pods", *select, "-o", "jsonpath={.items[*].metadata.name}").split())


def kill_processes(lab: Lab, binaries: Path, pod: str, number: signal.Signals, *, namespace: str = NAMESPACE) -> int:
    """Send ``number`` to every process of ``pod`` but its pause; return how many there were."""
    pids = pids_of(lab, binaries, pod, namespace=namespace)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(pids)


def pids_of(lab: Lab, binaries: Path, pod: str, *, namespace: str = NAMESPACE) -> list[int]:
    """Return the processes of ``pod`` but its pause, as this machine numbers them."""
    uid = kubectl(lab, binaries, "get", "pod", pod, "-o", "jsonpath={.metadata.uid}", namespace=namespace)
    return _pids(lab, uid)


def kill_servers(lab: Lab, binaries: Path, pod: str, uid: str = "") -> int:
    """Kill the PostgreSQL processes of ``pod``, and not its gate's; return how many there were."""
    uid = uid or kubectl(lab, binaries, "get", "pod", pod, "-o", "jsonpath={.metadata.uid}")
    killed = 0
    for pid in _pids(lab, uid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "postgres":
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


def thaw(lab: Lab) -> None:
    """Let every process of the lab's pods that was stopped go on."""
    for pid in _pids(lab, ""):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _pids(lab: Lab, uid: str) -> list[int]:
    """Return the pods' processes, as this machine numbers them: all processes of a lab are visible from here."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            group = (folder / "cgroup").read_text(encoding="utf-8")
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"/failover-{lab.name}-" in group and uid in group and b"pause" not in command.split(b"\0")[0]:
            found.append(int(folder.name))
    return found


def _kill_server(lab: Lab, binaries: Path, leader: str) -> str:
    if not leader:
        raise LabError("nobody leads PostgreSQL now; see: failover lab status")
    pid = lab.disks / leader / "pgdata" / "postmaster.pid"
    if not pid.exists():
        raise LabError(f"{leader} has no running server")
    inside = pid.read_text(encoding="utf-8").split()[0]
    kubectl(lab, binaries, "exec", leader, "--", "kill", "-9", inside)
    return f"killed the PostgreSQL server of {leader}"


def _kill_redis_master(lab: Lab, binaries: Path) -> str:
    master = redis_master(lab, binaries)
    if not master:
        raise LabError("no majority of the Sentinels names a master now; see: failover lab status")
    kill_processes(lab, binaries, master, signal.SIGKILL)
    return f"killed the Redis master {master}"
