"""What is seen and done of a database on Flexible Servers, in neutral words: Azure's are translated by its client."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from activities.run.models.diagnosis import Silence
from activities.run.models.plan import Plan
from activities.run.models.report import Details
from activities.run.models.wire import RunId, Wire
from estate.flexible import FlexibleTarget
from estate.reference import Named
from gate.record import Mode


class Role(StrEnum):
    """What Azure says that a server is."""

    PRIMARY = "primary"
    """It takes writes; also a server that was promoted to stand alone."""
    REPLICA = "replica"
    UNKNOWN = "unknown"


READY = "Ready"
"""State of a server that takes connections and changes; every other state is one of Azure's words, for people."""


class AzureFact(Wire):
    """What Azure Resource Manager says of one server."""

    name: str
    role: Role = Role.UNKNOWN
    state: str = ""
    source: str = ""
    """Replica: name of the server that it follows."""
    high_availability: str = ""
    """Mode and state as Azure words them; empty where it has none."""
    replication: str = ""
    """Replica: state of its replication, as Azure words it; a healthy one may have none."""
    sku: str = ""
    storage_gb: int | None = None
    error: str = ""
    """Why nothing is known of it."""


class EndpointFact(Wire):
    """What Azure says of the virtual endpoint, and where its name leads."""

    members: tuple[str, ...] = ()
    """Server that its writer name leads to, then the one of its reader name."""
    leads_to: str = ""
    """Server at whose address the writer name ends; empty: at none that is known."""
    addresses: tuple[str, ...] = ()
    ttl_seconds: int | None = None
    refuses: str = ""
    """Why a session by the writer name is not served, where the name leads somewhere; empty: it is."""
    error: str = ""
    silent: bool = False
    """Azure has not said which servers are its members: nothing is known."""


class FlexibleSqlFact(Wire):
    """What a server says of itself by SQL."""

    name: str
    in_recovery: bool | None = None
    """``None``: it has not answered."""
    system_identifier: str = ""
    timeline: int | None = None
    written_lsn: str = ""
    """Primary: end of its WAL."""
    received_lsn: str = ""
    replayed_lsn: str = ""
    replayed_at: datetime | None = None
    """Replica: it has every commit up to then: the last one that it has replayed, since its start none: a checkpoint."""
    told_lsn: str = ""
    """Replica: end of the primary's WAL, as the primary has told it last."""
    told_at: datetime | None = None
    heard_seconds_ago: float | None = None
    """Replica: for so long it has not heard the primary, by its own clock; ``None``: nobody sends to it."""
    behind_bytes: int | None = None
    """Primary: WAL that its slowest replica has not replayed; ``None``: no replica is connected."""
    behind_seconds: float | None = None
    """Primary: for how long its slowest replica takes to replay; ``None``: nothing was measured lately."""
    takes_rows: bool = True
    """Whether the operator's role has a schema ``failover`` of its own to write rows to."""
    error: str = ""
    silence: Silence = Silence.UNKNOWN


class Lag(Wire):
    """How far the replica is behind, as one witness says it."""

    witness: str
    behind_bytes: int | None = None
    behind_seconds: float | None = None
    at_most: bool = False
    """The seconds are an upper bound."""


class FlexibleSurvey(Wire):
    """The pair as it is now."""

    at: datetime
    azure: tuple[AzureFact, ...]
    sql: tuple[FlexibleSqlFact, ...]
    endpoint: EndpointFact
    maintenance: tuple[str, ...] = ()
    """Announced maintenance of the two, in words."""

    @property
    def lost_primary(self) -> str | None:
        """A server that Azure lists as primary beside another one, and that answers nobody: its region has not returned."""
        primaries = [one.name for one in self.azure if one.role is Role.PRIMARY]
        silent = [name for name in primaries if self.sql_of(name).in_recovery is None]
        return silent[0] if len(primaries) > 1 and len(silent) == 1 else None

    def azure_of(self, name: str) -> AzureFact:
        """Return what Azure says of a server."""
        return next((one for one in self.azure if one.name == name), AzureFact(name=name, error="not asked"))

    def sql_of(self, name: str) -> FlexibleSqlFact:
        """Return what a server says of itself."""
        return next((one for one in self.sql if one.name == name), FlexibleSqlFact(name=name, error="not asked"))


class FlexibleLook(Wire):
    """Look at the pair."""

    target: Named[FlexibleTarget]


