"""A region as the estate describes it for its failover: what moves with it, what is applied elsewhere, who must agree.

The key of an entry is the region that may be lost. What has no replica elsewhere (PostgreSQL and Redis inside the region's
cluster) is found by the estate itself, and named before anybody approves.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from estate.base import ApprovalPolicy, Entry, Name, Objective, Region, SecretReference, SwitchApprovals, Target
from estate.flexible import FlexibleTarget
from estate.traffic import TrafficTarget
from estate.watching import RegionWatching, Watching

_Short = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=1))]
_ALL = ApprovalPolicy(roles=("Manager", "DBA", "CTO"))
_LABEL = r"[-A-Za-z0-9_./]+=[-A-Za-z0-9_.]+"
Selector = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}(,{_LABEL})*$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+[^\s]*$")]


class ReadyPods(Entry):
    """The pods that serve customers in the surviving region."""

    selector: Selector = "app=api"
    """Labels, as ``kubectl get pods --selector`` takes them."""
    within: _Short = timedelta(seconds=300)
    """How long they may take to be Ready once the overlay is applied (platform runbook: 300 s)."""


class ApplicationChecks(Entry):
    """What the application must answer in the end, as a client sees it."""

    url: Url
    """Where clients reach it, without the path."""
    paths: tuple[str, ...] = ("/health", "/health/ready")
    """Each must answer 2xx."""
    submit: str = "/api/v1/workflows"
    """Takes a POST with the bearer token and answers 2xx; empty: nothing is submitted."""
    body: dict[str, JsonValue] = Field(default={"name": "failover-check"})
    """What is submitted."""
    token: SecretReference | None = None


class RegionApprovals(SwitchApprovals):
    """Who must agree: to a failover by its mode, and to the recovery after it. What is left out asks all, not nobody."""

    planned: ApprovalPolicy = _ALL
    forced: ApprovalPolicy = _ALL
    recovery: ApprovalPolicy = ApprovalPolicy(roles=("DBA",))


class Preconditions(Entry):
    """What is compared before anybody is asked. A rule that is given refuses a planned move; a forced one it only warns."""

    backup_age: Annotated[timedelta, Field(ge=timedelta(hours=1), le=timedelta(days=35))] | None = None
    """The newest completed backup of each database may be so old; ``None``: its age is shown and refuses nothing."""
    quota_cores: int | None = Field(default=None, ge=1, le=10_000)
    """Cores of each database's family of sizes that must be free in the region that is to serve; ``None``: those of a
    standby for its server there, where the one that leads has a standby; that warns only."""
    probe_path: Annotated[str, StringConstraints(pattern=r"^/[^\s]*$", max_length=260)] = "/health/ready"
    """What the edge is to ask the hosts behind it for."""
    probe_interval: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(minutes=5))] = timedelta(seconds=30)
    """How long the edge may wait between two such questions."""


class RegionFailover(Entry):
    """How one region fails over to another."""

    to: Name
    """The surviving region."""
    databases: tuple[Name, ...] = Field(min_length=1)
    """Entries of ``flexible_servers`` that move, in this order."""
    traffic: tuple[Name, ...] = ()
    """Traffic entries that are led to the surviving region."""
    overlay: str
    """Folder that ``kubectl kustomize`` renders, or a file that it has rendered; readable by every worker."""
    pilot_light: str | None = None
    """The same, of what the surviving region runs while it does not serve; applied after a failback. ``None``: it keeps what
    ``overlay`` has applied."""
    applications: tuple[Name, ...] = ()
    """Deployments of the lost region that are scaled to zero."""
    ready: ReadyPods = ReadyPods()
    checks: ApplicationChecks | None = None
    objective: Objective = Objective(rto=timedelta(hours=4), rpo=timedelta(minutes=15))
    patience: _Short = timedelta(minutes=10)
    """How long a step after the promotion, or an undo before it, is tried while somebody does not answer."""
    approvals: RegionApprovals = RegionApprovals()
    preconditions: Preconditions = Preconditions()
    """What backups, quotas and probes are compared with."""
    watch: RegionWatching | None = None
    """How witnesses look whether the region is lost; ``None``: nobody does."""

    @model_validator(mode="after")
    def _customers_can_be_asked_for(self) -> Self:
        if self.watch is not None and not self.traffic:
            message = "watch needs traffic: name the entry of traffic by which customers reach the region"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _overlays_are_absolute(self) -> Self:
        for field in ("overlay", "pilot_light"):
            path = getattr(self, field)
            if path is not None and not PurePosixPath(path).is_absolute():
                message = f"{field} is {path!r}: give an absolute path, since each worker starts in a folder of its own"
                raise ValueError(message)
        return self


class RegionTarget(Target):
    """One region resolved."""

    KIND: ClassVar[str] = "region"

    settings: RegionFailover
    to: Region
    """The surviving region."""
    databases: tuple[FlexibleTarget, ...] = ()
    without_replica: tuple[str, ...] = ()
    """What of the lost region has no replica elsewhere, with its kind: lost or missing afterwards."""

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.settings.objective

    @property
    def takes_words(self) -> bool:
        """Nobody's word is asked for: a database that answers is given up by its own procedure."""
        return False

    @staticmethod
    def server_in(region: str, database: FlexibleTarget) -> str:
        """Return the server of ``database`` in ``region``."""
        return next(name for name, one in database.database.servers.items() if one.region == region)


class WatchedRegion(Target):
    """One region as its witnesses look at it: by the public names of its customers, and by its API server."""

    KIND: ClassVar[str] = "watched-region"

    watch: RegionWatching
    to: Name
    """The region that would survive it."""
    survivor: Region
    """Its cluster is asked too: a witness that reaches neither may be cut off itself."""
    names: tuple[TrafficTarget, ...]

    @staticmethod
    def edge_of(name: str) -> str:
        """Return what is called degraded when customers of the public name ``name`` are not served."""
        return f"edge of {name}"

    @property
    def detection(self) -> tuple[str, str]:
        """Kind and name of what is watched."""
        return "region", self.name

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        return self.watch
