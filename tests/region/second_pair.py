"""A second database of a region: a pair behind the ports of Azure and SQL, since one real pair is all that runs.

Its own failover is the product's, child and all: only what Azure and two servers would say is made up here. Azure lists a
lost primary as primary still, as the emulator does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.clients.flexible_ports import Written
from activities.clients.operation_facts import OperationFact, OperationState
from activities.clients.ports import UnreachableError
from activities.region.models import READY, AzureFact, EndpointFact, FlexibleSqlFact, Role
from estate.flexible import FlexibleTarget
from gate.postgres.lsn import parse_lsn
from gate.record import Mode

SECOND = "billing-db"
_WRITTEN = "0/5000000"


class SecondPair:
    """Both ports. ``leader`` leads, the other one follows; ``lost`` does not answer."""

    def __init__(self, leader: str, other: str) -> None:
        self.leader, self.servers, self.lost = leader, (leader, other), ""
        self.refusal: Exception | None = None
        """What Azure says to a request for the promotion."""
        self.sql_error = ""
        """What the servers say to a login."""
        self.behind = 0
        """Bytes of WAL that the replica has not replayed, and seconds."""
        self.promoted = list[str]()

    async def server(self, _: FlexibleTarget, server: str) -> AzureFact:
        follows = server not in {self.leader, self.lost}
        role, source = (Role.REPLICA, self._other(server)) if follows else (Role.PRIMARY, "")
        return AzureFact(name=server, role=role, state=READY, source=source)

    async def endpoint_members(self, *_: object) -> tuple[str, ...]:
        return (self.leader, self._other(self.leader))

    async def maintenance(self, *_: object) -> tuple[str, ...]:
        return ()

    async def promote(self, _: FlexibleTarget, server: str, source: str, mode: Mode) -> str:
        if self.refusal:
            raise self.refusal
        assert source == self.leader, mode
        self.leader = server
        self.promoted.append(server)
        return "/its/operation"

    async def operation(self, *_: object) -> OperationFact:
        return OperationFact(OperationState.SUCCEEDED)

    async def facts(self, _: FlexibleTarget, server: str) -> FlexibleSqlFact:
        if self.sql_error or server == self.lost:
            raise UnreachableError(self.sql_error or "no route")
        if server == self.leader:
            return FlexibleSqlFact(
                name=server, in_recovery=False, system_identifier="7", written_lsn=_WRITTEN, behind_bytes=0, takes_rows=False
            )
        return FlexibleSqlFact(
            name=server, in_recovery=True, system_identifier="7", told_lsn=_WRITTEN, takes_rows=False,
            replayed_lsn=f"0/{parse_lsn(_WRITTEN) - self.behind:X}", received_lsn=_WRITTEN,
            replayed_at=datetime.now(UTC) - timedelta(seconds=self.behind),
        )  # fmt: skip

    async def endpoint(self, _: FlexibleTarget) -> EndpointFact:
        return EndpointFact(leads_to=self.leader, addresses=("10.0.0.4",), ttl_seconds=30)

    async def serves(self, _: FlexibleTarget) -> str:
        return ""

    async def verify_write(self, *_: object) -> Written:
        return Written(1.0, 2, "")

    def _other(self, server: str) -> str:
        return next(one for one in self.servers if one != server)


class Both:
    """A port that hands a question about the database ``SECOND`` on to ``second``, and every other one to ``real``."""

    def __init__(self, real: Any, second: SecondPair) -> None:
        self._real, self._second = real, second

    def __getattr__(self, name: str) -> Any:
        real, second = getattr(self._real, name), getattr(self._second, name, None)
        if second is None or not callable(real):
            return real
        answers: tuple[Callable[..., Any], Callable[..., Any]] = real, second
        return lambda target, *more: answers[target.name == SECOND](target, *more)
