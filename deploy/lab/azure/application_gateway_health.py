"""Whom an application gateway probes, how, and what it says of them: Up, Down, Unknown, and two words that a test sets.

A server is Down after ``unhealthyThreshold`` bad answers in a row and Up after one good one; what is good the probe's
``match`` says. Without a probe of one's own the settings' default applies: path /, 30 s, 3 in a row, 200 to 399.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from deploy.lab.azure.operations import Operations
from deploy.lab.azure.probing import Check

_DEFAULT_GOOD = ("200-399",)
Properties = Mapping[str, Any]


class Seen(NamedTuple):
    """What a gateway has made of one server's answers."""

    up: bool | None
    """None: not known yet."""
    status: int | None
    """The last answer's; 0: there was none in time, None: not asked yet."""


Member = tuple[str, str, str]
"""Pool, settings and address of a server."""


class Plane(Protocol):
    """What takes the requests of gateways and probes their servers. Gateways have their names in lower case."""

    async def begin(self, operations: Operations) -> None:
        """Begin, at the pace of ``operations``."""

    def work(self, gateway: str, properties: Properties) -> None:
        """Let a gateway work with these properties from now on."""

    async def seen(self, gateway: str) -> Mapping[Member, Seen]:
        """Return what a gateway knows of its servers; one that is missing was never asked."""

    async def probe(self, host: str, path: str, /) -> int:
        """Ask a server once, for a question on demand; the status that it answers with, or an exception."""

    async def end(self) -> None:
        """End."""


@dataclass(frozen=True)
class Rule:
    """How servers are probed."""

    path: str = "/"
    interval: float = 30
    timeout: float = 30
    threshold: int = 3
    match: tuple[str, ...] = _DEFAULT_GOOD

    @property
    def good(self) -> frozenset[int]:
        """The statuses that are good."""
        ranges = [one.split("-") for one in self.match]
        return frozenset(status for one in ranges for status in range(int(one[0]), int(one[-1]) + 1))

    def check(self, address: str) -> Check:
        """Return how one server is probed."""
        return Check(address, self.path, self.interval, self.timeout)


def matched(match: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the statuses of a probe's ``match``."""
    return tuple((match or {}).get("statusCodes") or _DEFAULT_GOOD)


@dataclass
class Backends:
    """What one gateway tells of its servers. ``shows`` are words that a test puts in, by address."""

    gateway: str
    plane: Plane
    shows: dict[str, str] = field(default_factory=dict)

    async def told(self, properties: Properties, id_of: str) -> dict[str, Any]:
        """Return the answer to the question for the health of all."""
        pools: dict[str, list[dict[str, Any]]] = {}
        seen = await self.plane.seen(self.gateway)
        for pool, settings in pairs(properties):
            rule = rule_of(properties, settings)
            servers = [self._server(one, seen.get((pool, settings, one)), rule) for one in addresses(properties, pool)]
            pools.setdefault(pool, []).append(
                {"backendHttpSettings": _reference(id_of, _SETTINGS, settings), "servers": servers}
            )
        return {
            "backendAddressPools": [
                {"backendAddressPool": _reference(id_of, _POOLS, pool), "backendHttpSettingsCollection": found}
                for pool, found in pools.items()
            ]
        }

    def _server(self, address: str, seen: Seen | None, rule: Rule) -> dict[str, str]:
        up, status = seen or Seen(None, None)
        health = self.shows.get(address) or ("Unknown" if up is None else "Up" if up else "Down")
        return server(address, health, status, rule)


_POOLS, _SETTINGS, _PROBES = "backendAddressPools", "backendHttpSettingsCollection", "probes"


def server(address: str, health: str, status: int | None, rule: Rule) -> dict[str, str]:
    """Return one server of an answer."""
    told = {"address": address, "health": health}
    if status is None:
        return told
    if status in rule.good:
        return {**told, "healthProbeLog": f"Success. Received {status} status code"}
    if status:
        text = f"Expected:{','.join(rule.match)} Received:{status}."
        return {
            **told,
            "healthProbeLog": f"Status code of the backend's HTTP response did not match the probe setting. {text}",
        }
    return {**told, "healthProbeLog": "Cannot connect to the backend server."}


def _reference(id_of: str, collection: str, name: str) -> dict[str, str]:
    return {"id": f"{id_of}/{collection}/{name}"}


def pairs(properties: Properties) -> list[tuple[str, str]]:
    """Return the pools and settings that rules and path maps bring together."""
    found: dict[tuple[str, str], None] = {}
    for pool, settings in _uses(properties):
        if pool and settings:
            found[pool, settings] = None
    return list(found)


def _uses(properties: Properties) -> Iterator[tuple[str, str]]:
    for rule in properties["requestRoutingRules"]:
        yield named(rule, "backendAddressPool"), named(rule, "backendHttpSettings")
    for one in properties["urlPathMaps"]:
        yield named(one, "defaultBackendAddressPool"), named(one, "defaultBackendHttpSettings")
        for rule in one["properties"]["pathRules"]:
            yield named(rule, "backendAddressPool"), named(rule, "backendHttpSettings")


def named(part: Mapping[str, Any], name: str) -> str:
    """Return the name of the member that a part refers to; empty if it does not."""
    return str((part["properties"].get(name) or {}).get("id", "")).rpartition("/")[2]


def find(properties: Properties, collection: str, name: str) -> dict[str, Any] | None:
    """Return the properties of a collection's member."""
    members = [one for one in properties[collection] if one["name"].lower() == name.lower()]
    return members[0]["properties"] if members else None


def addresses(properties: Properties, pool: str) -> list[str]:
    """Return the servers of a pool."""
    members = (find(properties, _POOLS, pool) or {}).get("backendAddresses") or []
    return [str(one.get("ipAddress") or one.get("fqdn")) if isinstance(one, dict) else str(one) for one in members]


def rule_of(properties: Properties, settings: str) -> Rule:
    """Return how the servers behind these settings are probed."""
    probe = str(((find(properties, _SETTINGS, settings) or {}).get("probe") or {}).get("id", "")).rpartition("/")[2]
    found = find(properties, _PROBES, probe) if probe else None
    if found is None:
        return Rule()
    numbers = [found.get(name, default) for name, default in (("interval", 30), ("timeout", 30), ("unhealthyThreshold", 3))]
    return Rule(found.get("path") or "/", numbers[0], numbers[1], numbers[2], matched(found.get("match")))


def members(properties: Properties) -> Iterator[tuple[Member, Rule]]:
    """Return whom a gateway probes, and how."""
    for pool, settings in pairs(properties):
        rule = rule_of(properties, settings)
        yield from (((pool, settings, one), rule) for one in addresses(properties, pool))
