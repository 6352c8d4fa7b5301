"""The word of a machine's control plane that nothing runs on it, taken only where nothing speaks against it.

A word that a machine is stopped, while the kubelet of its node answers, is about another machine: no proof. Who has no
machines in the estate has no word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.nodes.machine_models import MachineState, scale_set_machine
from activities.nodes.models import NodeFact, NodeWitness
from activities.run.errors import Refusal, refuse
from activities.run.inventory import Inventory
from activities.run.polling import sleep
from estate.base import Region
from estate.nodes import MachineKind, NodeTarget

if TYPE_CHECKING:
    from activities.clients.cluster_ports import Machines, Nodes

LOOK_SECONDS = 1.0
_NO_WORD = (UnreachableError, ForbiddenError, MissingError, ApplicationError)


class MachineWords:
    """Asks the control plane of a node's machine, and looks whether the node contradicts it."""

    def __init__(self, nodes: Nodes, machines: Mapping[MachineKind, Machines]) -> None:
        """Ask ``machines`` of the pool's kind."""
        self._nodes, self._machines = nodes, machines

    async def of(self, target: NodeTarget, provider_id: str) -> tuple[str, MachineState]:
        """Return the control plane's word that the machine does not run, empty for anything else, and its state.

        Raises:
            ApplicationError: ``NodeAlive`` when its kubelet answers all the same; ``BadInput`` when the control plane knows
                no such machine. UnreachableError, ForbiddenError: nobody says anything.

        """
        settings = target.settings.machines
        who = f"{settings.kind if settings else 'nobody'} says that the machine of {target.name} is"
        try:
            state = await self.control_plane(target).state(target, provider_id)
        except MissingError as error:
            is_azure = settings is not None and settings.kind is MachineKind.AZURE
            if not is_azure or scale_set_machine(provider_id) is None:
                raise refuse(Refusal.BAD_INPUT, str(error)) from error
            state, words = MachineState.DEALLOCATED, f"{who} gone"
        else:
            words = f"{who} {state}" if state.runs_nothing else ""
        seen = await self.witness(target) if words else None
        if seen is not None and seen.port == "answers":
            raise refuse(Refusal.NODE_ALIVE, f"{words}, and yet its kubelet answers: that is no proof")
        return words, state

    async def witness(self, target: NodeTarget) -> NodeWitness | None:
        """Return what can be seen of the node itself; ``None`` when it has left the cluster."""
        node = await self._node(target)
        return None if node is None else await self._nodes.witness(target.region, node, ())

    async def is_its_machine(self, target: NodeTarget, provider_id: str) -> bool:
        """Whether the node itself names that machine."""
        node = await self._node(target)
        return node is not None and node.provider_id == provider_id

    async def _node(self, target: NodeTarget) -> NodeFact | None:
        nodes = await self._nodes.nodes(target.region)
        return next((one for one in nodes if one.name == target.name), None)

    def control_plane(self, target: NodeTarget) -> Machines:
        """Return who can say of the target's machine whether it runs."""
        settings = target.settings.machines
        if settings is None:
            raise refuse(Refusal.BAD_ESTATE, f"node_pools.{target.pool} has no machines")
        return self._machines[settings.kind]


class NodeMachines:
    """Waits for the word about the machine of a node, of which only the name is known."""

    def __init__(self, inventory: Inventory, nodes: Nodes, words: MachineWords) -> None:
        """Find the node's pool in ``inventory``."""
        self._inventory, self._nodes, self._words = inventory, nodes, words

    async def until_stopped(self, region: Region, name: str) -> str:
        """Return the word that the machine of the node ``name`` runs nothing, once there is one; look every second.

        The machine is found once: the word counts also when its node has left the cluster meanwhile. Whatever keeps it
        from looking is logged and tried again. Changes nothing.
        """
        found, said = None, ""
        while True:
            try:
                found = found or await self._find(region, name)
                words, _ = await self._words.of(*found) if found else ("", None)
                if words:
                    return words
            except _NO_WORD as error:
                if str(error) != said:
                    activity.logger.warning("No word about the machine of %s: %s", name, error)
                said = str(error)
            await sleep(LOOK_SECONDS)

    async def _find(self, region: Region, name: str) -> tuple[NodeTarget, str] | None:
        """Return the node as one of the first pool whose labels it has; ``None`` without a pool, or machines."""
        node = next((one for one in await self._nodes.nodes(region) if one.name == name), None)
        if node is None:
            return None
        estate = self._inventory.estate()
        for key, pool in sorted(estate.node_pools.items()):
            if estate.regions[pool.region] == region and pool.has(node.labels):
                target = NodeTarget(name=name, region=region, pool=key, settings=pool)
                return (target, node.provider_id) if pool.machines is not None else None
        return None
