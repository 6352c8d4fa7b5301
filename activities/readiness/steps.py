"""Lists what there is to check: the estate's targets, and the nodes that its pools have at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.readiness.models import Checkable, Inventoried, InventoryRequest
from activities.run.declare import step
from activities.run.inventory import Inventory
from activities.run.postures import READ
from estate.model import Estate

if TYPE_CHECKING:
    from activities.clients.cluster_ports import Nodes

_WITHIN_SECONDS = 10.0
_NO_ANSWER = (UnreachableError, MissingError, ForbiddenError, TimeoutError)


class ReadinessActivities:
    """The part of a readiness pass that is no dry run."""

    def __init__(self, inventory: Inventory, nodes: Nodes) -> None:
        """Read ``inventory``; ask for nodes through ``nodes``."""
        self._inventory, self._nodes = inventory, nodes

    @step("readiness.list", READ, lambda _: "what the estate lists")
    async def listed(self, request: InventoryRequest) -> Inventoried:  # noqa: ARG002 - all of it
        """Return every target of the estate as it is now, sorted by kind and name. Changes nothing.

        A pool whose API server does not answer within 10 s is one target, ``unlisted``: its nodes are unknown.

        Raises:
            ApplicationError: ``BadEstate``, the file cannot be used.

        """
        estate = self._inventory.estate()
        plain: dict[str, Iterable[str]] = {
            "postgres": estate.postgres, "redis": estate.redis, "pods": estate.workloads,
            "flexible": estate.flexible_servers, "gateway": estate.gateways, "region": estate.region_failovers,
        }  # fmt: skip
        named = [Checkable(subject=subject, name=name) for subject, names in plain.items() for name in sorted(names)]
        led = [_led(estate, name) for name in sorted(estate.traffic)]
        return Inventoried(
            targets=(*named, *led, *await self._all_nodes(estate)),
            every=estate.readiness.every,
            at_once=estate.readiness.at_once,
        )

    async def _all_nodes(self, estate: Estate) -> list[Checkable]:
        """Return the nodes of all pools; a node with the labels of two belongs to the first, and is named once."""
        pools = await asyncio.gather(*(self._nodes_of(estate, name) for name in sorted(estate.node_pools)))
        return [*{(one.name, one.unlisted): one for pool in pools for one in pool}.values()]

    async def _nodes_of(self, estate: Estate, name: str) -> list[Checkable]:
        pool = estate.node_pools[name]
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                nodes = await self._nodes.nodes(estate.regions[pool.region])
        except _NO_ANSWER as error:
            why = str(error) or f"the API server has not answered within {_WITHIN_SECONDS:g} s"
            return [Checkable(subject="node", name=name, unlisted=f"the nodes of pool {name} are unknown: {why}")]
        return [Checkable(subject="node", name=node.name) for node in nodes if pool.has(node.labels)]


def _led(estate: Estate, name: str) -> Checkable:
    """Return a public name with the regions that it can lead to."""
    started = {one.to for one in estate.region_failovers.values() if name in one.traffic}
    regions = tuple(estate.traffic[name].regions)
    return Checkable(
        subject="traffic", name=name, to=regions, starts_first=tuple(region for region in regions if region in started)
    )
