"""Application gateways that carry requests: each one a HAProxy in front of the servers of its pools.

Health is HAProxy's own, as the gateway's probes say: path, interval, timeout, ``unhealthyThreshold`` in a row, up again
after one good answer, and the statuses of ``match``. What the gateway tells of its servers is what HAProxy tells. A pool in
which nobody is up answers 502. A PUT reaches HAProxy when its operation ends: servers come and go by the runtime socket,
another probe takes a second process (``haproxy``); no request ends by either.

What Azure does and this does not: rules that lead by path and redirects (503 here), host names of listeners, TLS, timeouts
of the settings (10 s here), affinity, draining (a server that is taken out ends its requests within 2 s). The first answer
after a start is enough for Down if it is bad.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from deploy.lab.azure.application_gateway_health import (
    Member,
    Properties,
    Rule,
    Seen,
    addresses,
    find,
    members,
    named,
    pairs,
    rule_of,
)
from deploy.lab.azure.operations import Operations
from deploy.lab.haproxy import Haproxy
from deploy.lab.haproxy_layout import NOBODY, Entry, Layout, Pool, Probe, Server
from deploy.lab.haproxy_layout import Seen as Told

_LEAST_SECONDS = 0.5
"""What a probe of a real server needs at least, however fast the emulator goes."""


class GatewayProxies:
    """A plane. ``listeners``: HOST:PORT by gateway and listener; a listener that is missing takes no requests."""

    def __init__(self, listeners: Mapping[str, Mapping[str, str]]) -> None:
        self._listeners = {name.lower(): own for name, own in listeners.items()}
        self._running: dict[str, Properties] = {}
        self._operations: Operations | None = None
        self._starting: list[asyncio.Task[None]] = []
        self._lost: set[str] = set()
        self.proxies: dict[str, Haproxy] = {}

    async def begin(self, operations: Operations) -> None:
        """Start one HAProxy for each gateway that exists; those that come later get theirs then."""
        self._operations = operations
        for name in self._running:
            await self._new(name).start()

    def work(self, gateway: str, properties: Properties) -> None:
        """Let a gateway's HAProxy work with these properties; it does so a moment later."""
        self._running[gateway] = properties
        if proxy := self.proxies.get(gateway):
            proxy.want(self._layout(gateway))
        elif self._operations and gateway not in self._lost:
            self._starting.append(asyncio.create_task(self._new(gateway).start()))

    async def seen(self, gateway: str) -> Mapping[Member, Seen]:
        """Return what HAProxy tells. ``OSError``: it does not run."""
        if gateway not in self.proxies:
            return {}
        told = await self.proxies[gateway].servers()
        found = {member: told.get((f"{_pool(*member[:2])}.1", member[2])) for member, _ in members(self._running[gateway])}
        return {member: _seen(one) for member, one in found.items() if one}

    async def lose(self, gateway: str) -> None:
        """End a gateway's HAProxy until ``restore``, whatever Azure does to the gateway meanwhile."""
        self._lost.add(gateway)
        if proxy := self.proxies.pop(gateway, None):
            await proxy.stop()

    async def restore(self, gateway: str) -> None:
        """Start it again, if it was lost."""
        if gateway in self._lost:
            self._lost.remove(gateway)
            await self._new(gateway).start()

    async def probe(self, host: str, path: str, /) -> int:
        """Ask one server of any gateway once."""
        port = next(port for one in self._running.values() for address, port in _ports(one) if address == host)
        async with aiohttp.ClientSession() as http, http.get(f"http://{host}:{port}{path}", allow_redirects=False) as answer:
            return answer.status

    async def end(self) -> None:
        """End every HAProxy."""
        await asyncio.gather(*self._starting, return_exceptions=True)
        for one in self.proxies.values():
            await one.stop()

    def _new(self, gateway: str) -> Haproxy:
        self.proxies[gateway] = Haproxy(f"the gateway {gateway}", self._layout(gateway))
        return self.proxies[gateway]

    def _layout(self, gateway: str) -> Layout:
        running = self._running[gateway]
        leads = dict(_leads(running))
        listening = self._listeners.get(gateway, {})
        entries = {name: Entry(address, leads.get(name.lower(), NOBODY)) for name, address in listening.items()}
        return Layout(entries, {_pool(*one): self._servers(running, *one) for one in pairs(running)})

    def _servers(self, running: Properties, pool: str, settings: str) -> Pool:
        port = _port(running, settings)
        servers = {one: Server(f"{one}:{port}") for one in addresses(running, pool)}
        return Pool(servers, self._probe(rule_of(running, settings)))

    def _probe(self, rule: Rule) -> Probe:
        pace = self._operations.pace if self._operations else 1
        timeout = max(rule.timeout * pace, _LEAST_SECONDS)
        return Probe(rule.path, rule.interval * pace, timeout, rule.threshold, 1, ",".join(rule.match))


def _leads(running: Properties) -> Iterator[tuple[str, str]]:
    """Return listeners and pools of the rules that bring them together, the last by priority first: the others win."""
    rules = [one for one in running["requestRoutingRules"] if one["properties"].get("ruleType") == "Basic"]
    for rule in sorted(rules, key=_priority, reverse=True):
        pool, settings = named(rule, "backendAddressPool"), named(rule, "backendHttpSettings")
        yield named(rule, "httpListener").lower(), _pool(pool, settings) if pool and settings else NOBODY


def _priority(rule: Mapping[str, Any]) -> int:
    return int(rule["properties"].get("priority") or 0)


def _pool(pool: str, settings: str) -> str:
    return f"{pool}.{settings}"


def _port(running: Properties, settings: str) -> int:
    return int((find(running, "backendHttpSettingsCollection", settings) or {}).get("port") or 80)


def _ports(running: Properties) -> Iterator[tuple[str, int]]:
    return ((one, _port(running, settings)) for (_, settings, one), _ in members(running))


def _seen(told: Told) -> Seen:
    return Seen(told.is_up, None if told.is_up is None else told.code)
