"""An Azure Application Gateway as the estate describes it: how it probes, and whom it may send requests to.

Names of parts (pool, settings, probe) are the gateway's own; its key is its name in Azure. Everything else of the gateway
belongs to others and is never changed.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from estate.base import ApprovalPolicy, Entry, Name, Objective, Subscription, Target
from estate.watching import GatewayWatching, Policy, Watching

PartName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._]*$", max_length=80)]
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9.:]*$", max_length=253)]
"""IP address or host name."""
_Seconds = Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(days=1))]
_Patience = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=1))]
_Statuses = Annotated[str, StringConstraints(pattern=r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$")]


class ProbeProtocol(StrEnum):
    """Over what backends are probed."""

    HTTP = "Http"
    HTTPS = "Https"


class GatewayProbe(Entry):
    """The health probe that must be in place (platform runbook: az network application-gateway probe create)."""

    name: PartName = "api-health-probe"
    protocol: ProbeProtocol = ProbeProtocol.HTTP
    path: str = Field(default="/health/ready", pattern="^/", max_length=2048)
    host: str = ""
    """Host header; empty: as the HTTP settings choose it (``--host-name-from-http-settings true``)."""
    interval: _Seconds = timedelta(seconds=30)
    timeout: _Seconds = timedelta(seconds=30)
    unhealthy_threshold: int = Field(default=3, ge=1, le=20)
    status_codes: tuple[_Statuses, ...] = Field(default=("200",), min_length=1)

    def takes(self, status: int) -> bool:
        """Whether an answer with ``status`` is healthy."""
        ranges = [(one.partition("-")[0], one.rpartition("-")[2]) for one in self.status_codes]
        return any(int(low) <= status <= int(high) for low, high in ranges)


class GatewayThresholds(Entry):
    """Beyond these a run stops waiting, and puts back what it has changed."""

    changed_within: _Patience = timedelta(minutes=10)
    """How long Azure may take for a change, repeated while it is busy. About a minute is usual."""
    healthy_within: _Patience = timedelta(minutes=5)
    """After a change: how long until the gateway calls all healthy that are to be. One probe takes ``interval``."""
    answer_within: _Patience = timedelta(seconds=3)
    """How long a backend that is asked directly may take to answer."""


class GatewayApprovals(Entry):
    """Who must agree. Nobody by default: the platform runbook calls this failover automatic."""

    failover: ApprovalPolicy = ApprovalPolicy(requester_required=False)


class Gateway(Entry):
    """One gateway, one pool of it, and the settings and the probe with which the pool is used."""

    region: Name
    subscription: Subscription
    resource_group: str = Field(min_length=1, max_length=90)
    probe: GatewayProbe = GatewayProbe()
    settings: PartName = "api-http-settings"
    """Name of the backend HTTP settings that must use the probe."""
    pool: PartName
    """Name of the backend pool."""
    backends: tuple[Address, ...] = Field(min_length=1)
    """Addresses that belong into the pool. Others in it are never taken out."""
    least: int = Field(default=1, ge=1)
    """So many healthy backends must stay in the pool; else nobody is taken out."""
    objective: Objective = Objective(rto=timedelta(seconds=30))
    thresholds: GatewayThresholds = GatewayThresholds()
    approvals: GatewayApprovals = GatewayApprovals()
    watch: GatewayWatching | None = None
    """How witnesses look at it; ``None``: nobody does, and only people start its failover."""

    @model_validator(mode="after")
    def _some_may_be_taken_out(self) -> Self:
        folded = [one.casefold() for one in self.backends]
        if len(set(folded)) != len(folded):
            message = "backends names an address twice; name each once"
            raise ValueError(message)
        if self.least > len(self.backends):
            message = f"least is {self.least}, but backends names only {len(self.backends)}; lower least or add backends"
            raise ValueError(message)
        return self

    def declares(self, address: str) -> bool:
        """Whether ``address`` is one of the declared backends; the case of a host name does not matter."""
        return address.casefold() in {one.casefold() for one in self.backends}


class GatewayTarget(Target):
    """One gateway resolved."""

    KIND: ClassVar[str] = "gateway"

    gateway: Gateway

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.gateway.objective

    @property
    def watching(self) -> Watching:
        """How it is watched; one that is watched no more lets a watch that still runs begin nothing."""
        return self.gateway.watch or GatewayWatching(policy=Policy.NOTIFY)

    @property
    def takes_words(self) -> bool:
        """Nobody must vouch for a backend."""
        return False
