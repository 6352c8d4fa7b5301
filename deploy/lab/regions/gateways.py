"""The application gateways: customers reach a region's application through its own.

Each is a resource of the emulated Azure and a HAProxy on the loopback. A region that is lost takes its HAProxy with it; what
Azure says of the gateway stays, and with that the HAProxy comes back when the region does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.lab.azure.application_gateway import ApplicationGateways
from deploy.lab.azure.application_gateway_proxy import GatewayProxies
from deploy.lab.azure.network import Network
from deploy.lab.ports import free_port

_GROUP, _POOL, _SETTINGS, _PROBE, _LISTENER = "aiagent-prod-rg", "api-pool", "api-http-settings", "api-health-probe", "http"
_DECLARED = {
    "protocol": "Http", "path": "/health/ready", "interval": 30, "timeout": 30, "unhealthyThreshold": 3,
    "pickHostNameFromBackendHttpSettings": True, "match": {"statusCodes": ["200"]},
}  # fmt: skip


class RegionGateways:
    """``names``: region → name of its gateway. Serve ``provider``, then ``add`` each region's application."""

    def __init__(self, subscription: str, names: Mapping[str, str]) -> None:
        self._subscription, self._names = subscription, dict(names)
        self.addresses = {region: f"127.0.0.1:{free_port('127.0.0.1')}" for region in names}
        """Region → HOST:PORT where its gateway takes requests."""
        listeners = {name: {_LISTENER: self.addresses[region]} for region, name in names.items()}
        self._proxies = GatewayProxies(listeners)
        self._gateways = ApplicationGateways(subscription, self._proxies)
        self.provider = Network(self._gateways)

    def add(self, region: str, application: str) -> None:
        """Let the region's gateway exist, with its application (HOST:PORT) behind it."""
        self._gateways.add(self._names[region], _GROUP, region, self._properties(region, application))

    def entries(self, applications: Mapping[str, str]) -> dict[str, Any]:
        """Return what an estate says of them. ``applications``: HOST:PORT by region."""
        return {
            name: {
                "region": region, "subscription": self._subscription, "resource_group": _GROUP, "pool": _POOL,
                "settings": _SETTINGS, "probe": {"name": _PROBE}, "backends": [applications[region].partition(":")[0]],
            }
            for region, name in self._names.items()
        }  # fmt: skip

    async def lose(self, region: str) -> None:
        """End what takes the requests of a region."""
        await self._proxies.lose(self._names[region])

    async def restore(self, region: str) -> None:
        """Start it, if it does not run, as Azure says that it is to be."""
        await self._proxies.restore(self._names[region])

    def _properties(self, region: str, application: str) -> dict[str, Any]:
        host, _, port = application.partition(":")
        provider = f"/subscriptions/{self._subscription}/resourceGroups/{_GROUP}/providers/Microsoft.Network"

        def reference(collection: str, name: str) -> dict[str, str]:
            return {"id": f"{provider}/applicationGateways/{self._names[region]}/{collection}/{name}"}

        settings = {"port": int(port), "protocol": "Http", "requestTimeout": 30, "probe": reference("probes", _PROBE)}
        listener = {
            "frontendIPConfiguration": reference("frontendIPConfigurations", "public"),
            "frontendPort": reference("frontendPorts", _LISTENER), "protocol": "Http",
        }  # fmt: skip
        rule = {
            "httpListener": reference("httpListeners", _LISTENER), "priority": 10, "ruleType": "Basic",
            "backendAddressPool": reference("backendAddressPools", _POOL),
            "backendHttpSettings": reference("backendHttpSettingsCollection", _SETTINGS),
        }  # fmt: skip
        return {
            "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2},
            "gatewayIPConfigurations": [_part("own", subnet={"id": f"{provider}/virtualNetworks/net/subnets/gateway"})],
            "frontendIPConfigurations": [_part("public", publicIPAddress={"id": f"{provider}/publicIPAddresses/gateway"})],
            "frontendPorts": [_part(_LISTENER, port=80)],
            "probes": [_part(_PROBE, **_DECLARED)],
            "backendAddressPools": [_part(_POOL, backendAddresses=[{"ipAddress": host}])],
            "backendHttpSettingsCollection": [_part(_SETTINGS, **settings)],
            "httpListeners": [_part(_LISTENER, **listener)],
            "requestRoutingRules": [_part("all", **rule)],
        }


def _part(name: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - as ARM has it
    return {"name": name, "properties": properties}
