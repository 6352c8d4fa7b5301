"""What steps are told and what they answer. Frozen, and free of secrets: all of it stays in a run's history.

Unknown fields are ignored on purpose (a newer starter must not break an older worker); ``None`` means unknown, never
zero. LSNs are strings as PostgreSQL prints them; times are aware UTC datetimes; durations are ``timedelta``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from estate.model import Application, PostgresTarget
from gate.api import Fenced, GateStatus, Promoted
from gate.record import Mode, Record


class Wire(BaseModel):
    """Base of everything that travels between workflows and activities."""

    model_config = ConfigDict(frozen=True)


class PodFact(Wire):
    """A pod as the API server describes it."""

    name: str
    phase: str
    ready: bool
    node: str | None = None
    role: str | None = None
    """Label ``role``."""
    restarts: int = 0
    address: str | None = None


class SqlFact(Wire):
    """What a member answers to the operator's SQL, by its own address: the second witness beside its gate."""

    in_recovery: bool
    timeline: int | None = None
    system_identifier: str
    sync_states: dict[str, str] = {}
    """Primary: ``application_name`` → ``sync_state`` of its standbys."""


class MemberFact(Wire):
    """One member as seen by its gate, by SQL and by the API server. A witness that did not answer is ``None``."""

    name: str
    gate: GateStatus | None = None
    gate_error: str = ""
    sql: SqlFact | None = None
    sql_error: str = ""
    pod: PodFact | None = None
    pod_error: str = ""


class Survey(Wire):
    """The cluster as it was at ``at``."""

    at: datetime
    record: Record | None
    members: tuple[MemberFact, ...]
    """In the estate's order."""
    log_tail: str = ""
    """Last 100 lines of the leader's container log: evidence, not input to any decision."""

    def member(self, name: str) -> MemberFact | None:
        """Return the member called ``name``."""
        return next((fact for fact in self.members if fact.name == name), None)


class Candidate(Wire):
    """Why a standby may or may not be promoted."""

    name: str
    eligible: bool
    reason: str
    receive_lsn: str | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None


class Plan(Wire):
    """What would be done, and the decisions that an approval is bound to."""

    cluster: str
    mode: Mode
    primary: str
    candidate: str
    epoch: int
    """Epoch of the record that the plan was made from; the claim takes the next one."""
    timeline: int
    system_identifier: str
    sync: str
    candidates: tuple[Candidate, ...] = ()
    applications: tuple[Application, ...] = ()
    steps: tuple[str, ...] = ()
    """What will happen, one sentence a step, in order."""
    digest: str
    """Short hash of the decisions above, never of drifting numbers (LSN, lag)."""


class RunId(Wire):
    """Who is acting: goes into records, gate logs and restart annotations."""

    workflow_id: str
    run_id: str

    def __str__(self) -> str:
        """Return ``WORKFLOW_ID/RUN_ID``."""
        return f"{self.workflow_id}/{self.run_id}"


class ResolveRequest(Wire):
    """Which cluster to look up in the estate."""

    cluster: str


class SurveyRequest(Wire):
    """Which cluster to look at."""

    target: PostgresTarget


class SettleRequest(Wire):
    """Finish or undo what an earlier run left."""

    target: PostgresTarget
    run: RunId


class Settled(StrEnum):
    """What was found and done about an earlier run's intent."""

    NOTHING = "nothing"
    UNDONE = "undone"
    FINISHED = "finished"


class ClaimRequest(Wire):
    """Write the intent into the leader record."""

    target: PostgresTarget
    plan: Plan
    run: RunId


class Switch(Wire):
    """A claimed switch: what every later step is told."""

    target: PostgresTarget
    plan: Plan
    epoch: int
    run: RunId


class Settlement(Wire):
    """The outcome of looking for what an earlier run left."""

    settled: Settled
    run: str = ""
    """The run that had left it."""
    message: str = ""
    switch: Switch | None = None
    """The earlier run's switch when it was ``finished``: its route has moved; verify and the rest are still to do."""


class Quiet(Wire):
    """Whether endpoints stood still before writes were stopped."""

    reached: bool
    seconds: float
    """How long was waited."""


class PromoteRequest(Wire):
    """Promote the candidate of ``switch`` once it has everything up to ``end_lsn``."""

    switch: Switch
    end_lsn: str | None


class RouteRequest(Wire):
    """Let the write Service point at the promoted candidate."""

    switch: Switch
    epoch: int
    """At least the epoch at which the candidate was promoted or sealed."""


class Routed(Wire):
    """The record names the new leader."""

    epoch: int
    leader: str
    routed_at: datetime


class Verified(Wire):
    """A write went through the write Service to the new leader."""

    leader: str
    endpoints: tuple[str, ...]
    """Pods behind the write Service."""
    write_milliseconds: float
    verified_at: datetime


class Reconnected(Wire):
    """One application after the switch."""

    deployment: str
    restarted: bool
    ready: int
    wanted: int
    seconds: float
    note: str = ""


class ReconnectRequest(Wire):
    """Bring one application of ``switch`` over."""

    switch: Switch
    application: Application


class Redundancy(Wire):
    """The old primary as a standby again."""

    member: str
    sync_state: str
    seconds: float
    """From the route's change to synchronous again."""
    note: str = ""


class FinishRequest(Wire):
    """Mark a switch as finished in the record."""

    switch: Switch


