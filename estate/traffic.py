"""Where an application's public name leads, as the estate describes it: Front Door, Traffic Manager, or both.

Which region has the traffic is never read here. Azure Resource Manager, the edge and DNS are asked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from estate.base import ApprovalPolicy, Entry, Name, Objective, Subscription, Target
from estate.flexible import NameServer

_Patience = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=12))]
_Often = Annotated[timedelta, Field(ge=timedelta(milliseconds=10), le=timedelta(minutes=1))]
_Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+(/\S*)?$", max_length=2000)]
_AzureName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=260)]
_Group = Annotated[str, Field(min_length=1, max_length=90)]
_LEAST = 2


class TrafficRegion(Entry):
    """One region that can have the traffic; its key is the region's name."""

    health: _Url
    """Asked directly, past Front Door and Traffic Manager: answers 200 while the region can serve."""
    tells: str = Field(default="", max_length=200)
    """What an answer through the public name says when it comes from there; empty: the region's name."""


class PublicEdge(Entry):
    """The public name, as clients use it."""

    url: _Url
    """Asked again and again; its answers must not be cached."""
    header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]*$", max_length=100)] = "x-region"
    """Response header whose value tells the region; empty: the body contains it."""


class FrontDoorRoute(Entry):
    """A route of Front Door Standard or Premium.

    With ``origin_groups`` the route is led to another region's group. With ``origin_group`` and ``origins`` the route stays,
    and the regions' origins change their priorities.
    """

    resource_group: _Group
    profile: _AzureName
    endpoint: _AzureName
    route: _AzureName
    origin_groups: dict[Name, _AzureName] = Field(default={})
    """Region → its origin group."""
    origin_group: _AzureName | None = None
    origins: dict[Name, _AzureName] = Field(default={})
    """Region → its origin in ``origin_group``."""

    @model_validator(mode="after")
    def _is_laid_out_one_way(self) -> Self:
        if bool(self.origin_groups) == bool(self.origin_group and self.origins) or (self.origin_groups and self.origins):
            message = "give either origin_groups (a group per region), or origin_group and origins (an origin per region)"
            raise ValueError(message)
        return self

    @property
    def by_region(self) -> dict[Name, _AzureName]:
        """Region → its origin group, or its origin."""
        return self.origin_groups or self.origins


class ManagerProfile(Entry):
    """A profile of Traffic Manager with priority routing."""

    resource_group: _Group
    profile: _AzureName
    endpoints: dict[Name, _AzureName]
    """Region → its endpoint."""

    @property
    def by_region(self) -> dict[Name, _AzureName]:
        """Region → its endpoint."""
        return self.endpoints


class TrafficThresholds(Entry):
    """How long a run waits, and what it takes for a proof."""

    azure_within: _Patience = timedelta(minutes=30)
    """How long Azure may take for one change, asked for again while it is busy. A change of a route took 62 s (recorded)."""
    edge_within: _Patience = timedelta(minutes=90)
    """How long the edge may take then. Azure says up to 20 min, and up to 40 min for changes back to back."""
    dns_within: _Patience = timedelta(minutes=30)
    """How long the name may take to lead to the new region: resolvers keep its record for its time to live."""
    ask_every: _Often = timedelta(seconds=2)
    """Between two questions to the edge, and to DNS."""
    answers_in_a_row: int = Field(default=20, ge=1, le=1000)
    """So many answers in a row are the proof: the edge is many places, which learn at different times."""


class TrafficApprovals(Entry):
    """Who must agree."""

    planned: ApprovalPolicy = ApprovalPolicy()


class TrafficEntry(Entry):
    """One public name and what moves it."""

    region: Name
    """Where the traffic normally goes."""
    subscription: Subscription
    regions: dict[Name, TrafficRegion]
    edge: PublicEdge
    front_door: FrontDoorRoute | None = None
    traffic_manager: ManagerProfile | None = None
    nameserver: NameServer | None = None
    """Address of the DNS server that is asked where Traffic Manager's name leads; ``None``: the worker's own resolver."""
    nameserver_port: int = Field(default=53, ge=1, le=65535)
    objective: Objective = Objective(rto=timedelta(hours=1))
    thresholds: TrafficThresholds = TrafficThresholds()
    approvals: TrafficApprovals = TrafficApprovals()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.front_door is None and self.traffic_manager is None:
            message = "give front_door, traffic_manager, or both: nothing else moves the traffic"
            raise ValueError(message)
        known = ", ".join(self.regions) or "none"
        if len(self.regions) < _LEAST or self.region not in self.regions:
            message = f"regions must be two or more, {self.region} among them; given: {known}"
            raise ValueError(message)
        for name, part in (("front_door", self.front_door), ("traffic_manager", self.traffic_manager)):
            given = part.by_region if part else self.regions
            if part and (set(given) != set(self.regions) or len(set(part.by_region.values())) != len(given)):
                message = f"{name} must name one thing of its own for each of {known}; it has {', '.join(given) or 'none'}"
                raise ValueError(message)
        told = [self.told_by(region) for region in self.regions]
        mixed_up = not self.edge.header and any(one != other and one in other for one in told for other in told)
        if mixed_up or len(set(told)) != len(told):
            message = f"regions: tells must differ, and in a body none may be a part of another; given: {', '.join(told)}"
            raise ValueError(message)
        return self

    @property
    def levers(self) -> dict[tuple[str, ...], str]:
        """What the entry's runs change → the same for people; two entries must not share any."""
        found: dict[tuple[str, ...], str] = {}
        if (door := self.front_door) is not None:
            place = (self.subscription, door.resource_group, "front door", door.profile)
            if door.origin_groups:
                found[*place, door.endpoint, door.route] = f"route {door.route} of endpoint {door.endpoint}"
            else:
                found[*place, door.origin_group or ""] = f"origin group {door.origin_group} of {door.profile}"
        if (manager := self.traffic_manager) is not None:
            place = (self.subscription, manager.resource_group, "traffic manager", manager.profile)
            found[place] = f"Traffic Manager profile {manager.profile}"
        return {tuple(part.casefold() for part in key): words for key, words in found.items()}

    def told_by(self, region: str) -> str:
        """Return what an answer from ``region`` says."""
        return self.regions[region].tells or region


class TrafficTarget(Target):
    """One public name resolved."""

    KIND: ClassVar[str] = "traffic"

    entry: TrafficEntry
    locations: dict[Name, str] = Field(default={})
    """Region → what Azure calls it, for people."""

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.entry.objective

    @property
    def takes_words(self) -> bool:
        """Nobody must vouch for a region: it is asked."""
        return False

    def place(self, region: str) -> str:
        """Return the region with Azure's name for it, for people."""
        return f"{region} ({self.locations[region]})" if region in self.locations else region or "nowhere that is known"
