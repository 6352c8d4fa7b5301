"""An application gateway in front of real HTTP servers on loopback addresses, behind the emulated Azure.

::

    async with gateway_world() as world:
        world.hosts.status[B] = 503         # what B answers: to the gateway's probes, and to who asks it directly
        world.hosts.silent.add(B)           # nobody listens there
        await world.until_told(B, "Down")   # the gateway has noticed
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deploy.lab.azure.application_gateway import Gateway
from deploy.lab.azure.application_gateway_health import addresses
from deploy.lab.azure.application_gateway_proxy import GatewayProxies
from deploy.lab.azure.roles import Role
from deploy.lab.patience import stretched
from tests.azure.pair import SUBSCRIPTION
from tests.azure.traffic import TRAFFIC_ROLE, Hosts, Traffic, traffic

GATEWAY, GROUP = "aiagent-appgw", "aiagent-prod-rg"
POOL, SETTINGS, PROBE = "api-pool", "api-http-settings", "api-health-probe"
A, B, C = ADDRESSES = ("127.0.83.4", "127.0.83.5", "127.0.83.6")
PATH = "/health/ready"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/applicationGateways/{GATEWAY}"
_NETWORK = ID.rpartition("/applicationGateways")[0]
DECLARED = {
    "protocol": "Http", "path": PATH, "interval": 30, "timeout": 30, "unhealthyThreshold": 3,
    "pickHostNameFromBackendHttpSettings": True, "match": {"statusCodes": ["200"]},
}  # fmt: skip


class Answering(Hosts):
    """``answer`` is what a server says to anybody: 404 for another path than the one that is probed."""

    def answer(self, host: str, path: str) -> int:
        return self.status.get(host, 200) if path == PATH else 404

    async def probe(self, host: str, path: str) -> int:
        self.asked.append((host, path))
        if host in self.silent:
            raise ConnectionRefusedError(host)
        return self.answer(host, path)


def _member(name: str, **properties: Any) -> dict[str, Any]:
    return {"name": name, "properties": properties}


def _reference(collection: str, name: str) -> dict[str, str]:
    return {"id": f"{ID}/{collection}/{name}"}


def layout(port: int, *, probe: dict[str, Any] | None = None, backends: tuple[str, ...] = ADDRESSES) -> dict[str, Any]:
    """Return a gateway's properties; without ``probe`` it has none. Some are such as no SDK knows."""
    settings: dict[str, Any] = {"port": port, "protocol": "Http", "requestTimeout": 30, "tomorrow": {"deep": [1, 2.5, None]}}
    if probe is not None:
        settings["probe"] = _reference("probes", PROBE)
    rule = {
        "httpListener": _reference("httpListeners", "http"), "priority": 10, "ruleType": "Basic",
        "backendAddressPool": _reference("backendAddressPools", POOL),
        "backendHttpSettings": _reference("backendHttpSettingsCollection", SETTINGS),
    }  # fmt: skip
    listener = {
        "frontendIPConfiguration": _reference("frontendIPConfigurations", "public"),
        "frontendPort": _reference("frontendPorts", "http"), "protocol": "Http", "neverHeardOf": "ünknown",
    }  # fmt: skip
    return {
        "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2},
        "gatewayIPConfigurations": [_member("own", subnet={"id": f"{_NETWORK}/virtualNetworks/net/subnets/gateway"})],
        "frontendIPConfigurations": [_member("public", publicIPAddress={"id": f"{_NETWORK}/publicIPAddresses/gateway"})],
        "frontendPorts": [_member("http", port=80)],
        "probes": [] if probe is None else [_member(PROBE, **copy.deepcopy(probe)), _member("another", path="/x", host="h")],
        "backendAddressPools": [
            _member(POOL, backendAddresses=[{"ipAddress": one} for one in backends]), _member("other", backendAddresses=[])
        ],
        "backendHttpSettingsCollection": [_member(SETTINGS, **settings)],
        "httpListeners": [_member("http", **listener)],
        "requestRoutingRules": [_member("all", **rule)],
        "entraJWTValidationConfigs": [{"name": "t", "properties": {"x": 1}}],
    }  # fmt: skip


@dataclass
class GatewayWorld:
    traffic: Traffic
    hosts: Answering
    port: int

    @property
    def emulator(self) -> Any:
        return self.traffic.emulator

    @property
    def gateway(self) -> Gateway:
        return self.traffic.gateways.gateway(GATEWAY)

    def shown(self) -> dict[str, Any]:
        """Return everything that the gateway is said to be, without what changes by itself."""
        return copy.deepcopy({**self.gateway.top, **self.gateway.properties})

    def pool(self) -> list[str]:
        """Return whom it sends requests to, as it works."""
        return addresses(self.gateway.running, POOL)

    def lay_out(self, **changes: Any) -> None:
        """Have the gateway as by ``layout``, with nothing under way and an empty log."""
        identity = f"{_NETWORK}/x/gateway"
        self.traffic.gateways.add(
            GATEWAY, GROUP, "eastus", layout(self.port, **{"probe": DECLARED, **changes}), tags={"owner": "édge"},
            identity={"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
        )  # fmt: skip
        self.hosts.status.clear()
        self.hosts.silent.clear()
        self.emulator.faults.clear()
        self.emulator.log.clear()

    async def health(self) -> dict[str, str]:
        told = await self.gateway.backends.told(self.gateway.running, ID)
        pools = [one for one in told["backendAddressPools"] if one["backendAddressPool"]["id"].endswith(f"/{POOL}")]
        return {one["address"]: one["health"] for pool in pools for each in pool["backendHttpSettingsCollection"]
                for one in each["servers"]}  # fmt: skip

    async def until_told(self, address: str, health: str) -> None:
        """Wait until the gateway says so of a backend."""
        async with asyncio.timeout(stretched(20)):
            while (await self.health()).get(address) != health:
                await asyncio.sleep(0.005)

    async def until_up(self) -> None:
        """Wait until the gateway calls everybody Up."""
        for address in addresses(self.gateway.running, POOL):
            await self.until_told(address, "Up")

    def puts(self) -> list[int]:
        """Return the status of every PUT that was carried out; 0: its answer was lost."""
        return [one.status for one in self.emulator.log if one.method == "PUT" and not one.refused_by]

    def sent(self) -> list[Any]:
        """Return the bodies of those."""
        return [one.body for one in self.emulator.log if one.method == "PUT" and not one.refused_by]


@asynccontextmanager
async def gateway_world(pace: float = 0.001, behind: GatewayProxies | None = None) -> AsyncIterator[GatewayWorld]:
    """Run it under the least rights; ``behind`` gives it a real HAProxy."""
    hosts = Answering()
    async with AsyncExitStack() as servers:
        port = 0
        for address in ADDRESSES:
            port = await _serve(servers, hosts, address, port)
        roles = [Role.load(TRAFFIC_ROLE)]
        async with traffic(roles=roles, pace=pace, hosts=hosts, behind=behind) as running:
            world = GatewayWorld(running, hosts, port)
            world.lay_out()
            yield world


async def _serve(servers: AsyncExitStack, hosts: Answering, address: str, port: int) -> int:
    async def handle(request: web.Request) -> web.Response:
        if address in hosts.silent and request.transport is not None:
            request.transport.abort()
        return web.Response(status=hosts.answer(address, request.path), headers={"x-region": address})

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    servers.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, address, port).start()
    bound: int = runner.addresses[0][1]
    return bound
