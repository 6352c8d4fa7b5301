"""What the gateway steps need from the outside, as Protocols. Errors are those of ``activities.clients.ports``."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, Protocol

from activities.clients.operation_facts import OperationFact
from activities.traffic.gateway_models import BackendFact, Direct, GatewayFact, GatewayOrder
from estate.gateways import GatewayTarget


class Accepted(NamedTuple):
    """What came of a change that was tried."""

    operation: str = ""
    """Address of Azure's operation, without its host; empty: none was named."""
    already: bool = False
    """Every place is as it is to be: nothing was sent."""
    differs: tuple[str, ...] = ()
    """Undo: places that somebody else has changed since; they were left."""


class Gateways(Protocol):
    """Azure Resource Manager, for application gateways."""

    @property
    def poll(self) -> timedelta:
        """Between two looks at an operation where Azure names no time of its own."""

    async def gateway(self, target: GatewayTarget) -> GatewayFact:
        """Return what Azure says of the gateway. MissingError: there is none of that name."""

    async def health(self, target: GatewayTarget) -> tuple[BackendFact, ...]:
        """Return what the gateway says of the backends behind the declared pool and settings. Takes some seconds."""

    async def change(self, order: GatewayOrder) -> Accepted:
        """Look, and ask once for what is not as it is to be; everything else of the gateway is sent back as it was read.

        Raises:
            ConflictError: the gateway is not what the plan was made on, or was changed between look and request; nothing
                was done. Names what differs.
            BusyError, RequestRefusedError, ForbiddenError, MissingError: nothing was done.
            UnreachableError: nobody can tell whether it was accepted.

        """

    async def operation(self, target: GatewayTarget, operation: str) -> OperationFact:
        """Return how an operation stands. MissingError: Azure has forgotten it."""


class Backends(Protocol):
    """Backends, asked by the worker itself."""

    async def ask(self, target: GatewayTarget, gateway: GatewayFact, address: str) -> tuple[Direct, str]:
        """Return how ``address`` answers to the declared probe's question, and in which words. Never raises."""
