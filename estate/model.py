"""The estate as data: regions, PostgreSQL clusters, approval policies, people.

Unknown keys are refused, since a misspelt threshold that is silently ignored is worse than none. Secrets are only ever
*references* (``env:NAME``, ``file:PATH``); clients resolve them at the moment of use, so that no secret reaches a
workflow's input, its history, a log or a report.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, model_validator

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=253)]


def _is_reference(text: str) -> str:
    scheme, _, rest = text.partition(":")
    if scheme not in {"env", "file"} or not rest:
        message = "must be a reference, env:NAME or file:PATH; never the secret itself"
        raise ValueError(message)
    return text


SecretReference = Annotated[str, AfterValidator(_is_reference)]


class _Estate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Region(_Estate):
    """Where a part of the platform runs."""

    location: str
    """Azure's name of the region, e.g. ``East US``."""
    namespace: Name
    context: str | None = None
    """kubeconfig context; ``None`` means the cluster that the worker itself runs in."""


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


class Application(_Estate):
    """A Deployment that holds database sessions."""

    deployment: Name
    reconnect: Reconnect = Reconnect.ROLLOUT
    ready_within: timedelta = timedelta(minutes=5)


class GateAccess(_Estate):
    """How the gate in front of each member is reached."""

    token: SecretReference
    address: str | None = None
    """Pattern of a member's host name, with ``{member}`` and ``{namespace}``; ``None``: the pod's address, by Kubernetes."""
    port: int = Field(default=8008, ge=1, le=65535)


class Login(_Estate):
    """The operator's own database role: no superuser."""

    user: str = "failover"
    password: SecretReference
    port: int = Field(default=5432, ge=1, le=65535)
    sslmode: str = "prefer"


class Thresholds(_Estate):
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


class ProofKind(StrEnum):
    """What counts as proof that an old primary is stopped."""

    GATE = "gate"
    """Its gate answers that the server is down and stays down."""
    ISOLATION = "isolation"
    """Its gate kills it by itself when nobody vouches for it; that time has passed."""
    ATTESTED = "attested"
    """A person says so, by name."""


class Forced(_Estate):
    """What a forced failover asks for and waits for."""

    proof: tuple[ProofKind, ...] = Field(default=(ProofKind.GATE, ProofKind.ATTESTED), min_length=1)
    """Kinds that are accepted. ``isolation`` trusts that a frozen primary does not wake up before its own watchdog."""
    isolation_timeout: timedelta = timedelta(seconds=30)
    """Must equal ``GATE_ISOLATION_TIMEOUT`` of the gates; doctor compares."""
    proof_within: timedelta = timedelta(minutes=15)
    """How long a claimed failover waits for proof or attestation; then it is undone."""
    redundancy_within: timedelta = timedelta(minutes=1)
    """How long the run stays to see the old primary follow. Its gate brings it back later just as well."""


class Rollback(_Estate):
    """What a rollback waits for."""

    back_within: timedelta = timedelta(hours=1)
    """Lossless: how long the run waits for the member that led before to be a synchronous standby; then it is refused."""


class Objective(_Estate):
    """Recovery objectives that a run is measured against."""

    rto: timedelta = timedelta(minutes=5)
    rpo: timedelta = timedelta(0)


class ApprovalPolicy(_Estate):
    """Who must agree before anything changes."""

    roles: tuple[str, ...] = ()
    """Roles that must each be filled by a different person; empty means that nobody needs to approve."""
    quorum: int | None = Field(default=None, ge=1)
    """How many of ``roles`` must be filled; ``None`` means all of them."""
    window: timedelta = timedelta(hours=4)
    """How long the run waits; then it is refused and nothing has changed."""
    requester_required: bool = True
    """``by`` must be given, so that requester and approver can be told apart."""

    @property
    def needed(self) -> int:
        """Number of different people who must approve."""
        return len(self.roles) if self.quorum is None else self.quorum

    @model_validator(mode="after")
    def _quorum_is_reachable(self) -> Self:
        if len(set(self.roles)) != len(self.roles):
            message = "roles names a role twice; name each once and use people for more of one kind"
            raise ValueError(message)
        if self.quorum is not None and self.quorum > len(self.roles):
            message = f"quorum is {self.quorum}, but roles names only {len(self.roles)}; lower quorum or add roles"
            raise ValueError(message)
        return self


class Approvals(_Estate):
    """Policies per kind of switch."""

    planned: ApprovalPolicy = ApprovalPolicy()
    forced: ApprovalPolicy = ApprovalPolicy()
    rollback: ApprovalPolicy = ApprovalPolicy()
    adopt: ApprovalPolicy = ApprovalPolicy()


class PostgresCluster(_Estate):
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

    @model_validator(mode="after")
    def _members_differ(self) -> Self:
        if len(set(self.members)) != len(self.members):
            message = "members names a pod twice"
            raise ValueError(message)
        return self


class Estate(_Estate):
    """The whole inventory."""

    regions: dict[Name, Region] = Field(min_length=1)
    postgres: dict[Name, PostgresCluster] = {}
    people: dict[str, tuple[str, ...]] = {}
    """Who holds which roles; a vote by anybody else is refused."""
    records: str | None = None
    """Directory that each run's report and history are written to; ``None`` keeps them in Temporal only."""

    @model_validator(mode="after")
    def _references_resolve(self) -> Self:
        for name, cluster in self.postgres.items():
            if cluster.region not in self.regions:
                known = ", ".join(sorted(self.regions))
                message = f"postgres.{name}.region names {cluster.region!r}, which regions does not list; known: {known}"
                raise ValueError(message)
            for kind in ("planned", "forced", "rollback", "adopt"):
                self._policy_can_be_met(f"postgres.{name}.approvals.{kind}", getattr(cluster.approvals, kind))
        return self

    def _policy_can_be_met(self, where: str, policy: ApprovalPolicy) -> None:
        held = {role for roles in self.people.values() for role in roles}
        missing = [role for role in policy.roles if role not in held]
        if len(policy.roles) - len(missing) < policy.needed:
            message = f"{where}.roles asks for {', '.join(missing)}, but nobody under people holds it"
            raise ValueError(message)


class PostgresTarget(_Estate):
    """One cluster resolved: what a run keeps in its history and finishes with, whatever the file says later."""

    name: Name
    region: Region
    cluster: PostgresCluster
    people: dict[str, tuple[str, ...]] = {}
    records: str | None = None

    def knows(self, person: str) -> bool:
        """Whether the estate lists ``person``, whatever the case and the blanks around."""
        return person.strip().casefold() in {name.strip().casefold() for name in self.people}

    @property
    def takes_words(self) -> bool:
        """Whether a person's word counts as proof that a primary is stopped."""
        return ProofKind.ATTESTED in self.cluster.forced.proof

    def why_no_word(self, person: str) -> str:
        """Return why ``person`` cannot say that a primary is stopped; empty when they can."""
        if not self.takes_words:
            return f"attest: {self.name} takes nobody's word (forced.proof is {', '.join(self.cluster.forced.proof)})"
        if not self.knows(person):
            return f"by: {person} cannot attest; the estate's people are {', '.join(sorted(self.people)) or 'nobody'}"
        return ""
