"""The lab's estate, changed for a while: by a benchmark that asks nobody for approval, by a test that adds a member."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from deploy.lab.breaking import worker_pods
from deploy.lab.names import HUB_ADDRESS, POWER_PORT, Lab
from deploy.lab.processes import wait_until
from deploy.lab.workload import kubectl

_READ_WITHIN = 120


def read_estate(lab: Lab, binaries: Path) -> dict[str, Any]:
    """Return the estate as the cluster has it."""
    found = kubectl(lab, binaries, "get", "configmap", "failover-estate", "-o", r"jsonpath={.data.estate\.yaml}")
    estate: dict[str, Any] = yaml.safe_load(found)
    return estate


def publish_estate(lab: Lab, binaries: Path, estate: dict[str, Any]) -> None:
    """Replace the estate, and return once every worker reads it."""
    text = yaml.safe_dump(estate)
    patch = yaml.safe_dump({"data": {"estate.yaml": text}})
    kubectl(lab, binaries, "patch", "configmap", "failover-estate", "--type=merge", "-p", patch)
    for pod in worker_pods(lab, binaries):
        _until_read(lab, binaries, pod, text)


@contextmanager
def changed_estate(lab: Lab, binaries: Path, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Let ``change`` edit the estate for the time of the block; every worker reads it before, and the old one after."""
    before = read_estate(lab, binaries)
    changed = copy.deepcopy(before)
    change(changed)
    try:
        publish_estate(lab, binaries, changed)
        yield
    finally:
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


def _until_read(lab: Lab, binaries: Path, pod: str, text: str) -> None:
    """Return once the worker in ``pod`` reads the estate so: a pod that changes makes its kubelet look at its volumes."""
    kubectl(lab, binaries, "annotate", "pod", pod, f"failover.lab/estate-read={secrets.token_hex(4)}", "--overwrite")
    read = ("exec", pod, "--", "cat", "/etc/failover/estate.yaml")
    wait_until(f"{pod} has the estate", lambda: kubectl(lab, binaries, *read, check=False) == text, _READ_WITHIN)
