"""Front Door and Traffic Manager in the emulated Azure, an HTTP server at the edge, a real Temporal server, and a worker.

The worker has the rights of ``deploy/azure/roles/traffic.json`` and no more. The HTTP server answers at ``/edge`` as the
emulated edge says, at ``/managed`` as Traffic Manager says, and at ``/REGION/health/ready`` for each region.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from aiohttp import web
from temporalio.client import Client

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.front_door import AzureFrontDoor
from activities.clients.azure.traffic_manager import AzureTrafficManager
from activities.clients.edge import HttpEdge
from activities.clients.names import DnsNames
from activities.clients.traffic_ports import TrafficClients
from activities.run.inventory import EstateActivities
from activities.run.records import RecordsActivities
from activities.traffic.changing import TrafficChangeActivities
from activities.traffic.serving import TrafficProofActivities
from activities.traffic.survey import TrafficLookActivities
from deploy.lab.azure.roles import Role
from deploy.lab.patience import stretched
from estate.loader import load_estate
from estate.resolving import resolve_traffic
from estate.traffic import TrafficTarget
from tests.azure.pair import NAMES_HOST, SUBSCRIPTION, TOKEN
from tests.azure.traffic import EAST, MANAGER, TRAFFIC_ROLE, WEST, Traffic, traffic
from tests.azure.traffic import GROUP as MANAGER_GROUP
from tests.fakes.faults import Faults
from tests.postgres.bench import Handle
from tests.run.served import Served
from workflows.run.models import plan_id
from workflows.traffic.models import traffic_lock_id

NAME, HOME, AWAY = "aiagent", "eastus", "westus2"
GROUP, PROFILE, ENDPOINT, ROUTE = "aiagent-prod-rg", "aiagent-frontdoor", "aiagent-api", "default-route"
POOL, DR_POOL, SHARED = "primary-region-backend-pool", "dr-region-backend-pool", "both-regions"
COMPRESSION = {
    "queryStringCachingBehavior": "IgnoreQueryString",
    "compressionSettings": {"isCompressionEnabled": True, "contentTypesToCompress": ["application/json"]},
}
HOSTS = {EAST: HOME, WEST: AWAY}
_DOOR = {"resource_group": GROUP, "profile": PROFILE, "endpoint": ENDPOINT, "route": ROUTE}
_MANAGER = {
    "resource_group": MANAGER_GROUP, "profile": MANAGER, "endpoints": {HOME: "east", AWAY: "west"},
}  # fmt: skip
_BY_GROUPS = {**_DOOR, "origin_groups": {HOME: POOL, AWAY: DR_POOL}}
_BY_ORIGINS = {**_DOOR, "origin_group": SHARED, "origins": {HOME: "east", AWAY: "west"}}
LAYOUTS: dict[str, dict[str, Any]] = {
    "groups": {"front_door": _BY_GROUPS},
    "origins": {"front_door": _BY_ORIGINS},
    "manager": {"traffic_manager": _MANAGER},
    "both": {"front_door": _BY_GROUPS, "traffic_manager": _MANAGER},
}
_LONGEST_SECONDS = 150


class Site:
    """The application, behind the emulated edge."""

    def __init__(self, world: Traffic) -> None:
        self._world = world
        self.url, self.header = "", True
        self.lost: set[str] = set()
        """Regions that answer nobody."""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/edge", self._edge)
        app.router.add_get("/managed", self._managed)
        app.router.add_get("/{region}/health/ready", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _edge(self, _: web.Request) -> web.Response:
        return self._served(self._world.edge.origin_for(ENDPOINT))

    async def _managed(self, _: web.Request) -> web.Response:
        return self._served(self._world.manager.profile(MANAGER).chosen(self._world.manager.prober))

    def _served(self, host: str | None) -> web.Response:
        region = HOSTS.get(host or "", "")
        if not region or region in self.lost:
            return web.Response(status=502)
        return web.Response(text=f"served by {region}.", headers={"X-Region": region} if self.header else {})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=503 if request.match_info["region"] in self.lost else 200)


class TrafficBench(Served):
    """One public name and a worker for it."""

    def __init__(self, client: Client, world: Traffic, site: Site, folder: Path, **changes: Any) -> None:
        """Write an estate; ``changes`` replace keys of the name's entry, ``layout`` chooses what moves it."""
        super().__init__(client, f"traffic-{uuid4().hex[:8]}", Faults())
        self.world, self.site, self.folder = world, site, folder
        self.estate = folder / "estate.yaml"
        (folder / "bearer").write_text(TOKEN, encoding="utf-8")
        self.layout, front = changes.pop("layout", "groups"), changes.pop("front", AzureFrontDoor)
        self.write_estate(**changes)
        access = AzureAccess(world.emulator.url, f"file:{folder / 'bearer'}", timedelta(seconds=0.02))
        self.front, self.manager = front(access), AzureTrafficManager(access)
        self.clients = TrafficClients(self.front, self.manager, HttpEdge(), DnsNames())

    def write_estate(self, **changes: Any) -> None:
        door = "front_door" in LAYOUTS[self.layout]
        entry = {
            "region": HOME, "subscription": SUBSCRIPTION,
            "regions": {one: {"health": f"{self.site.url}/{one}/health/ready"} for one in (HOME, AWAY)},
            "edge": {"url": f"{self.site.url}/{'edge' if door else 'managed'}"},
            "nameserver": NAMES_HOST, "nameserver_port": self.world.names.port,
            "thresholds": {"ask_every": "PT0.02S", "answers_in_a_row": 5, "edge_within": "PT90S", "dns_within": "PT90S"},
            **LAYOUTS[self.layout], **changes,
        }  # fmt: skip
        content = {
            "regions": {
                HOME: {"location": "East US", "namespace": "aiagent-prod"},
                AWAY: {"location": "West US 2", "namespace": "aiagent-prod"},
            },
            "traffic": {NAME: entry},
            "people": {"dana": ["DBA"], "mona": ["Manager"], "carl": ["CTO"], "omar": ["DBA"]},
            "records": str(self.folder / "records"),
        }
        self.estate.write_text(yaml.safe_dump(content), encoding="utf-8")

    async def start(self, to: str = AWAY, **more: Any) -> Handle:
        """Start a failover."""
        request = {"traffic": NAME, "to": to, "run": "real", "by": "omar", "reason": "a test", **more}
        lock = traffic_lock_id(NAME)
        handle: Handle = await self.client.start_workflow(
            "dns-failover",
            request,
            id=plan_id(lock) if request["run"] == "plan" else lock,
            task_queue=self.queue,
            execution_timeout=timedelta(seconds=stretched(_LONGEST_SECONDS)),
        )
        self.started.append(handle)
        return handle

    @property
    def target(self) -> TrafficTarget:
        return resolve_traffic(load_estate(self.estate), NAME)

    def settings(self) -> dict[str, Any]:
        """Return what can be changed in Azure, as it is."""
        doors = {"/".join(path): dict(one.properties) for path, one in self.world.front.state.resources.items()}
        ends = {one.name: (one.priority, one.status) for one in self.world.manager.profile(MANAGER).endpoints}
        return {**doors, **ends}

    def served_by(self) -> str:
        """Return the region that the edge sends requests to now."""
        if "front_door" in LAYOUTS[self.layout]:
            host = self.world.edge.origin_for(ENDPOINT)
        else:
            host = self.world.manager.profile(MANAGER).chosen(self.world.manager.prober)
        return HOSTS.get(host or "", "")

    async def until_served_by(self, region: str) -> None:
        """Wait until the edge sends requests to ``region``."""
        async with asyncio.timeout(stretched(20)):
            while self.served_by() != region:
                await asyncio.sleep(0.02)

    def changes(self) -> list[str]:
        """Return every change that was carried out, as METHOD STATUS NAME; 0: its answer was lost."""
        carried_out = [one for one in self.world.emulator.log if not one.refused_by and one.method != "GET"]
        return [f"{one.method} {one.status} {one.path.rpartition('/')[2]}" for one in carried_out]

    def route(self) -> dict[str, Any]:
        """Return the route's properties."""
        return self.world.front.state.resources["profiles", PROFILE, "afdendpoints", ENDPOINT, "routes", ROUTE].properties


