"""Waits until what runs on the lab's cluster is really ready.

After a crash of whole nodes the API server still holds what their kubelets last said, so "Ready" may be a memory. A pod
counts only when its container was started after its node.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.lab.names import NODES, Lab, LabError
from deploy.lab.processes import wait_until
from deploy.lab.sentinels import redis_is_redundant
from deploy.lab.workload import kubectl, listed, sync_members

_WORKLOADS = (
    "statefulset/postgresql-primary",
    "statefulset/postgresql-standby",
    "statefulset/redis",
    "statefulset/redis-sentinel",
    "deployment/api-deployment",
    "deployment/failover-worker",
    "statefulset/failover-witness",
)


def await_workload(lab: Lab, binaries: Path, seconds: float = 120) -> None:
    """Return once PostgreSQL and Redis are redundant, and API and workers are ready.

    Raises:
        LabError: not in time; says which pods are not ready, and what they last said.
    """
    try:
        wait_until("every pod of this boot", lambda: not _unready(lab, binaries), seconds)
        kubectl(lab, binaries, "rollout", "status", *_WORKLOADS, f"--timeout={seconds:.0f}s")
        wait_until("PostgreSQL redundant", lambda: sync_members(lab, binaries) != "", seconds)
        wait_until("Redis redundant", lambda: redis_is_redundant(lab, binaries), seconds)
    except LabError as error:
        said = {pod: kubectl(lab, binaries, "logs", pod, "--tail=1", check=False) for pod in _unready(lab, binaries)}
        words = "; ".join(f"{pod} last said: {line.strip() or 'nothing'}" for pod, line in said.items())
        raise LabError(f"the platform did not become ready: {words or error}") from error


def _unready(lab: Lab, binaries: Path) -> list[str]:
    return [pod["metadata"]["name"] for pod in listed(lab, binaries, "pods") if not _is_ready(lab, pod)]


def _is_ready(lab: Lab, pod: dict[str, Any]) -> bool:
    node, statuses = pod["spec"].get("nodeName"), pod["status"].get("containerStatuses", [])
    if not statuses or not all(one["ready"] for one in statuses):
        return False
    if node not in NODES:
        return True
    powered = lab.node_home(node) / "powered"
    if not powered.exists():
        return False
    booted = int(powered.stat().st_mtime)
    starts = [datetime.fromisoformat(one["state"]["running"]["startedAt"]).timestamp() for one in statuses]
    return all(start >= booted for start in starts)
