"""Everything of the two regions, up together and gone at the end: clusters, databases, Azure, edge, Temporal, workers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import yaml
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client

from activities.run.pollers import polls
from deploy.lab.azure.pair import PRIMARY, PRIMARY_GROUP, ROLE_FILE, SUBSCRIPTION, WRITER, AzurePair, running_pair
from deploy.lab.azure.roles import Role
from deploy.lab.binaries import ensure_binaries
from deploy.lab.calendar import open_now
from deploy.lab.cluster import Say
from deploy.lab.patience import stretched
from deploy.lab.ports import free_port
from deploy.lab.region_parts import DATABASE, Temporal, Workers, worker_environment, write_estate
from deploy.lab.regions.cluster import API_TOKEN, OVERLAY, PILOT_LIGHT, Endpoint, RegionCluster, write_contexts
from deploy.lab.regions.customer import Customer
from deploy.lab.regions.edge import PublicEdge
from deploy.lab.regions.gateways import RegionGateways
from deploy.lab.regions.names import Regions
from deploy.lab.regions.scene import EAST, WEST, Stage
from deploy.lab.sealing import new_key, public_half
from workflows.run.models import TASK_QUEUE

TRAFFIC = "aiagent-web"
_NETWORK = "127.0.18"
_PROFILE, _ENDPOINT, _ROUTE = "aiagent-frontdoor", "aiagent-api", "default-route"
_BOTH, _DR = "primary-region-backend-pool", "dr-region-backend-pool"
_GATEWAYS = {EAST: "aiagent-appgw", WEST: "aiagent-appgw-dr"}
_HOSTS = {EAST: "east.aiagent.example", WEST: "west.aiagent.example"}
_EDGE_SECONDS = 1200
"""How long a change takes to reach the edge at Azure; the emulator divides it by 100, as everything else."""
_REPLICAS = 2
_TRAFFIC_ROLE, _QUOTA_ROLE = ROLE_FILE.with_name("traffic.json"), ROLE_FILE.with_name("quota.json")


@contextmanager
def _made(regions: Regions) -> Iterator[Path]:
    """Make the folder, where the postgres user can look; it goes at the end."""
    regions.keeper.home.mkdir(parents=True, exist_ok=True)
    (regions.folder / "azure").mkdir(parents=True)
    for folder in (regions.keeper.home, regions.folder):
        folder.chmod(0o755)
    try:
        yield regions.folder
    finally:
        shutil.rmtree(regions.folder, ignore_errors=True)


def _lay_out(edge: PublicEdge) -> None:
    """Let the route lead to the first region, with the other behind it for as long as the first is unhealthy."""
    profile = edge.front.profile(_PROFILE, PRIMARY_GROUP)
    for group, regions in ((_BOTH, (EAST, WEST)), (_DR, (WEST,))):
        profile.group(group, path="/health/ready", seconds=30)
        for priority, region in enumerate(regions, 1):
            profile.origin(group, region, _HOSTS[region], priority=priority)
    profile.endpoint(_ENDPOINT)
    profile.route(_ENDPOINT, _ROUTE, _BOTH)


def _add_regions(path: Path, clusters: dict[str, RegionCluster], edge: PublicEdge, gateways: RegionGateways) -> None:
    """Add to the estate what a region's failover needs."""
    token = path.with_name("token")
    token.write_text(API_TOKEN, encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for region, cluster in clusters.items():
        content["regions"][region]["context"] = cluster.context
    asked = {"roles": ["Manager", "DBA", "CTO"], "window": "PT1H"}
    content["region_failovers"] = {
        EAST: {
            "to": WEST, "databases": [DATABASE], "traffic": [TRAFFIC], "overlay": str(OVERLAY),
            "pilot_light": str(PILOT_LIGHT), "applications": ["api-deployment"],
            "checks": {"url": edge.url, "token": f"file:{token}"},
            "approvals": {"planned": asked, "forced": asked},
        }
    }  # fmt: skip
    door = {"resource_group": PRIMARY_GROUP, "profile": _PROFILE, "endpoint": _ENDPOINT, "route": _ROUTE}
    content["traffic"] = {
        TRAFFIC: {
            "region": EAST, "subscription": SUBSCRIPTION,
            "regions": {name: {"health": f"http://{at}/health/ready"} for name, at in gateways.addresses.items()},
            "edge": {"url": f"{edge.url}/health"},
            "front_door": {**door, "origin_groups": {EAST: _BOTH, WEST: _DR}},
            "thresholds": {"ask_every": "PT0.1S", "answers_in_a_row": 10},
        }
    }  # fmt: skip
    content["gateways"] = gateways.entries({name: one.application for name, one in clusters.items()})
    content["drills"] = _calendar(path.with_name("evidence"))
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _calendar(key: Path) -> dict[str, Any]:
    """Return a calendar with the first region's drill, due today; write the key with which workers sign its record."""
    private = new_key()
    key.touch(mode=0o600)
    key.write_text(private, encoding="utf-8")
    yearly = {
        "kind": "region", "target": EAST, "every": "year", "months": [11], "day": "Sunday", "owner": "omar",
        "notice": "a mail to all customers", "settled_within": "PT5M", "word_within": "PT1H",
    }  # fmt: skip
    return {**open_now(yearly=yearly), "sealed_by": [{"key": public_half(private)}]}


@asynccontextmanager
async def _two_clusters(say: Say, azure: AzurePair, regions: Regions) -> AsyncIterator[dict[str, RegionCluster]]:
    """Start both at once; the first one serves, the second is the pilot light."""
    binaries = await asyncio.to_thread(ensure_binaries, say)
    port = azure.servers.address(PRIMARY).port
    endpoint = Endpoint(f"{azure.name_host}:{azure.names.port}", f"{WRITER}:{port}")
    east, west = regions.clusters
    clusters = {
        EAST: RegionCluster(EAST, "aiagent-aks", east, binaries, endpoint),
        WEST: RegionCluster(WEST, "aiagent-aks-dr", west, binaries, endpoint),
    }
    try:
        await asyncio.gather(
            asyncio.to_thread(clusters[EAST].up, say, "dr"),
            asyncio.to_thread(clusters[WEST].up, say, "pilot-light"),
        )
        await asyncio.to_thread(clusters[EAST].await_application, _REPLICAS)
        yield clusters
    finally:
        for one in clusters.values():
            await asyncio.to_thread(one.down)


async def _until_polled(client: Client) -> None:
    """Wait until a worker asks for work: on a busy machine it takes seconds to load."""
    async with asyncio.timeout(stretched(30)):
        while not await polls(client, TASK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW):  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.2)


