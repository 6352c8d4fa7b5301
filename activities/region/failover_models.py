"""What is seen and done when a region fails over: clusters, Lease, overlay, application. The rest is its children's."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from activities.region.evidence_models import Evidence
from activities.run.models.plan import Plan
from activities.run.models.report import RecoveryDetails
from activities.run.models.wire import RunId, Wire
from estate.reference import Named
from estate.regions import RegionTarget

LEASE_LASTS = timedelta(minutes=5)
"""A Lease that its run has not renewed for so long is free."""
CLOCKS = timedelta(seconds=30)
"""How far the clocks of two workers may differ: a Lease is free only after this much more."""


class Scale(Wire):
    """A Deployment of the lost region."""

    name: str
    wanted: int | None = None
    """Pods that it asks for; ``None``: nobody has said."""
    kept: int | None = None
    """What it asked for before it was scaled to zero, from its annotation; ``None``: there is no such note."""
    kept_for: str = ""
    """The run that has scaled it to zero, from its annotation."""
    version: str = ""
    """Its ``resourceVersion``."""
    error: str = ""
    """Why nothing is known of it, or it was not changed."""
    refused: bool = False
    """The API server answers, but there is no such Deployment, or we may not scale it."""
    gone: bool | None = None
    """The API server answers that there is no such Deployment."""
    untouched: bool = True
    """Nothing was sent that could have changed it."""


class Overlay(Wire):
    """What ``kubectl kustomize`` renders, without its content, which may hold secrets."""

    digest: str = ""
    objects: int = 0
    images: tuple[str, ...] = ()
    """What its containers run, as it names them."""
    changes: tuple[str, ...] = ()
    """What the API server says that it would change, a line a field, by a dry run."""
    error: str = ""
    """Why it cannot be rendered, or is refused."""


class HeldLease(Wire):
    """The Lease that keeps two runs of one region apart."""

    holder: str = ""
    """The run, as ``str(RunId)``; empty: nobody holds it."""
    renewed_at: datetime | None = None
    version: str = ""
    """Its ``resourceVersion``; empty: there is none yet."""

    def is_free(self, now: datetime) -> bool:
        """Whether nobody holds it, or its run has not renewed it in time; one without a time is held."""
        return not self.holder or (self.renewed_at is not None and now > self.renewed_at + LEASE_LASTS + CLOCKS)


class RegionSurvey(Wire):
    """Both clusters as they are now."""

    at: datetime
    lost_error: str = ""
    """Why the API server of the lost region says nothing; empty: it answers."""
    applications: tuple[Scale, ...] = ()
    nodes_ready: int = 0
    """Of the region that is to serve."""
    nodes: int = 0
    fencing: str = ""
    """Failback: the run that fences the region that is to serve again; empty: none is open."""
    home_error: str = ""
    """Failback: why the API server of the region that is to serve again does not serve us; empty: it does."""
    home_rights_missing: tuple[str, ...] = ()
    """Failback: what we may not there."""
    surviving_error: str = ""
    """Why the API server of the surviving region does not serve us; empty: it does."""
    rights_missing: tuple[str, ...] = ()
    overlay: Overlay = Overlay()
    pilot_light: Overlay | None = None
    """``None``: the estate names none."""
    lease: HeldLease = HeldLease()
    evidence: Evidence | None = None
    """Backups, quotas, probes and images; ``None``: nobody has asked."""


class RegionLook(Wire):
    """Look at both clusters."""

    target: Named[RegionTarget]
    back: bool = False
    """For a failback: the region that was left is to serve again."""
    fence: str = ""
    """For a failback: workflow ID of a run that may be fencing that region."""


class Standing(StrEnum):
    """How a precondition that refuses nothing stands."""

    FINE = "fine"
    WARNING = "warning"
    UNKNOWN = "not known"
    """It could not be asked for; the evidence says why."""


class Precondition(Wire):
    """Something that must hold before anything is changed, with what shows it."""

    name: str
    holds: bool
    evidence: str
    refusal: str = ""
    """What a run is refused by where it does not hold."""
    standing: Standing = Standing.FINE
    source: str = ""
    """Who has said it; empty: the name tells."""
    read_at: datetime | None = None


class DatabaseMove(Wire):
    """What is decided of one database."""

    name: str
    server: str
    """That is to lead, in the surviving region."""
    old: str = ""
    """That leads now; empty: not known, or ``server``."""
    already: bool = False
    """``server`` leads already."""
    digest: str = ""
    """Of the plan of its own failover."""


class DatabaseLoss(Wire):
    """How far the replica of one database is behind, as measured before the approval."""

    name: str
    missing_seconds: float = 0.0
    told: str = ""
    high_availability: str | None = None
    """Of the server that led before, as Azure worded it; for the recovery."""


class RegionPlan(Plan):
    """What would move, and what would be lost by it."""

    databases: tuple[DatabaseMove, ...] = ()
    losses: tuple[DatabaseLoss, ...] = ()
    applications: tuple[str, ...] = ()
    overlay: str = ""
    """Digest of what would be applied; a failback applies none."""
    pilot_light: str = ""
    """Digest of what the surviving region runs while it does not serve; empty: the estate names none."""
    asleep: tuple[str, ...] = ()
    """Failback: applications that ask for no pods and are given their number back."""
    traffic: tuple[str, ...] = ()
    without_replica: tuple[str, ...] = ()
    """What has no replica elsewhere."""
    warnings: tuple[str, ...] = ()

    decided_by: ClassVar[tuple[str, ...]] = (
        "cluster", "mode", "primary", "candidate", "databases", "applications", "overlay", "pilot_light", "asleep",
        "traffic", "without_replica",
    )  # fmt: skip

    def decisions(self) -> dict[str, Any]:
        """Return what an approver agrees to; what older plans did not know is in it only where there is something."""
        found = super().decisions()
        return {key: value for key, value in found.items() if value or key not in {"pilot_light", "asleep"}}

    @property
    def missing_seconds(self) -> float:
        """Commits of at most this much time are missing afterwards."""
        return max((one.missing_seconds for one in self.losses), default=0.0)

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know, what is lost first."""
        lost = tuple(f"LOST OR MISSING: {one} has no replica in {self.candidate}" for one in self.without_replica)
        return (*lost, *(f"loss of {one.name}: {one.told}" for one in self.losses if one.told), *self.warnings)

    def warned(self) -> tuple[str, ...]:
        """Return what should be mended before it is needed."""
        return self.warnings


