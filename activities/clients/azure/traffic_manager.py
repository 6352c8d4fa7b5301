"""Asks Azure Resource Manager about a profile of Traffic Manager, and asks it to change an endpoint.

A change is one PATCH of one endpoint, and done when it is answered: there is no operation to wait for, and no etag. Azure
refuses two endpoints of the same priority, so who changes several keeps an order (``workflows.traffic.levers``).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from importlib import import_module
from typing import Any

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.answers import translated, word
from activities.clients.azure.subscriptions import Subscriptions
from activities.clients.operation_facts import OperationFact
from activities.clients.ports import MissingError
from activities.traffic.models import Change, Lever, LeverFact, Setting, Side, SideFact
from estate.traffic import ManagerProfile, TrafficTarget

_PROFILES = "Microsoft.Network/trafficManagerProfiles"
_ENABLED = "Enabled"


class AzureTrafficManager:
    """Profiles of any number of subscriptions."""

    def __init__(self, access: AzureAccess | None = None) -> None:
        """Reach Azure by ``access``."""
        self._access = access or AzureAccess()
        module = "azure.mgmt.trafficmanager"
        self._models, self._clients = (
            f"{module}.models",
            Subscriptions(self._access, f"{module}.aio", "TrafficManagerManagementClient"),
        )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._clients.close()

    @property
    def poll(self) -> timedelta:
        """Between two looks."""
        return self._access.poll

    async def look(self, target: TrafficTarget) -> SideFact:
        """Return all endpoints of the profile, also those that the estate does not name."""
        profile, found = _profile(target), await self._found(target)
        told = found.properties
        levers = tuple(_fact(profile, one) for one in told.endpoints or ())
        missing = set(profile.endpoints.values()) - {one.name for one in levers}
        if missing:
            raise MissingError(f"profile {profile.profile} has no endpoint {', '.join(sorted(missing))}")
        dns = told.dns_config
        return SideFact(
            side=Side.TRAFFIC_MANAGER,
            levers=levers,
            routing=word(told.traffic_routing_method),
            disabled="" if word(told.profile_status) == _ENABLED else f"profile {profile.profile}",
            name=(dns.fqdn or "") if dns else "",
            ttl_seconds=dns.ttl if dns else None,
        )

    async def lever(self, target: TrafficTarget, change: Change) -> LeverFact:
        """Return the endpoint of ``change`` as it is now."""
        profile, found = _profile(target), await self._found(target)
        for one in found.properties.endpoints or ():
            if one.name.casefold() == change.name.casefold():
                return _fact(profile, one)
        raise MissingError(f"profile {profile.profile} has no endpoint {change.name}")

    async def set(self, target: TrafficTarget, change: Change) -> str:
        """Ask once for ``change.after``; there is no operation."""
        profile, client = _profile(target), await self._client(target)
        models = await asyncio.to_thread(import_module, self._models)
        state = _ENABLED if change.after.enabled else "Disabled"
        settings = models.EndpointProperties(priority=change.after.priority, endpoint_status=state)
        with translated(f"Azure, asked to change endpoint {change.name}", f"{_PROFILES}/{change.kind}/write"):
            await client.endpoints.update(
                profile.resource_group, profile.profile, change.kind, change.name, models.Endpoint(properties=settings)
            )
        return ""

    async def operation(self, target: TrafficTarget, operation: str) -> OperationFact:  # noqa: ARG002 - there is none
        """There are no operations."""
        raise MissingError("Traffic Manager has no operations")

    async def _found(self, target: TrafficTarget) -> Any:  # noqa: ANN401 - a model of the SDK
        profile, client = _profile(target), await self._client(target)
        with translated(f"Azure, asked for profile {profile.profile}", f"{_PROFILES}/read"):
            return await client.profiles.get(profile.resource_group, profile.profile)

    async def _client(self, target: TrafficTarget) -> Any:  # noqa: ANN401 - of an SDK that is imported later
        return await self._clients.of(target.entry.subscription)


def _profile(target: TrafficTarget) -> ManagerProfile:
    if target.entry.traffic_manager is None:
        raise MissingError(f"the estate names no Traffic Manager for {target.name}")
    return target.entry.traffic_manager


def _fact(profile: ManagerProfile, endpoint: Any) -> LeverFact:  # noqa: ANN401 - a model of the SDK
    told = endpoint.properties
    regions = {name.casefold(): (region, name) for region, name in profile.endpoints.items()}
    region, name = regions.get(endpoint.name.casefold(), ("", endpoint.name))
    return LeverFact(
        lever=Lever.ENDPOINT,
        name=name,
        kind=(endpoint.type or "").rpartition("/")[2],
        region=region,
        setting=Setting(priority=told.priority, enabled=word(told.endpoint_status) == _ENABLED),
        health=word(told.endpoint_monitor_status),
        host=(told.target or "").casefold(),
    )
