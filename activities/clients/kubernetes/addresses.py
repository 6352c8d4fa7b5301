"""Where members and write Services are, by the API server's word instead of DNS.

A pod that was made anew has another address, and DNS tells the old one for seconds. A node that dies may take half of the
cluster's DNS with it, and then every other name waits five seconds for an answer. The API server knows both at once. When
it does not answer, what it said last is used, then the name; of another cluster no name is used, since the worker's own
cluster may have a namesake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.postgres.models.survey import PodFact
from activities.run.errors import Refusal, refuse
from estate.base import Region
from estate.postgres import PostgresTarget

_REMEMBERED_SECONDS = 1.0
_NO_WORD = (UnreachableError, ForbiddenError, MissingError, TimeoutError)
_WITHIN_SECONDS = 0.5
_ALONE_WITHIN_SECONDS = 5.0
"""Where nobody knows an address yet, and there is no name to fall back on."""


class Locator(Protocol):
    """Who knows addresses."""

    async def pods(self, region: Region, names: tuple[str, ...]) -> dict[str, PodFact]:
        """Return the pods that exist among ``names``."""

    async def service_address(self, region: Region, service: str) -> str | None:
        """Return the Service's cluster address, if it has one."""


class Addresses:
    """Remembers each address for a second, and longer when nobody says otherwise."""

    def __init__(self, locator: Locator) -> None:
        """Ask ``locator``."""
        self._locator = locator
        self._known: dict[tuple[Region, str], tuple[float, str]] = {}

    async def of_pod(self, region: Region, pod: str) -> str | None:
        """Return the address of a pod, as far as anybody knows one."""
        return await self._find((region, pod), lambda: self._of_pod(region, pod), _ALONE_WITHIN_SECONDS)

    async def of_member(self, target: PostgresTarget, member: str) -> str:
        """Return the address of a member's pod, or its name when nobody knows one. Raises as ``of_service``."""
        name = member_name(target, member)
        if target.cluster.gate.address is not None:
            return name
        key = (target.region, member)
        found = await self._find(key, lambda: self._of_pod(target.region, member), _WITHIN_SECONDS)
        return found or _by_name(target.region, name)

    async def of_write_service(self, target: PostgresTarget) -> str:
        """Return the address of the write Service, or its name. Raises as ``of_service``."""
        return await self.of_service(target.region, target.cluster.write_service)

    async def of_service(self, region: Region, service: str) -> str:
        """Return the address of a Service, or its name.

        Raises:
            UnreachableError: nobody knows one, and the name would be resolved in the worker's own cluster, not in its own.
        """
        key = (region, f"service/{service}")
        found = await self._find(key, lambda: self._locator.service_address(region, service), _WITHIN_SECONDS)
        return found or _by_name(region, service_name(region, service))

    def forget_pod(self, region: Region, pod: str) -> None:
        """Ask anew next time: nobody answered there."""
        self._known.pop((region, pod), None)

    async def _find(self, key: tuple[Region, str], ask: Callable[[], Awaitable[str | None]], within: float) -> str | None:
        clock = asyncio.get_running_loop().time
        said_at, address = self._known.get(key, (float("-inf"), ""))
        if clock() - said_at < _REMEMBERED_SECONDS:
            return address
        try:
            async with asyncio.timeout(_WITHIN_SECONDS if address else within):
                found = await ask()
        except _NO_WORD:
            found = None
        if found:
            self._known[key] = (clock(), found)
        return found or address or None

    async def _of_pod(self, region: Region, name: str) -> str | None:
        pod = (await self._locator.pods(region, (name,))).get(name)
        return pod.address if pod else None


def _by_name(region: Region, name: str) -> str:
    """Return ``name``, if it means in the worker's own cluster what it means in ``region``."""
    if region.context is not None:
        raise UnreachableError(f"the API server of {region.context} does not say where {name} is")
    return name


def member_name(target: PostgresTarget, member: str) -> str:
    """Return the host name of a member. ApplicationError: ``BadInput``, the estate lists no such member of ``target``."""
    if member not in target.cluster.members:
        raise refuse(Refusal.BAD_INPUT, f"member: {target.name} has no {member}; it has {', '.join(target.cluster.members)}")
    pattern = target.cluster.gate.address or "{member}.postgresql-members.{namespace}.svc.cluster.local"
    return pattern.format(member=member, namespace=target.region.namespace)


def service_name(region: Region, service: str) -> str:
    """Return the host name of a Service."""
    return f"{service}.{region.namespace}.svc.cluster.local"
