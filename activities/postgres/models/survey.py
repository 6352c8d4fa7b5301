"""What was seen of a cluster: by gates, by SQL, by Kubernetes, and what is made of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from activities.run.models.diagnosis import Silence
from activities.run.models.wire import Wire
from estate.postgres import PostgresTarget
from estate.reference import Named
from gate.api import GateStatus
from gate.record import Record, ahead_of


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
    container: str = ""
    """What the kubelet said last of its main container: ``running``, ``waiting: REASON``, ``ended: REASON``."""


class SqlFact(Wire):
    """What a member answers to the operator's SQL, by its own address: the second witness beside its gate."""

    in_recovery: bool
    timeline: int | None = None
    system_identifier: str
    sync_states: dict[str, str] = Field(default_factory=dict)
    """Primary: ``application_name`` → ``sync_state`` of its standbys."""
    own_transactions: int = 0
    """Primary: transactions of ``failover`` itself on this timeline, at least: measuring and verifying writes."""


class SessionFact(Wire):
    """One client's session on a server."""

    address: str
    """Where it comes from."""
    user: str
    wrote_seconds_ago: float | None = None
    """Since the end of its last statement, if that was a write; ``None`` when it was none."""


class MemberFact(Wire):
    """One member as seen by its gate, by SQL and by the API server. A witness that did not answer is ``None``."""

    name: str
    gate: GateStatus | None = None
    gate_error: str = ""
    gate_silence: Silence | None = None
    sql: SqlFact | None = None
    sql_error: str = ""
    sql_silence: Silence | None = None
    pod: PodFact | None = None
    pod_error: str = ""


class ApplicationFact(Wire):
    """An application of the cluster before anything is moved."""

    deployment: str
    hindrance: str = ""
    """Why a restart of its pods would not begin, or not get on; empty: nothing is known that would hold it up."""
    idle: bool = False
    """None of its sessions on the leader was seen to write lately."""


class Survey(Wire):
    """The cluster as it was at ``at``."""

    at: datetime
    record: Record | None = None
    members: tuple[MemberFact, ...]
    """In the estate's order."""
    log_tail: str = ""
    """Last 100 lines of the leader's container log: evidence, not input to any decision."""
    applications: tuple[ApplicationFact, ...] = ()
    """In the estate's order."""
    lease_epoch: int = 0
    """Of the record that a leader had read when it renewed the record's Lease last; 0 when that is not known."""

    def member(self, name: str) -> MemberFact | None:
        """Return the member called ``name``."""
        return next((fact for fact in self.members if fact.name == name), None)

    @property
    def ahead(self) -> dict[str, int]:
        """Who has seen a later epoch than the record's, an old copy then: members and its Lease, with that epoch."""
        epochs = {fact.name: fact.gate.epoch for fact in self.members if fact.gate is not None}
        epochs["its Lease"] = self.lease_epoch
        return ahead_of(self.record, epochs) if self.record is not None else {}

    @property
    def weak_commit_settings(self) -> tuple[str, ...]:
        """Settings by which an acknowledged commit may be on the leader alone, as any gate knows them."""
        named = [one for fact in self.members if fact.gate is not None for one in fact.gate.weak_commit_settings]
        return tuple(dict.fromkeys(named))

    def node_of(self, name: str) -> str:
        """Return the node that the member's pod was on; empty when that is not known."""
        fact = self.member(name)
        return (fact.pod.node or "") if fact and fact.pod else ""


_LESS = 0.2


class SurveyRequest(Wire):
    """Which cluster to look at, and how long to wait for a witness."""

    target: Named[PostgresTarget]
    evidence: bool = True
    """Bring the end of the leader's log as well."""
    patience: timedelta = timedelta(seconds=3)
    silent: tuple[str, ...] = ()
    """Members that were silent to the last look, a moment ago: they get less of it."""

    def patience_with(self, member: str) -> timedelta:
        """Return how long to wait for one of ``member``'s witnesses."""
        return self.patience * _LESS if member in self.silent else self.patience
