"""From a path to what answers it. Names compare without regard to case, as Resource Manager compares them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote

from deploy.lab.azure.errors import ArmError
from deploy.lab.azure.links import Link, Style
from deploy.lab.azure.operations import Operation, OperationFailedError, Operations, Plan


@dataclass(frozen=True)
class Target:
    """What a path names: ``/subscriptions/…[/resourceGroups/…]/providers/NAMESPACE/…``, decoded."""

    path: str
    subscription: str
    group: str
    namespace: str
    rest: tuple[str, ...]

    @property
    def scope(self) -> str:
        """The part that an authorization error names."""
        return self.path.rstrip("/")


def parse(raw_path: str) -> Target:
    """Read a path as it came. 404 for one that names no resource."""
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    path = "/" + "/".join(parts)
    named: dict[str, str] = {}
    while (
        len(parts) > 1 and parts[0].lower() in {"subscriptions", "resourcegroups", "providers"} and "providers" not in named
    ):
        named[parts[0].lower()] = parts[1]
        parts = parts[2:]
    return Target(
        path, named.get("subscriptions", ""), named.get("resourcegroups", ""), named.get("providers", ""), tuple(parts)
    )


@dataclass(frozen=True)
class Call:
    """A request that passed the core's checks."""

    method: str
    target: Target
    names: Mapping[str, str]
    """What the path's places in braces hold."""
    query: Mapping[str, str]
    version: str
    body: Any
    operations: Operations
    ending: OperationFailedError | None = None
    acted: bool = False
    supersedes: bool = False

    @property
    def acts(self) -> bool:
        """Whether what is asked for is done: always, unless a fault lets the operation end without it."""
        return self.ending is None or self.acted

    def begin(self, plan: Plan, status: int = 202, body: Any = None) -> Answer:  # noqa: ANN401 - any JSON
        """Begin an operation, or one that ends as a fault orders it; return what answers the request."""
        operation = self.operations.begin(self.target.namespace, self.target.group, plan, self.ending, acted=self.acted)
        return Answer(status, plan.style.accepted(operation) if body is None else body, operation)


@dataclass(frozen=True)
class Answer:
    """What a provider answers. The links of an operation are added."""

    status: int = 200
    body: Any = None
    operation: Operation | None = None


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """A method on a pattern such as ``flexibleServers/{server}/backups``, and the action that a role must contain."""

    method: str
    pattern: str
    action: str
    handler: Handler
    versions: Sequence[str] = ()
    """The resource type's own, where a namespace has types with different ones."""
    linked: Callable[[Any], Sequence[str]] = lambda _: ()
    """The actions on other resources that a body needs, as it refers to them."""
    in_group: bool = True
    """Whether it is below a resource group; otherwise directly below the subscription."""


def names_in(pattern: str, rest: Sequence[str]) -> dict[str, str] | None:
    """Return what the places in braces hold; None for another path."""
    wanted = pattern.split("/")
    if len(wanted) != len(rest):
        return None
    places = list(zip(wanted, rest, strict=True))
    if any(not place.startswith("{") and place.lower() != part.lower() for place, part in places):
        return None
    return {place[1:-1]: part for place, part in places if place.startswith("{")}


class Provider(Protocol):
    """A resource provider."""

    namespace: str
    versions: Sequence[str]
    styles: Sequence[Style]
    """How its operations are told about."""

    @property
    def routes(self) -> Sequence[Route]:
        """Everything that it answers."""

    def has_group(self, group: str) -> bool:
        """Whether a resource group of that name exists for it."""

    async def start(self, operations: Operations) -> None:
        """Begin what nobody asks for, such as health probes, at the pace of ``operations``."""

    async def stop(self) -> None:
        """End it."""


@dataclass
class Providers:
    """The providers that are registered."""

    known: dict[str, Provider] = field(default_factory=dict)

    def of(self, target: Target) -> Provider:
        """Return the provider of a path. 404 for an unknown one."""
        if found := self.known.get(target.namespace.lower()):
            return found
        raise _no_type(target, "")

    def has_group(self, group: str) -> bool:
        """Whether any provider knows the resource group."""
        return any(one.has_group(group) for one in self.known.values())

    def link(self, target: Target) -> tuple[Link, str] | None:
        """Return the link that a path is, and the operation that it names; None for any other path."""
        provider = self.known.get(target.namespace.lower())
        for link in [one for style in provider.styles for one in style.links] if provider else ():
            names = names_in(link.pattern, target.rest)
            if names is not None and link.in_group == bool(target.group):
                return link, names["operation"]
        return None

    def route(self, target: Target, method: str, version: str) -> tuple[Route, dict[str, str]]:
        """Return what answers. 404 for an unknown type, 400 for an unknown version of it, 405 for another method."""
        provider = self.of(target)
        found = [
            (one, names)
            for one in provider.routes
            if one.in_group == bool(target.group) and (names := names_in(one.pattern, target.rest)) is not None
        ]
        if not found:
            raise _no_type(target, version)
        must_be_listed(target, version, found[0][0].versions or provider.versions)
        for route, names in found:
            if route.method == method:
                return route, names
        raise ArmError(405, "MethodNotAllowed", f"The HTTP method '{method}' is not supported here.", by="route")


def must_be_listed(target: Target, version: str, versions: Sequence[str]) -> None:
    """Return if a resource type has the api-version."""
    if version in versions:
        return
    kind = "/".join(target.rest[::2])
    raise ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for API version '{version}' for type '{kind}'. The supported api-versions "
        f"are '{', '.join(versions)}'.",
        by="api-version",
    )


def _no_type(target: Target, version: str) -> ArmError:
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{'/'.join(target.rest[::2])}' could not be found in the namespace '{target.namespace}' for api "
        f"version '{version}'.",
        by="route",
    )
