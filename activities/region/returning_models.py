"""What is seen of a lost region while it is waited for, and what is done to it when it returns."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from activities.region.failover_models import Fenced, Scale
from activities.region.models import Ended
from activities.run.models.plan import Plan
from activities.run.models.report import Details
from activities.run.models.wire import RunId, Wire
from estate.flexible import FlexibleTarget
from estate.reference import Named
from estate.regions import RegionTarget


class Lead(StrEnum):
    """Which of the two servers of a database leads, by Azure, the endpoint and SQL together."""

    SURVIVOR = "survivor"
    LOST = "lost"
    """The server in the lost region leads (again)."""
    UNKNOWN = "unknown"
    """They do not agree, or one is silent: nothing may be changed."""


class Old(StrEnum):
    """What the server in the lost region is, while the other one leads."""

    FOLLOWS = "follows"
    STOPPED = "stopped"
    WRITES = "takes writes"
    """Or has no connection left: it must be stopped."""
    ANSWERS = "answers"
    """It turns us away, and Azure calls it primary: it may be starting, or take others' writes."""
    SETTLES = "settles"
    """It takes no writes, or is being changed: Azure's word will follow."""
    SILENT = "silent"


FENCED = {Old.FOLLOWS, Old.STOPPED}


class DatabaseStanding(Wire):
    """One database, as it is seen from the lost region's side."""

    name: str
    server: str
    """The server in the lost region."""
    leader: str
    """The server in the surviving region."""
    lead: Lead
    old: Old
    words: str
    """What was seen of ``server``, or why nobody knows which one leads."""
    standby: str = ""
    """High availability of ``leader``, as Azure words it."""


class Verdict(StrEnum):
    """What is to be done about a lost region."""

    FENCED = "fenced"
    """Nothing any more: all applications ask for no pods, and each old server follows or is stopped."""
    ACT = "act"
    """Something answers that is to be fenced."""
    WAIT = "wait"
    LEADS_AGAIN = "leads again"
    """Every database is led by its server in the lost region."""


class Returned(Wire):
    """The lost region as it is now."""

    at: datetime
    applications: tuple[Scale, ...] = ()
    databases: tuple[DatabaseStanding, ...] = ()
    elsewhere: str = ""
    """Another open run that fences this region; empty: there is none."""

    @property
    def survivor_leads(self) -> bool:
        """Whether every database is known to be led by its server in the surviving region."""
        return all(one.lead is Lead.SURVIVOR for one in self.databases)

    @property
    def to_scale(self) -> tuple[str, ...]:
        """Applications that answer and ask for pods."""
        return tuple(one.name for one in self.applications if not one.error and one.wanted)

    @property
    def verdict(self) -> Verdict:
        """What is to be done."""
        if self.databases and all(one.lead is Lead.LOST for one in self.databases):
            return Verdict.LEADS_AGAIN
        led = [one for one in self.databases if one.lead is Lead.SURVIVOR]
        if (self.survivor_leads and self.to_scale) or any(one.old is Old.WRITES for one in led):
            return Verdict.ACT
        silent = [one for one in self.applications if one.error and not one.gone]
        if self.survivor_leads and not silent and all(one.old in FENCED for one in led):
            return Verdict.FENCED
        return Verdict.WAIT

    @property
    def words(self) -> str:
        """What is not fenced, and why; empty where all is."""
        open_apps = [f"{one.name}: {one.error}" for one in self.applications if one.error and not one.gone]
        open_apps += [f"{name} asks for pods" for name in self.to_scale]
        databases = [
            f"{one.server}: {one.words}" for one in self.databases if one.lead is not Lead.SURVIVOR or one.old not in FENCED
        ]
        return "; ".join((*open_apps, *databases))


class ReturnLook(Wire):
    """Look at a lost region once, or wait ``until`` something is to be done there."""

    target: Named[RegionTarget]
    until: datetime | None = None
    leave_to: str = ""
    """Workflow ID of a run that fences this region too: while it is open, nothing is to be done here."""


class Goal(StrEnum):
    """What a server is to be."""

    STOPPED = "stopped"
    STARTED = "started"
    HIGHLY_AVAILABLE = "highly available"


class ServerOrder(Wire):
    """Have Azure change one server, once."""

    target: Named[FlexibleTarget]
    server: str
    leader: str
    """The server that must lead while this is done."""
    goal: Goal
    mode: str = ""
    """High availability: its mode, as Azure words it."""
    run: RunId


class Asked(Wire):
    """What came of asking Azure for a change."""

    at: datetime
    needless: bool = False
    """It is so already: nothing was asked for."""
    going_on: bool = False
    """The server is being changed already, perhaps by what was asked for before: nothing more was asked for."""
    refused: str = ""
    """Why nothing was asked for, or Azure's no: it is not so, and waiting alone does not make it so."""
    busy: str = ""
    """Azure is busy or silent, in these words: nothing was begun, and it may be asked again."""
    after: timedelta | None = None
    """When Azure wants to be asked again."""
    operation: str = ""


class AwaitServer(Wire):
    """Wait for the end of a change."""

    order: ServerOrder
    operation: str = ""
    until: datetime


class Reached(Wire):
    """How a change of a server has ended."""

    ended: Ended
    at: datetime
    state: str = ""
    message: str = ""


class ServerChanged(Wire):
    """One change of a server that was asked for, and how it has ended."""

    server: str
    goal: Goal
    words: str
    done: bool
    asked_at: datetime
    at: datetime
    requests: int = 0
    """How many times Azure was asked."""


class RegionFencePlan(Plan):
    """What is fenced when the lost region returns."""

    applications: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """Each database's server in the lost region."""
    warnings: tuple[str, ...] = ()

    decided_by: ClassVar[tuple[str, ...]] = ("cluster", "mode", "primary", "candidate", "applications", "servers")

    def heading(self) -> str:
        """Return what changes, in a few words."""
        return f"{self.primary} is fenced when it returns; {self.candidate} serves"

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know."""
        return self.warnings


class RegionFenceDetails(Details):
    """What a run has found out and done."""

    returned: Returned | None = None
    """The region at the last look."""
    fenced: Fenced | None = None
    changed: tuple[ServerChanged, ...] = ()
    answered_at: datetime | None = None
    """When something of the region that was to be fenced was seen to answer first."""
    tries: int = 0
    """How often something was to be fenced."""
    notes: tuple[str, ...] = ()