class RegionOrder(Wire):
    """Act on the region for a run."""

    target: Named[RegionTarget]
    run: RunId


class Fenced(Wire):
    """What has become of the lost region's applications."""

    at: datetime
    applications: tuple[Scale, ...] = ()


class UnfenceOrder(Wire):
    """Give the applications back what they asked for."""

    target: Named[RegionTarget]
    run: RunId
    """Whose fence is undone: what another open run has scaled stays as it is."""
    fenced: Fenced | None = None
    """What the fence has answered; ``None``: it has not, and each may have been scaled."""


class StopOrder(Wire):
    """Scale applications to zero again that a failback has started."""

    target: Named[RegionTarget]
    run: RunId
    names: tuple[str, ...]


class Started(Wire):
    """Applications of the region that is to serve again ask for pods."""

    at: datetime
    applications: tuple[Scale, ...] = ()


class ApplyOrder(Wire):
    """Apply the overlay, or the pilot light, if it is still what was approved."""

    target: Named[RegionTarget]
    digest: str
    pilot_light: bool = False


class Applied(Wire):
    """The overlay is applied."""

    at: datetime
    objects: int


class ReadyOrder(Wire):
    """Wait for the pods."""

    target: Named[RegionTarget]
    until: datetime
    back: bool = False
    """Those of the region that is to serve again."""
    enough: int = 0
    """So many Ready ones are enough, as a person has said; 0: all must be."""


class ReadySeen(Wire):
    """How many of the pods are Ready."""

    at: datetime
    ready: int = 0
    wanted: int = 0
    words: str = ""
    """What is missing; empty: nothing."""


class CheckOrder(Wire):
    """Ask the application as a client does."""

    target: Named[RegionTarget]
    run: RunId
    until: datetime


class Answer(Wire):
    """One answer of the application."""

    what: str
    fine: bool
    words: str


class Checked(Wire):
    """All answers of one round."""

    at: datetime
    answers: tuple[Answer, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether all were."""
        return all(one.fine for one in self.answers)


class DatabaseMoved(Wire):
    """What the failover of one database has come to."""

    name: str
    words: str
    outage_seconds: float | None = None
    lost: int | None = None
    """Acknowledged rows that are missing; ``None``: not measured."""
    complete_until: datetime | None = None
    """Forced: the new primary has every commit of the lost one until then; ``None``: it does not know."""


class RegionDetails(RecoveryDetails):
    """What a run has found out and done."""

    survey: RegionSurvey | None = None
    preconditions: tuple[Precondition, ...] = ()
    fenced: Fenced | None = None
    moved: tuple[DatabaseMoved, ...] = ()
    applied: Applied | None = None
    started: Started | None = None
    pilot_light: Applied | None = None
    """The surviving region runs no more than it does while it does not serve."""
    ready: ReadySeen | None = None
    traffic: tuple[str, ...] = ()
    checked: Checked | None = None
    notes: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether the surviving region serves."""
        return self.recovery_seconds is not None
