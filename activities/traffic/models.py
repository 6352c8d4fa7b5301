"""What is seen and done of the traffic, in neutral terms: Azure's are translated by its clients.

A *lever* is what can be set in Azure so that traffic goes elsewhere: a route of Front Door, one of its origins, or an
endpoint of Traffic Manager. A lever's *setting* is the part of it that a run may change.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from activities.run.models.wire import Wire
from estate.reference import Named
from estate.traffic import TrafficTarget

SUCCEEDED = "Succeeded"
"""State of a lever that Azure does not change just now."""


class Side(StrEnum):
    """Who leads the traffic."""

    FRONT_DOOR = "Front Door"
    TRAFFIC_MANAGER = "Traffic Manager"


class Lever(StrEnum):
    """What kind of lever it is."""

    ROUTE = "route"
    ORIGIN = "origin"
    ENDPOINT = "endpoint"

    @property
    def side(self) -> Side:
        """Who has it."""
        return Side.TRAFFIC_MANAGER if self is Lever.ENDPOINT else Side.FRONT_DOOR


class Setting(Wire):
    """What a run may change of a lever."""

    group: str = ""
    """Route: the origin group that it leads to."""
    priority: int | None = None
    """Origin, endpoint: the lowest of those that are enabled gets the traffic."""
    enabled: bool = True

    def __str__(self) -> str:
        """Return it for people."""
        if self.group:
            return f"origin group {self.group}"
        return f"priority {self.priority if self.priority is not None else 'unknown'}{'' if self.enabled else ', disabled'}"


class LeverFact(Wire):
    """One lever as Azure shows it."""

    lever: Lever
    name: str
    kind: str = ""
    """Endpoint: its type in Traffic Manager's paths."""
    region: str = ""
    """The region that it stands for, or leads to; empty: none that the estate names."""
    setting: Setting
    state: str = SUCCEEDED
    """Front Door: ``provisioningState``."""
    health: str = ""
    """Endpoint: what Traffic Manager's own probes say, in Azure's terms."""
    host: str = ""
    """Endpoint: the name that it stands for."""
    rest: str = ""
    """Route, origin: a digest of all its other settings."""


class SideFact(Wire):
    """All levers of one side, and what Azure says about them as a whole."""

    side: Side
    levers: tuple[LeverFact, ...] = ()
    routing: str = ""
    """Traffic Manager: ``Priority``, or a method that no run moves."""
    disabled: str = ""
    """What is switched off as a whole, in words; empty: nothing."""
    name: str = ""
    """Traffic Manager: the DNS name that it answers."""
    ttl_seconds: int | None = None
    empty: tuple[str, ...] = ()
    """Regions whose origin group has no enabled origin."""
    error: str = ""
    """Why nothing is known of it."""

    @property
    def region(self) -> str:
        """The region that gets the traffic by this side's settings; several are joined by ``and``; empty: none known."""
        if self.disabled:
            return ""
        routes = [one.region for one in self.levers if one.lever is Lever.ROUTE]
        if routes:
            return routes[0]
        enabled = [one for one in self.levers if one.setting.enabled and one.setting.priority is not None]
        lowest = min((one.setting.priority or 0 for one in enabled), default=0)
        return " and ".join(sorted(one.region or one.name for one in enabled if one.setting.priority == lowest))


class Answer(Wire):
    """One answer through the public name, or by a region directly."""

    region: str = ""
    """The region that it names; empty: none that the estate lists."""
    status: int = 0
    error: str = ""
    """Why it does not count."""


class NameFact(Wire):
    """Where a DNS name leads just now."""

    region: str = ""
    leads_to: tuple[str, ...] = ()
    """Names and addresses of the answer, in order."""
    ttl_seconds: int | None = None
    error: str = ""


class HealthFact(Wire):
    """What a region answers that is asked directly."""

    region: str
    healthy: bool = False
    message: str = ""


class TrafficSurvey(Wire):
    """Where the traffic goes now, by each source."""

    at: datetime
    sides: tuple[SideFact, ...]
    edge: tuple[Answer, ...]
    name: NameFact | None = None
    """``None``: no Traffic Manager."""
    health: tuple[HealthFact, ...] = ()

    @property
    def edge_regions(self) -> tuple[str, ...]:
        """Regions that have answered through the public name, sorted."""
        return tuple(sorted({one.region for one in self.edge if one.region and not one.error}))

    @property
    def edge_told(self) -> str:
        """Where the edge sends requests, for people."""
        failed = next((one.error for one in self.edge if one.error), "")
        return " and ".join(filter(None, (*self.edge_regions, f"no proof ({failed})" if failed else ""))) or "nowhere known"

    def health_of(self, region: str) -> HealthFact:
        """Return what a region answers."""
        return next((one for one in self.health if one.region == region), HealthFact(region=region, message="not asked"))

    def side(self, side: Side) -> SideFact | None:
        """Return what Azure says of one side; ``None``: the estate has none."""
        return next((one for one in self.sides if one.side is side), None)


class TrafficLook(Wire):
    """Look at a public name."""

    target: Named[TrafficTarget]


class Change(Wire):
    """One lever from one setting to another."""

    lever: Lever
    name: str
    kind: str = ""
    before: Setting
    after: Setting
    rest: str = ""

    @property
    def backwards(self) -> Change:
        """The change that puts it back."""
        return self.model_copy(update={"before": self.after, "after": self.before})

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.lever.side} {self.lever} {self.name}: {self.before} → {self.after}"