class FollowRequest(Wire):
    """Let ``member`` follow ``leader``, or wait until it does."""

    target: PostgresTarget
    leader: str
    member: str
    epoch: int
    run: RunId
    since: datetime | None = None
    """When redundancy was lost; ``None`` counts from now."""


class GiveBackRequest(Wire):
    """Undo a claim and a fence: writes go back to the old primary."""

    switch: Switch
    never_sent: bool
    """No promote request of this claim can have left: then a candidate that cannot be reached need not be sealed."""
    claim_may_come: bool = False
    """Nobody knows how the claim ended: it may still be on its way and must not succeed any more."""


class GaveBack(StrEnum):
    """How an undo ended."""

    GIVEN_BACK = "given back"
    CANDIDATE_LEADS = "candidate leads"
    """The promotion has happened: only forward is safe."""
    TAKEN_OVER = "taken over"
    """Another run has written the record since; nothing of ours is left to undo."""


class GiveBackResult(Wire):
    """Whether the old primary has its writes back, or the promotion turned out to have happened."""

    outcome: GaveBack
    epoch: int
    message: str


class MeasureRequest(Wire):
    """Write through the write Service until cancelled."""

    target: PostgresTarget
    run: RunId
    interval: timedelta = timedelta(milliseconds=20)


class Measurement(Wire):
    """The outage and the loss that a real client saw, a new connection for every write."""

    acknowledged: int = 0
    failed: int = 0
    lost: int | None = None
    """Acknowledged rows that the new primary does not have; ``None`` when it could not be asked."""
    last_before: datetime | None = None
    """Last acknowledgement before the gap that counts as the outage."""
    first_after: datetime | None = None
    outage_seconds: float | None = None
    """That gap's length: the widest around the switch; ``None`` without an acknowledgement on each side."""
    widest: tuple[tuple[datetime, datetime], ...] = ()
    """The widest gaps between two acknowledgements, widest first."""
    usual_gap_seconds: float | None = None
    """Median gap, to compare with."""
    errors: dict[str, int] = {}
    """SQLSTATE or exception name → how often."""
    note: str = ""

    def with_outage(self, gap: tuple[datetime, datetime]) -> Measurement:
        """Return the measurement with ``gap`` as the outage."""
        before, after = gap
        seconds = (after - before).total_seconds()
        return self.model_copy(update={"last_before": before, "first_after": after, "outage_seconds": seconds})

    def around(self, stopped: datetime, moved: datetime) -> Measurement:
        """Return the measurement with the widest gap that touches the time from ``stopped`` to ``moved`` as the outage.

        A busy machine can make a client wait longer later on, and that is not the switch.
        """
        touching = [gap for gap in self.widest if gap[0] <= moved and stopped <= gap[1]]
        return self.with_outage(touching[0]) if touching else self


class Outcome(StrEnum):
    """How a run ended."""

    PLANNED_ONLY = "plan"
    COMPLETED = "completed"
    SETTLED = "settled"
    """An earlier run's switch was finished; nothing else was done."""
    REFUSED = "refused"
    CANCELLED = "cancelled"
    """Cancelled before anything had changed."""
    ROLLED_BACK = "rolled back"
    ROLLBACK_INCOMPLETE = "rollback incomplete"
    STRANDED = "stranded"


class Vote(Wire):
    """One person's recorded decision."""

    by: str
    role: str
    approve: bool
    plan: str
    note: str = ""
    at: datetime | None = None
    verified: bool = False
    """``False``: self-asserted, nothing proved who sent it."""


class RunReport(Wire):
    """Everything that a run knows at its end, however it ended. The last step's input, so that history keeps it."""

    workflow_id: str
    run_id: str
    workflow: str
    outcome: Outcome
    reason: str
    """One sentence: why it ended like this."""
    refusal: str = ""
    """``Refusal`` value when it was refused or undone."""
    cluster: str
    mode: str
    run: str
    by: str = ""
    asked_because: str = ""
    started_at: datetime
    finished_at: datetime
    objective_rto_seconds: float | None = None
    objective_rpo_seconds: float | None = None
    plan: Plan | None = None
    survey: Survey | None = None
    settlement: Settlement | None = None
    votes: tuple[Vote, ...] = ()
    epoch: int | None = None
    quiet: Quiet | None = None
    fenced: Fenced | None = None
    promoted: Promoted | None = None
    routed: Routed | None = None
    verified: Verified | None = None
    reconnected: tuple[Reconnected, ...] = ()
    redundancy: Redundancy | None = None
    measurement: Measurement | None = None
    undone: tuple[str, ...] = ()
    left_to_do: tuple[str, ...] = ()
    preview: str = ""
    """Plan runs: what the API server says would change (server-side dry run)."""


class RecordsRequest(Wire):
    """Keep a report outside Temporal."""

    records: str | None
    report: RunReport


class RecordsKept(Wire):
    """Where the report went."""

    paths: tuple[str, ...] = ()
    note: str = ""


class ExamineRequest(Wire):
    """What doctor looks at; ``None`` looks at every cluster of the estate."""

    cluster: str | None = None


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    """A switch would be refused, or could go wrong."""


class Finding(Wire):
    """One line of doctor's answer."""

    severity: Severity
    subject: str
    message: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be done."""
        return self.severity is Severity.OK


class DoctorReport(Wire):
    """Everything that doctor found. Nothing was changed."""

    findings: tuple[Finding, ...]
