"""Two regions that run: what can be lost of them and started again, and what can be seen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from temporalio.client import Client

from deploy.lab.azure.pair import PRIMARY, REPLICA, WRITER, AzurePair
from deploy.lab.names import LabError
from deploy.lab.region_parts import WORKERS, Temporal, Workers
from deploy.lab.regions.cluster import RegionCluster
from deploy.lab.regions.customer import Customer
from deploy.lab.regions.edge import PublicEdge
from deploy.lab.regions.gateways import RegionGateways

EAST, WEST = "eastus", "westus2"
SERVERS = {EAST: PRIMARY, WEST: REPLICA}


@dataclass(frozen=True)
class Stage:
    """Everything of two regions that run. What starts or ends something may be repeated."""

    azure: AzurePair
    edge: PublicEdge
    gateways: RegionGateways
    clusters: dict[str, RegionCluster]
    temporal: Temporal
    workers: Workers
    customer: Customer
    told: dict[str, str]
    """What a worker is told: where everything is."""
    endpoint: str
    """The endpoint of Front Door whose edge this is."""

    @property
    def client(self) -> Client:
        """A client of its Temporal."""
        return self.temporal.client

    @property
    def regions(self) -> tuple[str, str]:
        """The first region, and the other one."""
        return EAST, WEST

    def is_lost(self, region: str) -> bool:
        """Whether its node has no power."""
        return self.clusters[region].is_lost

    def has_api_server(self, region: str) -> bool:
        """Whether its API server runs."""
        return self.clusters[region].parts["API server"]

    async def has_edge(self) -> bool:
        """Whether the public edge takes connections."""
        return await _takes_connections(self.edge.url)

    async def lose(self, region: str) -> None:
        """Lose a region: gateway, control plane, node, database."""
        await self.gateways.lose(region)
        await asyncio.to_thread(self.azure.servers.kill, SERVERS[region])
        await asyncio.to_thread(self.clusters[region].lose)

    async def restore(self, region: str) -> None:
        """Start what does not run of a region, as it was; a database that was replaced meanwhile follows the other one.

        Raises:
            LabError: it is to follow a database that does not run.
        """
        server = SERVERS[region]
        leader = self.azure.servers.awaited_leader(server)
        if leader and not await self.azure.servers.is_up(leader):
            raise LabError(f"{server} follows {leader}, which does not run; heal its region first")
        await asyncio.to_thread(self.clusters[region].heal)
        await self.azure.servers.heal(server)
        await self.gateways.restore(region)

    async def end_api_server(self, region: str) -> None:
        """Kill the API server of a region; its pods go on serving."""
        await asyncio.to_thread(self.clusters[region].end_api_server)

    async def end_edge(self) -> None:
        """End the public edge: customers reach nobody."""
        await self.edge.stop()

    async def start_edge(self) -> None:
        """Start the public edge, where it was."""
        await self.edge.start(self.endpoint)

    async def restore_rest(self) -> None:
        """Start what does not run of Temporal and workers."""
        if not self.temporal.is_alive:
            await self.temporal.start()
        self.workers.restore()

    async def parts(self) -> dict[str, bool]:
        """Return which parts run."""
        found = {"Temporal": self.temporal.is_alive, "workers": self.workers.alive == WORKERS, "edge": await self.has_edge()}
        for region, cluster in self.clusters.items():
            found |= {f"{region} {part}": runs for part, runs in cluster.parts.items()}
            found[f"{region} gateway"] = await _takes_connections(f"http://{self.gateways.addresses[region]}")
            found[f"{region} database"] = await self.azure.servers.is_up(SERVERS[region])
        return found

    async def missing(self) -> tuple[int, float]:
        """Return how many acknowledged workflows the database lacks, and within how many seconds they were acknowledged."""
        async with await psycopg.AsyncConnection.connect(self.azure.conninfo(await self.leader())) as connection:
            found = await (await connection.execute("select name from workflows")).fetchall()
        lost = self.customer.missing(name for (name,) in found)
        return len(lost), max(one.at for one in lost) - min(one.at for one in lost) if lost else 0.0

    async def leader(self) -> str:
        """Return the server that the virtual endpoint leads to."""
        address = await self.azure.resolve(WRITER)
        return next(name for name in (PRIMARY, REPLICA) if self.azure.servers.address(name).host == address)

    async def leading(self) -> str:
        """Return the region whose database leads."""
        leader = await self.leader()
        return next(region for region, server in SERVERS.items() if server == leader)

    def promotions(self) -> int:
        """Return how many promotions Azure has carried out."""
        log = self.azure.emulator.log
        return sum(one.method == "PATCH" and "flexibleServers" in one.path and not one.refused_by for one in log)


async def _takes_connections(url: str) -> bool:
    place = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(place.hostname, place.port)
    except OSError:
        return False
    writer.close()
    return True