def _lay_out(world: Traffic, layout: str) -> None:
    profile = world.front.profile(PROFILE, GROUP)
    for group, origins in ((POOL, {"east": EAST}), (DR_POOL, {"west": WEST}), (SHARED, {"east": EAST, "west": WEST})):
        profile.group(group, path="/health/ready", seconds=30)
        for number, (name, host) in enumerate(origins.items(), 1):
            profile.origin(group, name, host, priority=number)
    profile.endpoint(ENDPOINT)
    profile.route(ENDPOINT, ROUTE, SHARED if layout == "origins" else POOL, cacheConfiguration=COMPRESSION)
    world.front.edge.know_all()


@asynccontextmanager
async def running(
    layout: str = "groups", *, propagation: float = 300, pace: float = 0.001
) -> AsyncIterator[tuple[Traffic, Site]]:
    """Run Azure with the least rights, and the application."""
    async with traffic(roles=[Role.load(TRAFFIC_ROLE)], propagation=propagation, pace=pace) as world:
        _lay_out(world, layout)
        site = Site(world)
        await site.start()
        try:
            yield world, site
        finally:
            await site.stop()


@asynccontextmanager
async def serving(
    client: Client, folder: Path, layout: str = "groups", *, propagation: float = 300, pace: float = 0.001, **changes: Any
) -> AsyncIterator[TrafficBench]:
    """Serve a public name until the block ends."""
    async with running(layout, propagation=propagation, pace=pace) as (world, site):
        bench = TrafficBench(client, world, site, folder, layout=layout, **changes)
        owners = (TrafficLookActivities, TrafficChangeActivities, TrafficProofActivities)
        inventory = bench.inventory
        bench.serve((
            EstateActivities(inventory), RecordsActivities(inventory), *(owner(bench.clients) for owner in owners),
        ))  # fmt: skip
        try:
            yield bench
        finally:
            await bench.close()
            await bench.front.close()
            await bench.manager.close()
