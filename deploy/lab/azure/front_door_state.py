"""The Front Door profiles that exist, as Resource Manager shows them, and what a change of them must leave as it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.lab.azure.errors import ArmError, no_resource
from deploy.lab.azure.routing import Call

NAMESPACE = "Microsoft.Cdn"
Path = tuple[str, ...]
"""Types and names in turn: ``profiles, shop, origingroups, app, origins, east``; in lower case it is a key."""
Snapshot = Mapping[Path, Mapping[str, Any]]
"""Properties by the key of the resource."""
ENABLED = "Enabled"


@dataclass
class Resource:
    """One resource."""

    path: Path
    properties: dict[str, Any]
    top: dict[str, Any] = field(default_factory=dict)
    """What an endpoint shows beside its properties."""
    changes: int = 0
    """How many operations on it run."""

    @property
    def kind(self) -> str:
        """The resource type."""
        return "/".join((NAMESPACE, *self.path[::2]))


def key_of(path: Path) -> Path:
    """Return a path as a key."""
    return tuple(part.lower() for part in path)


def key_of_id(resource_id: str) -> Path:
    """Return the key of a resource by its id; empty for an id of something else."""
    _, found, below = resource_id.lower().partition(f"/providers/{NAMESPACE.lower()}/")
    return tuple(below.split("/")) if found else ()


def children(snapshot: Snapshot, parent: Path, kind: str) -> list[Path]:
    """Return the resources of a type directly below another."""
    return [one for one in snapshot if one[:-2] == parent and one[-2] == kind]


@dataclass
class State:
    """All that exists."""

    subscription: str
    resources: dict[Path, Resource] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """The resource group of each profile."""

    def add(self, resource: Resource) -> None:
        """Let a resource exist."""
        self.resources[key_of(resource.path)] = resource

    def find(self, call: Call, path: Path = ()) -> Resource:
        """Return the resource of a call's path, or of another. 404 without it, or without the profile in that group."""
        path = path or call.target.rest
        found = self.resources.get(key_of(path))
        if found is None or not self._in_group(path[1], call.target.group):
            kinds, names = "/".join(path[::2]), "/".join(path[1::2])
            raise no_resource(f"{NAMESPACE}/{kinds}", names, call.target.group)
        return found

    def below(self, call: Call) -> list[Resource]:
        """Return the resources that a list's path names. 404 without the resource that they are below."""
        parent, kind = key_of(call.target.rest[:-1]), call.target.rest[-1].lower()
        is_profile = parent == ("profiles", parent[1])
        if not self._in_group(parent[1], call.target.group) or not (is_profile or parent in self.resources):
            raise no_resource(f"{NAMESPACE}/{'/'.join(parent[::2])}", "/".join(parent[1::2]), call.target.group)
        return [self.resources[one] for one in children(self.snapshot(), parent, kind)]

    def _in_group(self, profile: str, group: str) -> bool:
        return self.groups.get(profile.lower(), "").lower() == group.lower()

    def snapshot(self) -> Snapshot:
        """Return all properties as they are now."""
        return {key: copy.deepcopy(one.properties) for key, one in self.resources.items()}

    def body(self, resource: Resource, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return a resource as GET shows it, or as it would be with other properties."""
        group = self.groups[resource.path[1].lower()]
        place = f"/subscriptions/{self.subscription}/resourcegroups/{group}/providers/{NAMESPACE}"
        return {
            "name": resource.path[-1],
            "id": "/".join((place, *resource.path)),
            "type": resource.kind,
            **resource.top,
            "properties": {
                **copy.deepcopy(dict(resource.properties if properties is None else properties)),
                "provisioningState": "Updating" if resource.changes or properties is not None else "Succeeded",
                "deploymentStatus": "NotStarted",
            },
        }


def refuse_route(state: State, route: Resource, properties: Mapping[str, Any]) -> None:
    """400 for a route that cannot be."""
    compression = ((properties.get("cacheConfiguration") or {}).get("compressionSettings")) or {}
    if compression.get("isCompressionEnabled") and not compression.get("contentTypesToCompress"):
        raise bad("Compression cannot be enabled when content type to compress is empty")
    if not properties.get("customDomains") and properties.get("linkToDefaultDomain") != ENABLED:
        raise bad("Route must be associated with at least one custom domain, or be linked to the default domain.")
    group = key_of_id((properties.get("originGroup") or {}).get("id", ""))
    snapshot = state.snapshot()
    if group not in snapshot or group[:2] != key_of(route.path[:2]) or not any(_enabled(snapshot, group)):
        text = "Please make sure that the originGroup is created successfully and at least one enabled origin is created "
        raise bad(text + "under the origin group.")


def refuse_origin(state: State, origin: Resource, properties: Mapping[str, Any]) -> None:
    """400 for an origin that cannot be so: the last enabled one of a group that a route leads to stays enabled."""
    key = key_of(origin.path)
    after = {**state.snapshot(), key: properties}
    if properties["enabledState"] == ENABLED or any(_enabled(after, key[:-2])):
        return
    routes = [one for path, one in after.items() if path[-2] == "routes"]
    if any(key_of_id((one.get("originGroup") or {}).get("id", "")) == key[:-2] for one in routes):
        text = "Cannot disable or delete the last origin when the origin group is still associated with a route or a rule. "
        raise bad(text + "Please disassociate the origin group and try again.")


def _enabled(snapshot: Snapshot, group: Path) -> Iterator[Path]:
    return (one for one in children(snapshot, group, "origins") if snapshot[one]["enabledState"] == ENABLED)


def bad(message: str) -> ArmError:
    """Return a 400 of the service."""
    return ArmError(400, "BadRequest", message)
