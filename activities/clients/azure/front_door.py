"""Asks Azure Resource Manager about Front Door, and asks it to move a route or an origin.

A change is one PATCH that names nothing but what is to change: an array or an object that is sent replaces the old one, and
what is left out stays. So custom domains, rule sets and the compression of a route are never sent. There is no etag: who
asks looks before and after (``activities.traffic.changing``), and sees another one's change of the same lever by that.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.answers import translated, word
from activities.clients.azure.operations import Kind, asked, hostless, must_be_of
from activities.clients.azure.subscriptions import Subscriptions
from activities.clients.operation_facts import OperationFact
from activities.clients.ports import MissingError
from activities.traffic.models import SUCCEEDED, Change, Lever, LeverFact, Setting, Side, SideFact
from estate.traffic import FrontDoorRoute, TrafficTarget

_CDN = "Microsoft.Cdn"
_PROFILES = f"{_CDN}/profiles"
_ENABLED = "Enabled"
_DIGEST_LENGTH = 12
_MOVED = {"originGroup", "priority", "enabledState", "provisioningState", "deploymentStatus"}
"""What a run changes, and what changes by itself."""


class AzureFrontDoor:
    """Front Door profiles of any number of subscriptions."""

    def __init__(self, access: AzureAccess | None = None) -> None:
        """Reach Azure by ``access``."""
        self._access = access or AzureAccess()
        self._clients = Subscriptions(self._access, "azure.mgmt.cdn.aio", "CdnManagementClient")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._clients.close()

    @property
    def poll(self) -> timedelta:
        """Between two looks at an operation where Azure names no time of its own."""
        return self._access.poll

    async def look(self, target: TrafficTarget) -> SideFact:
        """Return the route, or all origins of its group; and which regions have no enabled origin."""
        door, client = _door(target), await self._client(target)
        with translated(f"Azure, asked for endpoint {door.endpoint}", f"{_PROFILES}/afdendpoints/read"):
            endpoint = await client.afd_endpoints.get(door.resource_group, door.profile, door.endpoint)
        route = await self._route(target)
        off = [f"endpoint {door.endpoint}"] if word(endpoint.properties.enabled_state) != _ENABLED else []
        off += [] if route.setting.enabled else [f"route {door.route}"]
        if door.origin_groups:
            found = await asyncio.gather(*(self._origins(target, group) for group in door.origin_groups.values()))
            able = dict(zip(door.origin_groups, (any(one.setting.enabled for one in all_) for all_ in found), strict=True))
            empty = tuple(region for region, is_able in able.items() if not is_able)
            return SideFact(side=Side.FRONT_DOOR, levers=(route,), disabled=" and ".join(off), empty=empty)
        if route.setting.group.casefold() != (door.origin_group or "").casefold():
            off.append(f"origin group {door.origin_group} (route {door.route} leads to {route.setting.group or 'none'})")
        origins = await self._origins(target, door.origin_group or "")
        missing = set(door.origins.values()) - {one.name for one in origins}
        if missing:
            raise MissingError(f"origin group {door.origin_group} has no origin {', '.join(sorted(missing))}")
        return SideFact(side=Side.FRONT_DOOR, levers=origins, disabled=" and ".join(off))

    async def lever(self, target: TrafficTarget, change: Change) -> LeverFact:
        """Return the route or origin of ``change`` as it is now."""
        if change.lever is Lever.ROUTE:
            return await self._route(target)
        door, client = _door(target), await self._client(target)
        with translated(f"Azure, asked for origin {change.name}", f"{_PROFILES}/origingroups/origins/read"):
            found = await client.afd_origins.get(door.resource_group, door.profile, door.origin_group, change.name)
        return _origin_fact(door, found)

    async def set(self, target: TrafficTarget, change: Change) -> str:
        """Ask once for ``change.after``; return the operation's address."""
        door, client, heard = _door(target), await self._client(target), dict[str, str]()
        models = await asyncio.to_thread(import_module, "azure.mgmt.cdn.models")
        how = {"polling": False, "raw_response_hook": lambda one: heard.update(one.http_response.headers)}
        after = change.after
        if change.lever is Lever.ROUTE:
            group = models.ResourceReference(id=_group_id(target, after.group))
            route = models.RouteUpdateParameters(properties=models.RouteUpdatePropertiesParameters(origin_group=group))
            with translated(f"Azure, asked to move route {door.route}", f"{_PROFILES}/afdendpoints/routes/write"):
                await client.routes.begin_update(
                    door.resource_group, door.profile, door.endpoint, door.route, route, **how
                )  # fmt: skip
        else:
            state = _ENABLED if after.enabled else "Disabled"
            settings = models.AFDOriginUpdatePropertiesParameters(priority=after.priority, enabled_state=state)
            origin = models.AFDOriginUpdateParameters(properties=settings)
            with translated(f"Azure, asked to change origin {change.name}", f"{_PROFILES}/origingroups/origins/write"):
                await client.afd_origins.begin_update(
                    door.resource_group, door.profile, door.origin_group, change.name, origin, **how
                )  # fmt: skip
        return hostless({name.casefold(): value for name, value in heard.items()}.get("azure-asyncoperation", ""))

    async def operation(self, target: TrafficTarget, operation: str) -> OperationFact:
        """Return how an operation stands. MissingError: Azure has forgotten it, or it is none of the target's."""
        client, path = await self._client(target), must_be_of(target.entry.subscription, operation, Kind.FRONT_DOORS)
        return await asked(
            client, self._access.endpoint + path, "Azure, asked how the change goes", f"{_CDN}/operationresults/read"
        )

    async def _route(self, target: TrafficTarget) -> LeverFact:
        door, client = _door(target), await self._client(target)
        with translated(f"Azure, asked for route {door.route}", f"{_PROFILES}/afdendpoints/routes/read"):
            found = await client.routes.get(door.resource_group, door.profile, door.endpoint, door.route)
        told = found.properties
        group = (told.origin_group.id if told.origin_group else "").rpartition("/")[2]
        names = {name.casefold(): (region, name) for region, name in door.origin_groups.items()}
        region, spelt = names.get(group.casefold(), ("", group))
        setting = Setting(group=spelt, enabled=word(told.enabled_state) == _ENABLED)
        return LeverFact(
            lever=Lever.ROUTE, name=door.route, region=region, setting=setting, state=_state(told), rest=_rest(found)
        )

    async def _origins(self, target: TrafficTarget, group: str) -> tuple[LeverFact, ...]:
        door, client = _door(target), await self._client(target)
        with translated(f"Azure, asked for the origins of {group}", f"{_PROFILES}/origingroups/origins/read"):
            found = client.afd_origins.list_by_origin_group(door.resource_group, door.profile, group)
            return tuple([_origin_fact(door, one) async for one in found])

    async def _client(self, target: TrafficTarget) -> Any:  # noqa: ANN401 - of an SDK that is imported later
        return await self._clients.of(target.entry.subscription)


