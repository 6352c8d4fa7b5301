"""Looks where the traffic goes: by Azure's settings, by what the edge and DNS answer. Asks each region. Changes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

from activities.clients.asking import patiently
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.clients.traffic_ports import TrafficClients
from activities.run.declare import step
from activities.run.postures import READ_LONG
from activities.traffic.models import Answer, NameFact, Side, SideFact, TrafficLook, TrafficSurvey
from estate.traffic import TrafficTarget

NO_ANSWER = (UnreachableError, BusyError, MissingError, ForbiddenError, RequestRefusedError)
"""What a look may meet: it is part of what was seen."""
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
            return await patiently(partial(levers.look, target), levers.poll)
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
