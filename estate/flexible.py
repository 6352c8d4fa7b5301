"""A PostgreSQL database on a pair of Azure Flexible Servers in two regions, as the estate describes it.

Azure replicates between its own Flexible Servers only. Which of the two leads is asked of Azure, never read here: after a
failover the roles have changed, and the file need not.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ByteSize, Field, model_validator

from estate.base import Entry, Name, Objective, SecretReference, Subscription, SwitchApprovals, Target

_PAIR = 2
_SUFFIX = "postgres.database.azure.com"


def _is_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        message = f"must be the address of a DNS server, such as 168.63.129.16; got {text!r}"
        raise ValueError(message) from error


NameServer = Annotated[str, AfterValidator(_is_address)]
_Patience = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=12))]
_Short = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=1))]


class FlexibleServer(Entry):
    """One of the two servers; its key is its name in Azure."""

    resource_group: str = Field(min_length=1, max_length=90)
    region: Name


class FlexibleLogin(Entry):
    """The operator's own database role: member of ``pg_monitor``, and may create tables; no administrator."""

    user: str = "failover"
    password: SecretReference
    port: int = Field(default=5432, ge=1, le=65535)
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    sslrootcert: str = "system"
    """File with the authorities that are trusted; ``system``: those of the operating system."""


class FlexibleThresholds(Entry):
    """Beyond these a failover is refused, or stops waiting."""

    planned_lag: ByteSize = ByteSize(16 * 1024 * 1024)
    """WAL (bytes) that the replica may still have to replay when a planned failover starts."""
    forced_lag: _Patience = timedelta(minutes=15)
    """Forced: commits of at most this much time may be missing (platform runbook: 15 min)."""
    promoted_within: _Patience = timedelta(minutes=90)
    """How long Azure may take for the promotion, repeated while it is busy; then a person is needed. A planned switchover of
    an empty server took 6 min 21 s (recorded in June 2026)."""
    route_within: _Short = timedelta(minutes=10)
    """How long the endpoint's name may take to lead to the new primary: its DNS record has a time to live."""
    replica_within: _Short = timedelta(minutes=10)
    """Planned: how long the run stays to see the old primary follow."""


class FlexibleDatabase(Entry):
    """Two servers, one database, one virtual endpoint that applications write through."""

    region: Name
    """Where it normally leads."""
    subscription: Subscription
    servers: dict[Name, FlexibleServer]
    virtual_endpoint: Name
    """Name of the endpoint; applications connect to ``NAME.writer.postgres.database.azure.com``."""
    database: str
    login: FlexibleLogin
    nameserver: NameServer | None = None
    """Address of the DNS server that knows the servers' names; ``None``: the worker's own resolver."""
    nameserver_port: int = Field(default=53, ge=1, le=65535)
    objective: Objective = Objective(rto=timedelta(hours=2), rpo=timedelta(minutes=15))
    thresholds: FlexibleThresholds = FlexibleThresholds()
    approvals: SwitchApprovals = SwitchApprovals()

    @model_validator(mode="after")
    def _is_a_pair_in_two_regions(self) -> Self:
        regions = [server.region for server in self.servers.values()]
        if len(regions) != _PAIR or len(set(regions)) != _PAIR:
            message = f"servers must be two, each in a region of its own; given: {', '.join(regions) or 'none'}"
            raise ValueError(message)
        if self.region not in regions:
            message = f"region is {self.region}, but no server is there; servers are in {', '.join(regions)}"
            raise ValueError(message)
        return self

    @property
    def writer(self) -> str:
        """Host name that applications write to."""
        return f"{self.virtual_endpoint}.writer.{_SUFFIX}"

    def other(self, server: str) -> str:
        """Return the server that is not ``server``."""
        return next(name for name in self.servers if name != server)


def host_of(server: str) -> str:
    """Return the server's own host name."""
    return f"{server}.{_SUFFIX}"


class FlexibleTarget(Target):
    """One database resolved."""

    KIND: ClassVar[str] = "flexible"

    database: FlexibleDatabase
    locations: dict[Name, str] = Field(default={})
    """Server → what Azure calls its region, for people."""

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.database.objective

    def place(self, server: str) -> str:
        """Return the server with its region, for people."""
        return f"{server} ({self.locations.get(server, 'unknown region')})"
