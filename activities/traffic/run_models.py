"""What a run that moves traffic plans, orders and is told by its steps."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field

from activities.run.models.plan import Plan
from activities.run.models.report import RecoveryDetails
from activities.run.models.wire import Wire
from activities.traffic.models import Change, TrafficSurvey
from estate.reference import Named
from estate.traffic import TrafficTarget


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


class ChangeOrder(Wire):
    """Make one change."""

    target: Named[TrafficTarget]
    change: Change
    again: bool = False
    """This run may have asked for it before."""


class Begun(Wire):
    """What came of asking for a change."""

    at: datetime
    already: bool = False
    """The lever was so, and this run had not asked for it: nothing was asked for."""
    busy: str = ""
    """Azure is busy, in these words: nothing was begun."""
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
