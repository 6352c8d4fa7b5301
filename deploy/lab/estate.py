"""The lab's estate, changed for a while: by a benchmark that asks nobody for approval, by a test that adds a member."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from deploy.lab.cluster import ready_nodes
from deploy.lab.names import HUB_ADDRESS, POWER_PORT, Lab
from deploy.lab.processes import wait_until
from deploy.lab.workload import kubectl, listed

_READ_WITHIN = 120


def read_estate(lab: Lab, binaries: Path) -> dict[str, Any]:
    """Return the estate as the cluster has it."""
    found = kubectl(lab, binaries, "get", "configmap", "failover-estate", "-o", r"jsonpath={.data.estate\.yaml}")
    estate: dict[str, Any] = yaml.safe_load(found)
    return estate


def publish_estate(lab: Lab, binaries: Path, estate: dict[str, Any]) -> None:
    """Replace the estate, and return once every worker that can be reached reads it."""
    text = _replace(lab, binaries, estate)
    asked: set[str] = set()
    wait_until("every worker has the estate", lambda: _have_read(lab, binaries, text, asked), _READ_WITHIN)


@contextmanager
def changed_estate(lab: Lab, binaries: Path, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Let ``change`` edit the estate for the time of the block; every worker reads it before, and the old one after."""
    before = read_estate(lab, binaries)
    changed = copy.deepcopy(before)
    change(changed)
    try:
        publish_estate(lab, binaries, changed)
        yield
    except BaseException:
        _replace(lab, binaries, before)  # what went wrong inside may be why workers cannot read it now
        raise
    publish_estate(lab, binaries, before)


def isolation_is_proof(estate: dict[str, Any]) -> None:
    """Accept that the gate of a primary that nobody vouches for has stopped its server by itself."""
    for cluster in estate["postgres"].values():
        cluster["forced"] = {**cluster.get("forced", {}), "proof": ["gate", "isolation"]}


def power_is_proof(estate: dict[str, Any]) -> None:
    """Accept the word of the lab's power interface that a node does not run, and let runs end one that is silent."""
    for cluster in estate["postgres"].values():
        cluster["forced"] = {**cluster.get("forced", {}), "proof": ["gate", "machine"]}
    machines = {
        "kind": "http",
        "address": f"http://{HUB_ADDRESS}:{POWER_PORT}",
        "token": "file:/var/run/secrets/failover/power/token",
        "may_end": True,
    }
    for pool in estate["node_pools"].values():
        pool["machines"] = machines


def automatic(estate: dict[str, Any]) -> None:
    """Let every watch act by itself, as often as there is reason to, and isolation be proof."""
    isolation_is_proof(estate)
    for section in ("postgres", "redis", "node_pools", "workloads"):
        for entry in estate.get(section, {}).values():
            entry["watch"] = {**entry.get("watch", {}), "policy": "automatic"}


def _replace(lab: Lab, binaries: Path, estate: dict[str, Any]) -> str:
    text = yaml.safe_dump(estate)
    patch = yaml.safe_dump({"data": {"estate.yaml": text}})
    kubectl(lab, binaries, "patch", "configmap", "failover-estate", "--type=merge", "-p", patch)
    return text


def _have_read(lab: Lab, binaries: Path, text: str, asked: set[str]) -> bool:
    """Whether every worker reads ``text``. ``asked``: pods whose kubelets were made to look at their volumes."""
    living = ready_nodes(lab, binaries)
    workers = [pod for pod in listed(lab, binaries, "pods", "-l", "app=failover-worker") if _works(pod, living)]
    said = [_reads(lab, binaries, pod["metadata"]["name"], text, asked) for pod in workers]
    return all(said)


def _works(pod: dict[str, Any], living: set[str]) -> bool:
    leaves = "deletionTimestamp" in pod["metadata"]
    return not leaves and pod["status"].get("phase") == "Running" and pod["spec"].get("nodeName") in living


def _reads(lab: Lab, binaries: Path, pod: str, text: str, asked: set[str]) -> bool:
    if pod not in asked:  # a pod that changes makes its kubelet look at its volumes
        mark = f"failover.lab/estate-read={secrets.token_hex(4)}"
        kubectl(lab, binaries, "annotate", "pod", pod, mark, "--overwrite", check=False)
        asked.add(pod)
    return kubectl(lab, binaries, "exec", pod, "--", "cat", "/etc/failover/estate.yaml", check=False) == text
