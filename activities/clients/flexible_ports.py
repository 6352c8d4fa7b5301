"""What the region's database steps need from the outside, as Protocols. Errors are those of ``activities.clients.ports``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from activities.clients.operation_facts import OperationFact
from activities.region.models import AzureFact, EndpointFact, FlexibleSqlFact
from estate.flexible import FlexibleTarget
from gate.record import Mode


class FlexibleServers(Protocol):
    """Azure Resource Manager, for PostgreSQL Flexible Servers."""

    @property
    def poll(self) -> timedelta:
        """Between two looks at an operation where Azure names no time of its own."""

    async def server(self, target: FlexibleTarget, server: str) -> AzureFact:
        """Return what Azure says of ``server``."""

    async def endpoint_members(self, target: FlexibleTarget, primary: str) -> tuple[str, ...]:
        """Return the servers behind the virtual endpoint, read through ``primary``. MissingError: it has none there."""

    async def maintenance(self, target: FlexibleTarget, server: str) -> tuple[str, ...]:
        """Return the maintenance that is announced for ``server``, in words."""

    async def promote(self, target: FlexibleTarget, server: str, source: str, mode: Mode) -> str:
        """Ask once for the switchover to ``server``; return the operation's address, without its host.

        Raises:
            BusyError, RequestRefusedError, ForbiddenError, MissingError: nothing was done.
            UnreachableError: nobody can tell whether it was accepted.

        """

    async def stop(self, target: FlexibleTarget, server: str) -> str:
        """Ask once that ``server`` be stopped; return the operation's address. Errors as of ``promote``."""

    async def start(self, target: FlexibleTarget, server: str) -> str:
        """Ask once that ``server`` be started; return the operation's address. Errors as of ``promote``."""

    async def stand_by(self, target: FlexibleTarget, server: str, mode: str) -> str:
        """Ask once for high availability of ``server``, ``mode`` as Azure words it; return the operation's address.

        Errors as of ``promote``.
        """

    async def operation(self, target: FlexibleTarget, operation: str) -> OperationFact:
        """Return how an operation stands. MissingError: Azure has forgotten it."""


class Written(NamedTuple):
    """A write through the endpoint that was read back."""

    milliseconds: float
    timeline: int | None
    refused: str
    complete_until: datetime | None = None
    """Commit of the old primary that the new one has replayed last; ``None``: none since it started."""


class FlexibleSql(Protocol):
    """The servers by SQL, with the operator's own role, and their names by DNS."""

    async def facts(self, target: FlexibleTarget, server: str) -> FlexibleSqlFact:
        """Return what ``server`` says of itself, asked by its own name."""

    async def endpoint(self, target: FlexibleTarget) -> EndpointFact:
        """Return where the endpoint's writer name leads just now; ``members`` is empty."""

    async def serves(self, target: FlexibleTarget) -> str:
        """Return why a session by the writer name is not served, as applications open it; empty: it is."""

    async def verify_write(self, target: FlexibleTarget, leader: str) -> Written:
        """Insert, read and delete a row through the endpoint. UnreachableError: not at ``leader``, or not yet."""

    async def prepare_rows(self, target: FlexibleTarget) -> None:
        """Make the tables that ``write_row`` writes to, once."""

    async def write_row(self, target: FlexibleTarget, run: str, row: int, *, within: timedelta) -> None:
        """Insert row number ``row`` of ``run`` through the endpoint, on a new connection. WriteFailedError: it was not."""

    async def missing_rows(self, target: FlexibleTarget, run: str, rows: tuple[int, ...]) -> int:
        """Return how many of ``rows`` the server behind the endpoint does not have."""

    async def remove_rows(self, target: FlexibleTarget, run: str) -> None:
        """Remove the rows of ``run``. Safe to repeat."""
