"""Where a lab keeps its things, and how its parts are called. Two labs with different names share nothing."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

HUB_ADDRESS = "172.30.0.1"
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
DNS_ADDRESS = "10.96.0.10"
NODES = ("node-1", "node-2", "node-3")

API_PORT = 6443
TEMPORAL_PORT = 7233
UI_PORT = 8233
TEMPORAL_HTTP_PORT = 7243
POWER_PORT = 8470


class LabError(Exception):
    """Something a person must know; one sentence with the remedy."""


class LabUsageError(LabError):
    """What was asked for does not exist, or was typed wrongly; nothing was done."""


@dataclass(frozen=True)
class Lab:
    """One lab by name. Makes no promise that it runs."""

    name: str = "lab"

    def __post_init__(self) -> None:
        """Refuse names that cannot be part of a namespace's or a link's name."""
        if not re.fullmatch(r"[a-z][a-z0-9]{0,9}", self.name):
            raise LabUsageError(f"name: {self.name!r} must be 1 to 10 lower-case letters or digits, a letter first")

    @property
    def option(self) -> str:
        """What to add to a ``failover lab`` command to mean this lab."""
        return "" if self.name == "lab" else f" --name {self.name}"

    @property
    def home(self) -> Path:
        """State directory: removed by ``down``."""
        return Path(os.environ.get("FAILOVER_LAB_HOME", "/srv/failover-lab")) / self.name

    @property
    def hub(self) -> str:
        """Name of the hub's network namespace."""
        return f"failover-{self.name}-hub"

    @property
    def hub_path(self) -> str:
        """Path of the hub's network namespace."""
        return f"/run/netns/{self.hub}"

    @property
    def pki(self) -> Path:
        """Keys, certificates and kubeconfigs."""
        return self.home / "pki"

    @property
    def product(self) -> Path:
        """The product's code as the pods see it."""
        return self.home / "product"

    @property
    def disks(self) -> Path:
        """Volumes: one directory per disk."""
        return self.home / "disks"

    @property
    def extra(self) -> Path:
        """Programs that a benchmark brings for pods of its own; empty otherwise."""
        return self.home / "extra"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig for use on the host, through the portal."""
        return self.home / "kubeconfig"

    def node_home(self, node: str) -> Path:
        """Return the persistent disk of ``node``."""
        return self.home / "nodes" / node

    def cgroup(self, node: str) -> str:
        """Cgroup (below the root of each hierarchy) that all pods of ``node`` live in."""
        return f"failover-{self.name}-{node}"

    @property
    def ports(self) -> dict[str, int]:
        """Loopback ports on the host: ``api``, ``temporal``, ``ui``, ``http``."""
        loaded: dict[str, int] = json.loads((self.home / "ports.json").read_text(encoding="utf-8"))
        return loaded


def node_number(node: str) -> int:
    """Return 1 for ``node-1``."""
    return int(node.rpartition("-")[2])


def node_address(node: str) -> str:
    """Return the node's address on the hub's bridge."""
    return f"172.30.0.{10 + node_number(node)}"


def pod_range(node: str) -> str:
    """Return the addresses that the node gives to its pods."""
    return f"10.244.{node_number(node)}.0/24"
