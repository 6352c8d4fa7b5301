"""Everything that steps reach: the worker makes it once, each procedure's spec takes what its steps need."""

from __future__ import annotations

from dataclasses import dataclass

from activities.clients.cluster_ports import Machines, Nodes, Workloads
from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.clients.ports import RedisServers
from activities.clients.region_ports import Application, Overlays, RegionClusters
from activities.clients.systems import Systems
from activities.run.inventory import Inventory
from estate.nodes import MachineKind


@dataclass(frozen=True)
class Clients:
    """One client a system."""

    inventory: Inventory
    systems: Systems
    redis: RedisServers
    nodes: Nodes
    workloads: Workloads
    machines: dict[MachineKind, Machines]
    flexible: tuple[FlexibleServers, FlexibleSql]
    """Azure's word, and the servers' own."""
    regions: tuple[RegionClusters, Overlays, Application]
    """What a region's failover changes."""