@asynccontextmanager
async def two_regions(say: Say, regions: Regions, every: float = 0.05) -> AsyncIterator[Stage]:
    """Run everything until the block ends; its clusters and its folder are gone afterwards.

    ``every``: seconds after which a customer submits the next workflow.
    """
    port = free_port(f"{_NETWORK}.21", f"{_NETWORK}.22")
    gateways = RegionGateways(SUBSCRIPTION, _GATEWAYS)
    edge = PublicEdge(SUBSCRIPTION, {_HOSTS[name]: at for name, at in gateways.addresses.items()}, _EDGE_SECONDS)
    _lay_out(edge)
    roles = [Role.load(one) for one in (ROLE_FILE, _TRAFFIC_ROLE, _QUOTA_ROLE)]
    with _made(regions) as folder:
        async with (
            running_pair(folder / "azure", _NETWORK, port, roles=roles, others=(edge.front, gateways.provider)) as azure,
            Temporal(folder) as temporal,
            _two_clusters(say, azure, regions) as clusters,
        ):
            await azure.provide_operator()
            for name, one in clusters.items():
                gateways.add(name, one.application)
            await edge.start(_ENDPOINT)
            try:
                estate = write_estate(folder, azure)
                _add_regions(estate, clusters, edge, gateways)
                write_contexts(tuple(clusters.values()), folder / "kubeconfig")
                told = worker_environment(folder, estate, azure, temporal.address)
                told |= {
                    "KUBECONFIG": str(folder / "kubeconfig"),
                    "FAILOVER_EVIDENCE_KEY": f"file:{folder / 'evidence'}",
                    "FAILOVER_KUBECTL": str(clusters[EAST].binaries / "kubectl"),
                }
                say(f"Temporal's page: http://{temporal.page}")
                async with Workers(folder, told) as workers, Customer(edge.url, every) as customer:
                    await customer.until_served(EAST)
                    await _until_polled(temporal.client)
                    yield Stage(azure, edge, gateways, clusters, temporal, workers, customer, told, _ENDPOINT)
            finally:
                await edge.stop()
