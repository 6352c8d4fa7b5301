"""What is seen and done of an application gateway, in neutral words: Azure's are translated by its client.

A change is a list of edits. Each names one place of the gateway, what was there when it was decided on, and what is to be
there. The same list read backwards is the undo.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, JsonValue

from activities.run.models.plan import Plan
from activities.run.models.report import RecoveryDetails
from activities.run.models.wire import Wire
from estate.gateways import GatewayTarget
from estate.reference import Named

READY = "Succeeded"
"""State of a gateway of which no operation is known; every other state is one of Azure's words, for people."""


class Health(StrEnum):
    """What the gateway says of a backend."""

    UP = "Up"
    DOWN = "Down"
    UNKNOWN = "Unknown"
    """Not probed yet; also a word that this version does not know."""
    PARTIAL = "Partial"
    DRAINING = "Draining"


class Direct(StrEnum):
    """What a backend itself says, asked by the worker with the declared probe's path."""

    GOOD = "healthy"
    BAD = "unhealthy"
    """It answers with another status, or nobody listens on its port."""
    SILENT = "no answer"
    """It may be that only the worker does not reach it."""


class Place(StrEnum):
    """A part of a gateway that may be changed."""

    PROBE = "probe"
    """A property of the declared probe; with an empty ``key`` the probe as a member of its collection."""
    SETTINGS = "settings"
    """The declared HTTP settings' reference to their probe."""
    BACKEND = "backend"
    """One entry of the declared pool; ``key`` is its address."""


class Edit(Wire):
    """One place: what was there, and what is to be there. ``None``: nothing."""

    place: Place
    name: str
    """Of the probe, the settings or the pool."""
    key: str = ""
    before: JsonValue = None
    after: JsonValue = None
    index: int | None = None
    """Backend: where in the pool it stands, counted from 0 before anything is changed; ``None``: at the end."""
    words: str
    """The edit for people."""

    def undone(self) -> Self:
        """Return the edit that takes this one back."""
        words = f"taken back: {self.words}"
        return self.model_copy(update={"before": self.after, "after": self.before, "words": words})


class Basis(Wire):
    """What a decision was made on. A gateway that is otherwise when it is to be changed asks for another decision."""

    probe: dict[str, JsonValue] | None = None
    """Properties of the declared probe; ``None``: there is none."""
    settings_probe: str = ""
    """ID of the probe that the declared settings use; empty: none of their own."""
    pool: tuple[str, ...] = ()
    """Addresses in the declared pool, in its order."""


class GatewayFact(Wire):
    """What Azure says of the gateway and of the declared parts of it."""

    id: str = ""
    state: str = ""
    basis: Basis = Basis()
    entries: dict[str, JsonValue] = Field(default={})
    """Address in the pool → its entry there, as Azure has it."""
    port: int = 80
    """At which the settings reach backends."""
    tls: bool = False
    has_settings: bool = False
    has_pool: bool = False
    error: str = ""
    """Why nothing is known of it."""


class BackendFact(Wire):
    """What is known of one backend."""

    address: str
    health: Health | None = None
    """By the gateway's probes; ``None``: it does not list the backend."""
    log: str = ""
    """The gateway's words about its last probe."""
    direct: Direct = Direct.SILENT
    answer: str = ""
    """What it has answered to the worker: a status, or why there is none."""

    @property
    def told(self) -> str:
        """Both opinions for people."""
        seen = self.health.value if self.health else "not listed"
        return (
            f"{self.address}: the gateway says {seen}{f' ({self.log})' if self.log else ''}; asked directly: {self.answer}"
        )


class GatewaySurvey(Wire):
    """The gateway and its backends as they are now."""

    at: datetime
    gateway: GatewayFact
    backends: tuple[BackendFact, ...] = ()
    """Those in the pool in its order, then the declared ones that are not in it."""
    health_error: str = ""
    """Why the gateway's own opinion is not known."""

    def of(self, address: str) -> BackendFact:
        """Return what is known of a backend."""
        found = (one for one in self.backends if one.address.casefold() == address.casefold())
        return next(found, BackendFact(address=address, answer="not asked"))


class GatewayLook(Wire):
    """Look at the gateway and its backends."""

    target: Named[GatewayTarget]


class GatewayPlan(Plan):
    """What would be changed, each place with what is there now."""

    edits: tuple[Edit, ...] = ()
    basis: Basis = Basis()
    take_out: tuple[str, ...] = ()
    put_back: tuple[str, ...] = ()
    goal: tuple[str, ...] = ()
    """Backends that the gateway must call Up afterwards."""
    only: str = ""
    """The only backend that may be taken out or put back, as the person who asks says; empty: any."""
    warnings: tuple[str, ...] = ()

    decided_by: ClassVar[tuple[str, ...]] = ("cluster", "mode", "edits", "take_out", "put_back")

    def heading(self) -> str:
        """Return what changes, in a few words."""
        return "; ".join(edit.words for edit in self.edits) or "nothing is to be changed"

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know."""
        return self.warnings

    def warned(self) -> tuple[str, ...]:
        """Return what should be mended before it is needed."""
        return self.warnings


class GatewayOrder(Wire):
    """Change the gateway as planned, if it is still what the plan was made on."""

    target: Named[GatewayTarget]
    edits: tuple[Edit, ...]
    basis: Basis | None = None
    """``None``: an undo, which goes by each edit's own place."""


class Begun(Wire):
    """What came of asking for a change."""

    at: datetime
    asked: bool = False
    """Azure has accepted a change just now."""
    already: bool = False
    """Every place is as it is to be: nothing was asked for."""
    busy: str = ""
    """Azure has said that it is busy, in these words: nothing was begun."""
    refused: str = ""
    """Azure has said no, in these words: nothing was begun."""
    differs: tuple[str, ...] = ()
    """What somebody else has changed since, one sentence each. Forward: nothing was begun. Undo: these were left."""
    unsure: bool = False
    """An attempt before this one may have been heard, although nobody was told."""
    after: timedelta | None = None
    """When Azure wants to be asked again."""
    operation: str = ""
    """Path and query at which Azure tells how the operation goes; empty: the gateway itself is asked."""


class Await(Wire):
    """Wait for the end of a change."""

    target: Named[GatewayTarget]
    operation: str = ""
    until: datetime


class Ended(StrEnum):
    """How a change has ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """Another change has taken its place, or came in between."""
    LATE = "late"
    """It goes on still, and time is up."""


class Changed(Wire):
    """How a change has ended."""

    ended: Ended
    at: datetime
    state: str = ""
    message: str = ""
    """Azure's code and words."""
    looks: int = 0


class AwaitHealth(Wire):
    """Wait until the gateway sends requests to healthy backends only."""

    target: Named[GatewayTarget]
    goal: tuple[str, ...]
    """Must be listed as Up."""
    gone: tuple[str, ...]
    """Must not be listed."""
    until: datetime


class Routed(Wire):
    """What the gateway said last of its backends."""

    at: datetime
    healthy: bool
    up: tuple[str, ...] = ()
    words: str = ""
    """What is not as it is to be."""
    looks: int = 0


class GatewayDetails(RecoveryDetails):
    """What a run has found out and done."""

    survey: GatewaySurvey | None = None
    begun: Begun | None = None
    changed: Changed | None = None
    routed: Routed | None = None
    undo: Begun | None = None
    changes_asked: int = 0
    """How many changes Azure has accepted from this run, undo included."""
    notes: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether the gateway sends requests to healthy backends only."""
        return self.routed is not None and self.routed.healthy
