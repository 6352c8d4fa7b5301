"""What is seen and done of the traffic, in neutral terms: Azure's are translated by its clients.

A *lever* is what can be set in Azure so that traffic goes elsewhere: a route of Front Door, one of its origins, or an
endpoint of Traffic Manager. A lever's *setting* is the part of it that a run may change.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field

from activities.run.models.plan import Plan
from activities.run.models.report import RecoveryDetails
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
    status: int = 0
    """HTTP status; 0: nobody answered."""
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


class TrafficPlan(Plan):
    """Which levers are moved, and what is expected of the edge."""

    to: str
    """Region."""
    changes: tuple[Change, ...] = ()
    """In the order in which they are made; empty: Azure has it so already, and the edge or DNS has not followed yet."""
    now: tuple[str, ...] = ()
    """Where the traffic goes, one sentence a source."""
    expected: tuple[str, ...] = ()
    """What propagation is to be expected."""
    warnings: tuple[str, ...] = ()

    decided_by: ClassVar[tuple[str, ...]] = ("cluster", "mode", "to", "changes")

    def decisions(self) -> dict[str, Any]:
        """Return what an approver agrees to: the levers, and not the rest of their settings."""
        told = super().decisions()
        return {**told, "changes": [str(one) for one in self.changes]}

    def heading(self) -> str:
        """Return what changes, in a few words."""
        return f"traffic of {self.cluster}: {self.primary or 'unknown'} → {self.to}"

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know."""
        return (*self.now, *self.expected, *self.warnings)

    def warned(self) -> tuple[str, ...]:
        """Return what should be mended before it is needed."""
        return self.warnings


class ChangeOrder(Wire):
    """Make one change."""

    target: Named[TrafficTarget]
    change: Change
    again: bool = False
    """This run may have asked for it before: what is so may be its own work."""
    unsure: bool = False
    """A request of this run may have been heard, and no operation of it is known: it may be seen only minutes later."""


class Begun(Wire):
    """What came of asking for a change."""

    at: datetime
    already: bool = False
    """The lever was so, and this run had not asked for it: nothing was asked for."""
    asked: bool = True
    """A request of this run may have left: the lever is to be put back."""
    busy: str = ""
    """Azure is busy, in these words: nothing was begun."""
    refused: str = ""
    """Azure has said no, in these words: nothing was begun."""
    after_seconds: float | None = None
    """When Azure wants to be asked again."""
    operation: str = ""
    """Path and query at which Azure tells how the change goes; empty: the lever itself is asked."""


class AwaitChange(Wire):
    """Wait for the end of one change."""

    order: ChangeOrder
    operation: str = ""
    until: datetime


class Ended(StrEnum):
    """How a change ended."""

    DONE = "done"
    FAILED = "failed"
    BUSY = "busy"
    """Failed since something else was going on: to be asked for again."""
    OVERTAKEN = "overtaken"
    """It was made, and the lever is otherwise now: somebody else has changed it."""
    LATE = "late"


class Applied(Wire):
    """How one change has ended, by Azure's word."""

    ended: Ended
    at: datetime
    message: str = ""
    rest_changed: bool = False
    """Other settings of the same lever have changed meanwhile."""


class RestoreOrder(Wire):
    """Put a lever back."""

    order: ChangeOrder
    operation: str = ""
    """Of the change, if it is known: until it has ended nobody can tell how the lever will be."""


class Restored(Wire):
    """A lever is as it was."""

    message: str
    moved: bool = True
    """Whether it may have been otherwise before."""


class AwaitServed(Wire):
    """Wait until clients are served from a region."""

    target: Named[TrafficTarget]
    to: str
    name: str = ""
    """The DNS name to ask about; empty: none."""
    hosts: dict[str, str] = Field(default={})
    """Host that the name may lead to → its region."""
    edge_until: datetime
    name_until: datetime


class Proof(Wire):
    """What one source has answered while it was asked again and again."""

    first_at: datetime | None = None
    """First answer from the new region."""
    all_from: datetime | None = None
    """From then on every answer came from there; ``None``: not so many in a row as the proof takes."""
    answers: int = 0
    stopped: bool = False
    """It was not waited for any longer, since the other source had not followed in its time."""
    last: str = ""
    """The last answer that did not count, for people."""
    ttl_seconds: int | None = None


class Served(Wire):
    """Whether clients are served from the new region."""

    at: datetime
    edge: Proof
    name: Proof | None = None

    @property
    def proven(self) -> bool:
        """Whether every source that there is has given its proof."""
        return self.edge.all_from is not None and (self.name is None or self.name.all_from is not None)


class TrafficDetails(RecoveryDetails):
    """What a run has found out and done. ``recovery_seconds``: from the first change to the proof."""

    survey: TrafficSurvey | None = None
    changed: tuple[Change, ...] = ()
    """Changes that this run has made, as Azure confirms."""
    put_back: tuple[Change, ...] = ()
    """Changes after whose undo the lever is as before."""
    asked: int = 0
    """How many changes Azure was asked for, undoing aside."""
    begun_at: datetime | None = None
    azure_done_at: datetime | None = None
    served: Served | None = None
    notes: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether the proof was given."""
        return self.served is not None and self.served.proven
