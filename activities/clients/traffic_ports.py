"""What the steps that move traffic need from the outside, as Protocols. Errors are those of ``activities.clients.ports``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from activities.clients.operation_facts import OperationFact
from activities.traffic.models import Answer, Change, HealthFact, LeverFact, NameFact, Side, SideFact
from estate.traffic import TrafficTarget


class Levers(Protocol):
    """Azure Resource Manager, for one side. No request is repeated by the client itself."""

    @property
    def poll(self) -> timedelta:
        """Between two looks at an operation where Azure names no time of its own."""

    async def look(self, target: TrafficTarget) -> SideFact:
        """Return all levers that the estate names, and those that stand in their way."""

    async def lever(self, target: TrafficTarget, change: Change) -> LeverFact:
        """Return the lever of ``change`` as it is now."""

    async def set(self, target: TrafficTarget, change: Change) -> str:
        """Ask once for ``change.after``; return the operation's address without its host, empty where there is none.

        Raises:
            BusyError, RequestRefusedError, ForbiddenError, MissingError: nothing was done.
            UnreachableError: nobody can tell whether it was accepted.

        """

    async def operation(self, target: TrafficTarget, operation: str) -> OperationFact:
        """Return how an operation stands. MissingError: Azure has forgotten it, or it is none of the target's."""


class Edge(Protocol):
    """The application by HTTP: through its public name, and past it."""

    async def ask(self, target: TrafficTarget) -> Answer:
        """Return which region answers a new connection through the public name. Never raises."""

    async def health(self, target: TrafficTarget, region: str) -> HealthFact:
        """Return what ``region`` answers that is asked directly. Never raises."""


class Names(Protocol):
    """DNS."""

    async def look(self, target: TrafficTarget, name: str, hosts: Mapping[str, str]) -> NameFact:
        """Return where ``name`` leads just now; ``hosts``: host → region. Never raises."""


@dataclass(frozen=True)
class TrafficClients:
    """One client a source."""

    front_door: Levers
    traffic_manager: Levers
    edge: Edge
    names: Names

    def of(self, side: Side) -> Levers:
        """Return the client of one side."""
        return self.front_door if side is Side.FRONT_DOOR else self.traffic_manager
