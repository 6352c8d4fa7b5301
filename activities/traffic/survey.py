"""Looks where the traffic goes: by Azure's settings, by what the edge and DNS answer. Asks each region. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.clients.traffic_ports import Levers, TrafficClients
from activities.run.declare import step
from activities.run.polling import sleep
from activities.run.postures import READ_LONG
from activities.traffic.models import Answer, NameFact, Side, SideFact, TrafficLook, TrafficSurvey
from estate.traffic import TrafficTarget

T = TypeVar("T")
NO_ANSWER = (UnreachableError, BusyError, MissingError, ForbiddenError, RequestRefusedError)
"""What a look may meet: it is part of what was seen."""
_TRIES, _ANSWER_SECONDS = 4, 15.0
_QUESTIONS = 3
"""To the edge: a single answer may come from the one place that has not learnt of a change."""


class TrafficLookActivities:
    """The read-only half of ``dns-failover``."""

    def __init__(self, clients: TrafficClients) -> None:
        """Ask by ``clients``."""
        self._clients = clients

    @step("traffic.survey", READ_LONG, lambda request: f"survey the traffic of {request.target.name}")
    async def survey(self, request: TrafficLook) -> TrafficSurvey:
        """Return where the traffic goes now. Who does not answer is in it with that."""
        target, edge = request.target, self._clients.edge
        sides, answers, health = await asyncio.gather(
            asyncio.gather(*(self._side(target, side) for side in sides_of(target))),
            self._answers(target),
            asyncio.gather(*(edge.health(target, region) for region in target.entry.regions)),
        )
        return TrafficSurvey(
            at=datetime.now(UTC),
            sides=tuple(sides),
            edge=answers,
            name=await self._name(target, sides),
            health=tuple(health),
        )

    async def _answers(self, target: TrafficTarget) -> tuple[Answer, ...]:
        return tuple([await self._clients.edge.ask(target) for _ in range(_QUESTIONS)])

    async def _side(self, target: TrafficTarget, side: Side) -> SideFact:
        levers = self._clients.of(side)
        try:
            return await _asked(levers, partial(levers.look, target))
        except NO_ANSWER as error:
            return SideFact(side=side, error=str(error))

    async def _name(self, target: TrafficTarget, sides: list[SideFact]) -> NameFact | None:
        manager = next((one for one in sides if one.side is Side.TRAFFIC_MANAGER), None)
        if manager is None:
            return None
        if not manager.name:
            return NameFact(error=manager.error or "Azure tells no DNS name of the profile")
        return await self._clients.names.look(target, manager.name, hosts_of(manager))


def sides_of(target: TrafficTarget) -> tuple[Side, ...]:
    """Return who leads the traffic. Traffic Manager first: its changes are seen within minutes."""
    entry = target.entry
    given = ((Side.TRAFFIC_MANAGER, entry.traffic_manager), (Side.FRONT_DOOR, entry.front_door))
    return tuple(side for side, part in given if part is not None)


def hosts_of(manager: SideFact) -> dict[str, str]:
    """Return host → region, for endpoints that the estate names."""
    return {one.host: one.region for one in manager.levers if one.host and one.region}


async def _asked(levers: Levers, ask: Callable[[], Awaitable[T]]) -> T:
    """Return an answer of Azure, which may be silent or busy for a moment."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            for _ in range(_TRIES - 1):
                try:
                    return await ask()
                except (UnreachableError, BusyError):
                    await sleep(levers.poll.total_seconds())
            return await ask()
    except TimeoutError as error:
        raise UnreachableError(f"Azure does not answer within {_ANSWER_SECONDS:g} s") from error
