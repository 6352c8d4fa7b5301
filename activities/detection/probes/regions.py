"""Looks whether a region is lost: do customers get an answer from it, and does anything of it answer at all.

Each public name is asked as a customer asks it; its answer says which region it came from. The region itself is asked by its
API server, and by the health address of each name, past the edge.

*Lost*: customers are not served, and nothing of the region answers. *Degraded*: customers are not served although something
of the region answers, so that leaving it may not help; or they are served, and its API server is silent. A witness to which
nothing answers, the surviving region's API server included, may be the one that is cut off: it says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.clients.region_ports import ApiServers
from activities.clients.traffic_ports import Edge
from activities.detection.models import Condition, Finding, Look
from activities.traffic.models import Answer, HealthFact
from estate.base import Region
from estate.regions import WatchedRegion
from estate.traffic import TrafficTarget

T = TypeVar("T")
_WITHIN_SECONDS = 2.5
_SILENT = f"no answer within {_WITHIN_SECONDS:g} s"


@dataclass(frozen=True)
class _Seen:
    """All that answers a witness, and what does not."""

    edges: tuple[Answer, ...]
    """In the order of the target's names, as ``health``."""
    health: tuple[HealthFact, ...]
    own: str
    """Why the region's API server is silent; empty: it answers."""
    survivors: str
    """Why the surviving region's API server is silent; empty: it answers."""

    @property
    def region_answers(self) -> bool:
        """Whether anything of the region answers, however."""
        return not self.own or any(one.status for one in self.health)

    @property
    def anything(self) -> bool:
        """Whether anybody answers this witness."""
        return self.region_answers or not self.survivors or any(one.status for one in self.edges)


class RegionEye:
    """One witness's eye on one region."""

    def __init__(self, edge: Edge, servers: ApiServers, target: WatchedRegion) -> None:
        """Ask as customers do by ``edge``, API servers by ``servers``."""
        self._edge, self._servers, self._target = edge, servers, target

    async def look(self) -> Look:
        """Return whether the region is lost or degraded."""
        names = self._target.names
        edges, health, own, survivors = await asyncio.gather(
            asyncio.gather(*(self._served(one) for one in names)),
            asyncio.gather(*(self._health(one) for one in names)),
            self._silence(self._target.region),
            self._silence(self._target.survivor),
        )
        seen = _Seen(tuple(edges), tuple(health), own, survivors)
        if not seen.anything:
            return Look(blind=f"nothing answers, {self._target.to} included: it may be this witness that is cut off")
        return Look(findings=tuple(findings(self._target, seen)))

    async def _served(self, name: TrafficTarget) -> Answer:
        return await _within(self._edge.ask(name), Answer(error=f"{name.entry.edge.url}: {_SILENT}"))

    async def _health(self, name: TrafficTarget) -> HealthFact:
        region = self._target.name
        if region not in name.entry.regions:
            return HealthFact(region=region, message="not asked")
        silent = HealthFact(region=region, message=f"{name.entry.regions[region].health}: {_SILENT}")
        return await _within(self._edge.health(name, region), silent)

    async def _silence(self, region: Region) -> str:
        """Return why an API server is silent; one that refuses to answer us is not."""
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                await self._servers.version(region)
        except TimeoutError:
            return _SILENT
        except UnreachableError as error:
            return str(error)
        except (ForbiddenError, MissingError):
            return ""
        return ""


def findings(target: WatchedRegion, seen: _Seen) -> list[Finding]:
    """Return what is wrong. Pure."""
    unserved = [(name, one) for name, one in zip(target.names, seen.edges, strict=True) if not one.region]
    found = [_unserved(name, one) for name, one in unserved]
    if seen.own:
        words = f"{seen.own}; {_who_serves(seen.edges)}"
        found.append(Finding(subject=f"API server of {target.name}", condition=Condition.STOPPED, words=words))
    if unserved and not seen.region_answers and not any(one.region == target.name for one in seen.edges):
        told = [*(one.error for _, one in unserved), f"its API server: {seen.own}", *(one.message for one in seen.health)]
        found.append(Finding(subject=target.name, condition=Condition.SILENT, words="; ".join(told)))
    return found


def _unserved(name: TrafficTarget, answer: Answer) -> Finding:
    return Finding(subject=WatchedRegion.edge_of(name.name), condition=Condition.STOPPED, words=answer.error)


def _who_serves(edges: tuple[Answer, ...]) -> str:
    served = sorted({one.region for one in edges if one.region})
    return f"customers are served from {' and '.join(served)}" if served else "customers are not served"


async def _within(asked: Awaitable[T], silent: T) -> T:
    try:
        async with asyncio.timeout(_WITHIN_SECONDS):
            return await asked
    except TimeoutError:
        return silent
