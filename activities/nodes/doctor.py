"""Doctor's look at the control plane of a pool's machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from temporalio.exceptions import ApplicationError

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding
from estate.base import Region
from estate.nodes import MachineKind, NodePool, NodeTarget

if TYPE_CHECKING:
    from activities.clients.cluster_ports import Machines, Nodes

_REMEDY = {
    MachineKind.AZURE: "give the worker's identity instanceView/read (and deallocate/action) on the scale set's instances",
    MachineKind.HTTP: "see address and token of the pool's machines in the estate, and the worker's network",
}


class MachineLook:
    """Asks each control plane about one node of its pool; changes nothing."""

    def __init__(self, nodes: Nodes, machines: Mapping[MachineKind, Machines]) -> None:
        """Find the pool's nodes through ``nodes``."""
        self._nodes, self._machines = nodes, machines

    async def of_pool(self, name: str, pool: NodePool, region: Region) -> list[Finding]:
        """Return one finding for a pool that has machines, none for another."""
        if pool.machines is None:
            return []
        subject, remedy = f"machines of {name}", _REMEDY[pool.machines.kind]
        try:
            nodes = await self._nodes.nodes(region)
            node = next((one for one in nodes if pool.has(one.labels)), None)
            if node is None:
                return [warning(subject, "the pool has no node that could be asked for", "see the pool's selector")]
            target = NodeTarget(name=node.name, region=region, pool=name, settings=pool)
            state = await self._machines[pool.machines.kind].state(target, node.provider_id)
        except (UnreachableError, ForbiddenError, MissingError) as error:
            return [fault(subject, str(error), remedy)]
        except ApplicationError as error:
            return [fault(subject, error.message, remedy)]
        return [ok(subject, f"{pool.machines.kind} answers: {node.name} is {state}")]
