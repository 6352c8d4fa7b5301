"""Everything that steps reach: the worker makes it once, each procedure's spec takes what its steps need."""

from __future__ import annotations

from dataclasses import dataclass

from activities.clients.cluster_ports import Machines, Nodes, Workloads
from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.clients.gateway_ports import Backends, Gateways
from activities.clients.ports import RedisServers
from activities.clients.region_ports import Application, Overlays, Readings, RegionClusters
from activities.clients.systems import Systems
from activities.clients.traffic_ports import TrafficClients
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
    traffic: TrafficClients
    """Azure's two sides, the edge and DNS."""
    gateways: tuple[Gateways, Backends]
    """Azure's word, and the backends' own."""
    regions: tuple[RegionClusters, Overlays, Application]
    """What a region's failover changes."""
    readings: Readings
    """What Azure says of backups, quotas and probes."""