class FlexiblePlan(Plan):
    """What would be promoted, and what may be lost by it."""

    lags: tuple[Lag, ...] = ()
    """From two witnesses, where both answer."""
    down_since: datetime | None = None
    """Since when the old primary has not worked, as the person who asks says."""
    max_missing: timedelta | None = None
    """How much time's commits may be missing, as the person who asks says; ``None``: what the estate says."""
    missing_seconds: float = 0.0
    """Commits of at most this much time are missing afterwards."""
    alive: bool = False
    """Forced: the old primary answers, and is given up."""
    warnings: tuple[str, ...] = ()
    """What is announced for the pair, and what is worse afterwards."""

    decided_by: ClassVar[tuple[str, ...]] = ("cluster", "mode", "primary", "candidate", "down_since", "max_missing", "alive")

    @property
    def attested(self) -> str:
        """What a person has said who attests."""
        return f"{self.primary} is to be given up although it answers"

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know; the loss of a forced one stands beside its diagnosis."""
        return (*((f"loss: {self.loss}",) if self.diagnosis is None else ()), *self.warnings)

    def warned(self) -> tuple[str, ...]:
        """Return what should be mended before it is needed."""
        return self.warnings


class PromoteOrder(Wire):
    """Promote the replica by a switchover of the pair."""

    target: Named[FlexibleTarget]
    server: str
    old: str
    mode: Mode
    run: RunId
    again: bool = False
    """This run has asked before."""
    silent_at: datetime | None = None
    """When the old primary was seen to be silent, which is why it is given up; ``None``: it is, even if it answers."""


class Begun(Wire):
    """What came of asking for a promotion."""

    at: datetime
    already: bool = False
    """It leads already: nothing was asked for."""
    going_on: bool = False
    """The server is busy already, perhaps with what was asked for before: nothing more was asked for."""
    busy: str = ""
    """Azure has said that it is busy, in these words: nothing was begun."""
    after: timedelta | None = None
    """When Azure wants to be asked again."""
    operation: str = ""
    """Path and query at which Azure tells how the operation goes; empty: the server itself is asked."""


class Await(Wire):
    """Wait for the end of a promotion."""

    order: PromoteOrder
    operation: str = ""
    until: datetime


class Ended(StrEnum):
    """How an operation of Azure has ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BUSY = "busy"
    """Failed since something else was going on: to be asked for again."""
    UNSEEN = "unseen"
    """No operation is known, and the server is as before."""
    LATE = "late"
    """It goes on still, and time is up."""


class Promotion(Wire):
    """How a promotion has ended."""

    ended: Ended
    at: datetime
    role: Role
    state: str
    old_role: Role = Role.UNKNOWN
    """Of the server that led before."""
    message: str = ""
    """Azure's code and words."""
    looks: int = 0
    """How often Azure was asked."""


class Route(Wire):
    """Wait until a write through the endpoint reaches the new primary."""

    order: PromoteOrder
    within: timedelta


class Routed(Wire):
    """A write through the endpoint has reached the new primary."""

    leader: str
    at: datetime
    name_moved_at: datetime
    """When its name led to the new primary first, as this worker's resolver saw it."""
    address: str
    ttl_seconds: int | None = None
    write_milliseconds: float
    timeline: int | None = None
    refused: str = ""
    """The server's words, where it refuses writes for a reason that is none of the failover's (no right to write)."""
    complete_until: datetime | None = None
    """Forced: the new primary has every commit of the lost one until then; ``None``: it does not know."""


class Follow(Wire):
    """Wait until the old primary follows."""

    order: PromoteOrder
    within: timedelta


class Followed(Wire):
    """What the old primary is now."""

    name: str
    follows: bool
    words: str


class FlexibleMeasureRequest(Wire):
    """Write through the virtual endpoint until cancelled."""

    target: Named[FlexibleTarget]
    run: RunId
    interval: timedelta = timedelta(milliseconds=100)


class FlexibleDetails(Details):
    """What a run has found out and done."""

    survey: FlexibleSurvey | None = None
    begun: Begun | None = None
    promotion: Promotion | None = None
    routed: Routed | None = None
    followed: Followed | None = None
    promotions_asked: int = 0
    """How many times Azure was asked to promote."""
    notes: tuple[str, ...] = ()
    """What is to be done about the pair later."""
