"""One wait for the end of what Azure was asked to do with a server: by the operation, and else by the server itself.

A moment of not knowing is none: what is silent, forbidden or not found may be found at the next look. An operation that
Azure does not know at ``_MISSES`` looks in a row is given up, and the server alone tells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from activities.clients.asking import NO_ANSWER
from activities.clients.flexible_ports import FlexibleServers
from activities.clients.operation_facts import OperationFact, OperationState
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.region.models import AzureFact
from estate.flexible import FlexibleTarget

T = TypeVar("T")

_MISSES = 5
"""Until an operation is given up: it may not be visible everywhere yet."""
IDLE = 15
"""Looks at a server on which nothing goes on, before what was asked for counts as unseen."""


class OperationWatch(ABC, Generic[T]):
    """Ask again after ``pause``. Changes nothing."""

    def __init__(self, servers: FlexibleServers, target: FlexibleTarget, server: str, operation: str) -> None:
        """Watch ``server``; an empty ``operation``: none is known."""
        self.servers, self.target, self.server, self._operation = servers, target, server, operation
        self.fact, self.said, self.looks, self.idle, self._misses = AzureFact(name=server), "", 0, 0, 0
        self.pause = servers.poll

    async def look(self) -> T | None:
        """Return how it ended; ``None``: it goes on, or nobody can tell. What is silent or forbidden may change."""
        self.looks, self.pause = self.looks + 1, self.servers.poll
        try:
            operation = await self._of_operation()
            if operation is not None and operation.state is OperationState.RUNNING:
                self.pause = operation.after or self.pause
                return None
            self.fact = await self.servers.server(self.target, self.server)
        except NO_ANSWER as error:
            self.pause = (error.after if isinstance(error, BusyError) else None) or self.pause
            self.said = str(error)
            return None
        return await self.judged(operation)

    @abstractmethod
    async def judged(self, operation: OperationFact | None) -> T | None:
        """Return how it ended, by the server (``fact``) and the operation, which does not run any more or is not known."""

    async def _of_operation(self) -> OperationFact | None:
        """Return how the operation stands; ``None``: the server itself must tell."""
        if not self._operation:
            return None
        try:
            fact = await self.servers.operation(self.target, self._operation)
        except (MissingError, ForbiddenError, RequestRefusedError) as error:
            self._misses += 1
            self._operation = "" if self._misses >= _MISSES else self._operation
            raise UnreachableError(str(error)) from error
        self._misses = 0
        return fact