def _door(target: TrafficTarget) -> FrontDoorRoute:
    if target.entry.front_door is None:
        raise MissingError(f"the estate names no Front Door for {target.name}")
    return target.entry.front_door


def _origin_fact(door: FrontDoorRoute, origin: Any) -> LeverFact:  # noqa: ANN401 - a model of the SDK
    told = origin.properties
    regions = {name.casefold(): (region, name) for region, name in door.origins.items()}
    region, name = regions.get(origin.name.casefold(), ("", origin.name))
    setting = Setting(priority=told.priority, enabled=word(told.enabled_state) == _ENABLED)
    return LeverFact(
        lever=Lever.ORIGIN, name=name, region=region, setting=setting, state=_state(told), host=told.host_name or "",
        rest=_rest(origin),
    )  # fmt: skip


def _rest(resource: Any) -> str:  # noqa: ANN401 - a model of the SDK
    told: Mapping[str, Any] = resource.as_dict().get("properties") or {}
    kept = {name: value for name, value in told.items() if name not in _MOVED}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:_DIGEST_LENGTH]


def _state(properties: Any) -> str:  # noqa: ANN401 - a model of the SDK
    return word(properties.provisioning_state) or SUCCEEDED


def _group_id(target: TrafficTarget, group: str) -> str:
    door = _door(target)
    place = f"/subscriptions/{target.entry.subscription}/resourceGroups/{door.resource_group}/providers/{_CDN}"
    return f"{place}/profiles/{door.profile}/originGroups/{group}"
