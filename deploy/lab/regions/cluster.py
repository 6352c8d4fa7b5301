"""One region's Kubernetes cluster: a control plane and one node, in network namespaces of its own.

Two labs with different names share nothing, so two regions are two labs; what stands in both has the same address in each.
Three doors lead through the walls: the API server's and the application's from the host's loopback, and the database's from
inside to wherever the virtual endpoint leads (``door``). A region that is lost loses control plane and node at once; its
disks, and what its etcd knew, stay.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.lab import portal, processes
from deploy.lab.azure.pair import APPLICATION
from deploy.lab.certificates import ensure_certificates, write_kubeconfig
from deploy.lab.cluster import Say, down, ready_nodes, timed
from deploy.lab.controlplane import start_control_plane
from deploy.lab.images import make_images
from deploy.lab.names import API_PORT, HUB_ADDRESS, Lab
from deploy.lab.network import ensure_hub
from deploy.lab.node import power_off, start_hub_proxy, start_node
from deploy.lab.ports import free_port
from deploy.lab.processes import run, spawn, wait_until
from deploy.lab.product import copy_product
from deploy.lab.workload import NAMESPACE, apply, listed

API_TOKEN = "api-token"  # noqa: S105 - of an application that lives as long as a demonstration
_NODE = "node-1"
_MANIFESTS = Path(__file__).with_name("manifests")
OVERLAY, PILOT_LIGHT = _MANIFESTS / "dr", _MANIFESTS / "pilot-light"
_SERVICE = "10.96.0.80"
_API_SERVER = "apiserver"
_CONTROL_PLANE = ("hub-proxy", "scheduler", "controller-manager", _API_SERVER, "etcd")
_DOORS = ("portal", "database")
_READY_SECONDS = 90


@dataclass(frozen=True)
class Endpoint:
    """Where the database of both regions is asked for."""

    nameserver: str
    """HOST:PORT."""
    writer: str
    """NAME:PORT."""


@dataclass(frozen=True)
class RegionCluster:
    """``name`` is the region's in the estate; ``context`` its cluster's in the kubeconfig."""

    name: str
    context: str
    lab: Lab
    binaries: Path
    endpoint: Endpoint

    def up(self, say: Say, manifests: str) -> None:
        """Start what does not run, and apply ``manifests``."""
        with timed(say, f"{self.context}: control plane and a node"):
            self._prepare()
            self.heal()
        self._install(manifests)

    def down(self) -> None:
        """Leave nothing behind."""
        down(self.lab, lambda _: None)

    def lose(self) -> None:
        """Lose control plane and node at once, as if the region had no power."""
        power_off(self.lab, _NODE)
        for name in _CONTROL_PLANE:
            processes.end(self.lab, name, force=True)

    def heal(self) -> None:
        """Start what does not run of it, as it was."""
        start_control_plane(self.lab, self.binaries)
        self._open_doors()
        start_node(self.lab, _NODE, self.binaries)
        wait_until(f"{self.context}: its node Ready", self._is_ready, _READY_SECONDS)
        start_hub_proxy(self.lab, self.binaries, _NODE)

    def end_api_server(self) -> None:
        """Kill the API server alone: nobody can change the cluster, and its pods go on."""
        processes.end(self.lab, _API_SERVER, force=True)

    @property
    def is_lost(self) -> bool:
        """Whether its node has no power."""
        return processes.pid_of(self.lab, _NODE) is None

    @property
    def parts(self) -> dict[str, bool]:
        """Which parts run."""
        groups = {
            "API server": (_API_SERVER,), "control plane": set(_CONTROL_PLANE) - {_API_SERVER}, "doors": _DOORS,
            "node": (_NODE, *(f"{_NODE}-{part}" for part in ("containerd", "kubelet", "proxy"))),
        }  # fmt: skip
        return {group: all(processes.pid_of(self.lab, one) for one in names) for group, names in groups.items()}

    def await_application(self, replicas: int) -> None:
        """Wait until so many pods of the application are Ready."""
        wait_until(f"{replicas} pods Ready in {self.name}", lambda: self.ready_pods() == replicas, _READY_SECONDS)

    def ready_pods(self) -> int:
        """Return how many pods of the application are Ready."""
        pods = listed(self.lab, self.binaries, "pods", "--selector=app=api")
        conditions = [one for pod in pods for one in pod["status"].get("conditions", [])]
        return sum(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    @property
    def application(self) -> str:
        """HOST:PORT of the region's application, on the host."""
        return f"127.0.0.1:{self.lab.ports['application']}"

    def _is_ready(self) -> bool:
        return _NODE in ready_nodes(self.lab, self.binaries)

    def _prepare(self) -> None:
        lab = self.lab
        lab.home.mkdir(parents=True, exist_ok=True)
        ensure_certificates(lab)
        make_images(lab, self.binaries)
        ensure_hub(lab)
        for folder in (lab.disks, lab.extra):
            folder.mkdir(exist_ok=True)
        copy_product(lab)
        ports = lab.home / "ports.json"
        if not ports.exists():
            chosen = {name: free_port("127.0.0.1") for name in ("api", "application")}
            ports.write_text(json.dumps(chosen), encoding="utf-8")
        write_kubeconfig(lab.kubeconfig, lab.pki, "admin", f"https://127.0.0.1:{lab.ports['api']}")

    def _open_doors(self) -> None:
        lab, ports, endpoint = self.lab, self.lab.ports, self.endpoint
        doors = [f"{ports['api']}:{HUB_ADDRESS}:{API_PORT}", f"{ports['application']}:{_SERVICE}:80"]
        spawn(lab, "portal", [sys.executable, str(portal.__file__), lab.hub_path, *doors])
        inside = [lab.hub_path, f"{HUB_ADDRESS}:5432", endpoint.nameserver, endpoint.writer]
        spawn(lab, "database", [sys.executable, "-m", "deploy.lab.regions.door", *inside])

    def _install(self, manifests: str) -> None:
        kind: dict[str, object] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        apply(self.lab, self.binaries, [kind])
        where = {"namespace": NAMESPACE}
        secrets = {"password": APPLICATION.password, "token": API_TOKEN}
        objects: list[dict[str, Any]] = [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api", **where}, "stringData": secrets},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "region", **where}, "data": {"name": self.name}},
        ]
        rendered = run([str(self.binaries / "kubectl"), "kustomize", str(_MANIFESTS / manifests)])
        apply(self.lab, self.binaries, [*objects, *(one for one in yaml.safe_load_all(rendered) if one)])


def write_contexts(clusters: tuple[RegionCluster, ...], path: Path) -> None:
    """Write one kubeconfig with a context for each region."""
    config: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for one in clusters:
        own = yaml.safe_load(one.lab.kubeconfig.read_text(encoding="utf-8"))
        config["clusters"].append({"name": one.context, "cluster": own["clusters"][0]["cluster"]})
        config["users"].append({"name": one.context, "user": own["users"][0]["user"]})
        context = {"cluster": one.context, "user": one.context}
        config["contexts"].append({"name": one.context, "context": context})
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
