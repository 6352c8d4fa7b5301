"""What moves traffic, laid out in two regions, in front of hosts that only say what a test lets them say.

::

    async with traffic(pace=0.001) as world:
        world.emulator.url, TOKEN, SUBSCRIPTION      # base_url, bearer and subscription for the SDKs
        world.hosts.status[EAST] = 503               # what a host answers every probe with; 200 unless told
        world.edge.origin_for("web")                 # where the edge of Front Door sends a request now
        await world.resolve(NAME)                    # what the name server answers: name → target, and for how long
        world.gateways.gateway(GATEWAY).shows        # words put into the mouth of the application gateway
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.asyncquery
import dns.message
import dns.rcode
from azure.mgmt.cdn.aio import CdnManagementClient
from azure.mgmt.network.aio import NetworkManagementClient
from azure.mgmt.trafficmanager.aio import TrafficManagerManagementClient

from deploy.lab.azure.application_gateway import ApplicationGateways
from deploy.lab.azure.application_gateway_health import Plane
from deploy.lab.azure.front_door import FrontDoor
from deploy.lab.azure.names import NameServer
from deploy.lab.azure.network import Network
from deploy.lab.azure.roles import Role
from deploy.lab.azure.server import Emulator
from deploy.lab.azure.traffic_manager import TrafficManager
from deploy.lab.azure.traffic_profile import Endpoint, Profile
from tests.azure.imagined_edge import ImaginedEdge
from tests.azure.imagined_gateways import ImaginedGateways
from tests.azure.pair import EMULATOR_HOST, NAMES_HOST, ROLE_FILE, SUBSCRIPTION, TOKEN
from tests.azure.sdk import QUICKLY, AioCredential, Bearer

GROUP = "aiagent-edge-rg"
EAST, WEST, OLD = "east.aiagent.example", "west.aiagent.example", "old.aiagent.example"
PROFILE, ENDPOINT, ROUTE, APP, LEGACY = "aiagent-fd", "web", "everything", "app", "legacy"
MANAGER, NAME = "aiagent-tm", "aiagent.trafficmanager.net"
GATEWAY, GATEWAY_SERVERS = "aiagent-gw", ("10.1.0.4", "10.1.0.5")
TRAFFIC_ROLE = ROLE_FILE.with_name("traffic.json")
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
GATEWAY_ID = f"{NETWORK}/applicationGateways/{GATEWAY}"


@dataclass
class Hosts:
    """``asked`` is whom probes have asked for what."""

    status: dict[str, int] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def probe(self, host: str, path: str) -> int:
        self.asked.append((host, path))
        if host in self.silent:
            raise ConnectionRefusedError(host)
        return self.status.get(host, 200)

    def count(self, host: str) -> int:
        return sum(one == host for one, _ in self.asked)


@dataclass(frozen=True)
class Traffic:
    emulator: Emulator
    hosts: Hosts
    front: FrontDoor
    edge: ImaginedEdge
    manager: TrafficManager
    gateways: ApplicationGateways
    servers: ImaginedGateways
    names: NameServer

    async def resolve(self, name: str, kind: str = "A") -> tuple[str, list[str]]:
        """Return the code and the records of an answer, asked for over UDP."""
        question = dns.message.make_query(name, kind)
        answer = await dns.asyncquery.udp(question, NAMES_HOST, timeout=5, port=self.names.port)
        return dns.rcode.to_text(answer.rcode()), [str(one) for one in answer.answer]

    def cdn(self, **options: Any) -> CdnManagementClient:
        return CdnManagementClient(AioCredential(), SUBSCRIPTION, **self._options(options))

    def traffic_manager(self, **options: Any) -> TrafficManagerManagementClient:
        return TrafficManagerManagementClient(AioCredential(), SUBSCRIPTION, **self._options(options))

    def network(self, **options: Any) -> NetworkManagementClient:
        return NetworkManagementClient(AioCredential(), SUBSCRIPTION, **self._options(options))

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        return {**QUICKLY, "base_url": self.emulator.url, "authentication_policy": Bearer(TOKEN), **given}

    def count(self, method: str, ending: str = "") -> int:
        """Return how many calls are in the log."""
        return sum(one.method == method and one.path.endswith(ending) for one in self.emulator.log)


def lay_out(front: FrontDoor, name: str = PROFILE) -> None:
    """Two regions in one group, west as the second; and another group with one origin, which no route leads to."""
    profile = front.profile(name, GROUP)
    profile.group(APP, path="/readyz", seconds=30)
    profile.origin(APP, "east", EAST, priority=1)
    profile.origin(APP, "west", WEST, priority=2)
    profile.group(LEGACY, seconds=30)
    profile.origin(LEGACY, "old", OLD)
    profile.endpoint(ENDPOINT)
    profile.route(ENDPOINT, ROUTE, APP)


def managed() -> Profile:
    endpoints = [Endpoint("east", EAST, 1, location="East US"), Endpoint("west", WEST, 2, location="West US 2")]
    return Profile(MANAGER, GROUP, endpoints, "aiagent", ttl=35, path="/readyz", interval=10, tolerated=2)


def _member(name: str, **properties: Any) -> dict[str, Any]:
    return {"name": name, "properties": properties}


def _reference(collection: str, name: str) -> dict[str, str]:
    return {"id": f"{GATEWAY_ID}/{collection}/{name}"}


def gateway_properties() -> dict[str, Any]:
    """Return a gateway with one pool, and settings without a probe of their own."""
    subnet = {"id": f"{NETWORK}/virtualNetworks/net/subnets/gateway"}
    rule = {
        "httpListener": _reference("httpListeners", "http"),
        "backendAddressPool": _reference("backendAddressPools", "servers"),
        "backendHttpSettings": _reference("backendHttpSettingsCollection", "plain"),
    }
    listener = {
        "frontendIPConfiguration": _reference("frontendIPConfigurations", "public"),
        "frontendPort": _reference("frontendPorts", "http"),
    }
    return {
        "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2},
        "gatewayIPConfigurations": [_member("own", subnet=subnet)],
        "frontendIPConfigurations": [_member("public", publicIPAddress={"id": f"{NETWORK}/publicIPAddresses/gateway"})],
        "frontendPorts": [_member("http", port=80)],
        "backendAddressPools": [_member("servers", backendAddresses=[{"ipAddress": one} for one in GATEWAY_SERVERS])],
        "backendHttpSettingsCollection": [_member("plain", port=80, protocol="Http", requestTimeout=30)],
        "httpListeners": [_member("http", protocol="Http", **listener)],
        "requestRoutingRules": [_member("all", ruleType="Basic", priority=10, **rule)],
    }


@asynccontextmanager
async def traffic(
    *,
    roles: Sequence[Role] | None = None,
    pace: float = 0.001,
    propagation: float = 1200,
    hosts: Hosts | None = None,
    behind: Plane | None = None,
) -> AsyncIterator[Traffic]:
    """Run it; ``behind`` takes the place of ``servers``, the gateway's imagined ones."""
    hosts, names = hosts or Hosts(), NameServer()
    edge = ImaginedEdge(hosts.probe)
    front = FrontDoor(SUBSCRIPTION, edge, propagation)
    servers = ImaginedGateways(hosts.probe)
    manager, gateways = (
        TrafficManager(SUBSCRIPTION, hosts.probe, names),
        ApplicationGateways(SUBSCRIPTION, behind or servers),
    )
    lay_out(front)
    manager.add(managed())
    identity = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/x/gateway"
    gateways.add(
        GATEWAY, GROUP, "eastus", gateway_properties(),
        identity={"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
    )  # fmt: skip
    emulator = Emulator(SUBSCRIPTION, TOKEN, roles, pace)
    for provider in (front, Network(manager, gateways)):
        emulator.serve(provider)
    try:
        await names.start(NAMES_HOST)
        await emulator.start(EMULATOR_HOST)
        yield Traffic(emulator, hosts, front, edge, manager, gateways, servers, names)
    finally:
        await emulator.stop()
        await names.stop()


async def until(so: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not so():
            await asyncio.sleep(0.005)


def word(value: Any) -> str:
    """Return an enumeration's value; the SDKs' own are no plain text."""
    return str(getattr(value, "value", value))
