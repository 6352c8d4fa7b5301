"""A PostgreSQL cluster behind its gates, as the estate describes it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import ByteSize, Field, model_validator

from estate.base import ApprovalPolicy, Entry, Name, Objective, SecretReference, SwitchApprovals, Target
from estate.watching import PostgresWatching, Watching


class Durability(StrEnum):
    """What a primary does without a synchronous standby."""

    AVAILABLE = "available"
    """Writes go on, loudly not redundant."""
    STRICT = "strict"
    """Writes wait until a standby is back."""


class Reconnect(StrEnum):
    """How an application is made to leave the old primary."""

    ROLLOUT = "rollout"
    """Restart its pods one by one, as ``kubectl rollout restart`` does."""
    NONE = "none"
    """It reconnects by itself when its sessions end."""


class Application(Entry):
    """A Deployment that holds database sessions."""

    deployment: Name
    reconnect: Reconnect = Reconnect.ROLLOUT
    ready_within: timedelta = timedelta(minutes=5)


class GateAccess(Entry):
    """How the gate in front of each member is reached."""

    token: SecretReference
    address: str | None = None
    """Pattern of a member's host name, with ``{member}`` and ``{namespace}``; ``None``: the pod's address, by Kubernetes."""
    port: int = Field(default=8008, ge=1, le=65535)


class Login(Entry):
    """The operator's own database role: no superuser."""

    user: str = "failover"
    password: SecretReference
    port: int = Field(default=5432, ge=1, le=65535)
    sslmode: str = "prefer"


class Thresholds(Entry):
    """Beyond these a switch is refused."""

    planned_lag: ByteSize = ByteSize(16 * 1024 * 1024)
    """WAL (bytes) that a candidate may still have to receive or replay when a planned switch starts."""
    forced_lag: timedelta = timedelta(seconds=10)
    """Replay lag that a forced failover accepts, as it stood at the primary's last answer (platform runbook: 10 s)."""
    quiet: timedelta = timedelta(seconds=1.2)
    """How long no endpoint of the namespace should have changed before a planned switch stops writes; 0 asks for nothing.
    kube-proxy takes changes at most once a second: a route that follows another change waits for the rest of it."""
    free_disk: ByteSize = ByteSize(256 * 1024 * 1024)
    """Least free space on the candidate's volume."""
    outage_budget: timedelta = Field(default=timedelta(seconds=3), ge=timedelta(seconds=1))
    """How long a planned switch may keep writes stopped until its candidate leads; then it is undone, whatever the cause."""


class ProofKind(StrEnum):
    """What counts as proof that an old primary is stopped."""

    GATE = "gate"
    """Its gate answers that the server is down and stays down."""
    ISOLATION = "isolation"
    """Its gate kills it by itself when nobody vouches for it; that time has passed."""
    MACHINE = "machine"
    """The control plane of the machine that its pod was on says that it does not run (``node_pools.*.machines``)."""
    ATTESTED = "attested"
    """A person says so, by name."""


class Forced(Entry):
    """What a forced failover asks for and waits for."""

    proof: tuple[ProofKind, ...] = Field(default=(ProofKind.GATE, ProofKind.ATTESTED), min_length=1)
    """Kinds that are accepted. ``isolation`` trusts that a frozen primary does not wake up before its own watchdog."""
    isolation_timeout: timedelta = timedelta(seconds=30)
    """Must equal ``GATE_ISOLATION_TIMEOUT`` of the gates; doctor compares."""
    proof_within: timedelta = timedelta(minutes=15)
    """How long a claimed failover waits for proof or attestation; then it is undone."""
    redundancy_within: timedelta = timedelta(minutes=1)
    """How long the run stays to see the old primary follow. Its gate brings it back later just as well."""


class Rollback(Entry):
    """What a rollback waits for."""

    back_within: timedelta = timedelta(hours=1)
    """Lossless: how long the run waits for the member that led before to be a synchronous standby; then it is refused."""


class Approvals(SwitchApprovals):
    """Policies per kind of switch."""

    rollback: ApprovalPolicy = ApprovalPolicy()
    adopt: ApprovalPolicy = ApprovalPolicy()


class PostgresCluster(Entry):
    """One PostgreSQL primary with its standbys, behind one write Service."""

    region: Name
    database: str
    members: tuple[Name, ...] = Field(min_length=1)
    """Pod names; the write Service selects one of them."""
    write_service: Name
    read_service: Name | None = None
    gate: GateAccess
    login: Login
    applications: tuple[Application, ...] = ()
    durability: Durability = Durability.AVAILABLE
    objective: Objective = Objective()
    thresholds: Thresholds = Thresholds()
    forced: Forced = Forced()
    rollback: Rollback = Rollback()
    approvals: Approvals = Approvals()
    watch: PostgresWatching = PostgresWatching()

    @model_validator(mode="after")
    def _members_differ(self) -> Self:
        if len(set(self.members)) != len(self.members):
            message = "members names a pod twice"
            raise ValueError(message)
        return self


class PostgresTarget(Target):
    """One cluster resolved."""

    KIND: ClassVar[str] = "postgres"

    cluster: PostgresCluster

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.cluster.objective

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        return self.cluster.watch

    @property
    def takes_words(self) -> bool:
        """Whether a person's word counts as proof that a primary is stopped."""
        return ProofKind.ATTESTED in self.cluster.forced.proof

    def why_no_word(self, person: str) -> str:
        """Return why ``person`` cannot say that a primary is stopped; empty when they can."""
        if not self.takes_words:
            return f"attest: {self.name} accepts no attestation (forced.proof is {', '.join(self.cluster.forced.proof)})"
        return super().why_no_word(person)
