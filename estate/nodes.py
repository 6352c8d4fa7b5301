"""Machines of the cluster, as the estate describes them: pools by label, and what must leave one of their nodes first."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from estate.base import ApprovalPolicy, Entry, Name, Objective, SecretReference, SwitchApprovals, Target
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.watching import NodeWatching, Watching


class NodeApprovals(SwitchApprovals):
    """Who must agree. Nobody by default; what is moved first asks its own people."""

    planned: ApprovalPolicy = ApprovalPolicy(requester_required=False)
    forced: ApprovalPolicy = ApprovalPolicy(requester_required=False)


class MachineKind(StrEnum):
    """Who can say of a pool's machines whether they run."""

    AZURE = "azure"
    """Azure Resource Manager, for instances of a scale set; which one is in the node's ``spec.providerID``."""
    HTTP = "http"
    """A power interface: ``GET ADDRESS/machines/NODE`` and ``POST ADDRESS/machines/NODE/off``."""


class Machines(Entry):
    """Control plane of a pool's machines: its word that one does not run is proof, as a person's is."""

    kind: MachineKind
    may_end: bool = False
    """A forced run may end the machine of a silent node itself, to have proof."""
    address: str = ""
    """http: URL of the power interface, without a slash at its end."""
    token: SecretReference | None = None
    """http: what it is sent as bearer token."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind is MachineKind.HTTP and not self.address.startswith(("http://", "https://")):
            message = "kind http needs address, the URL of the machines' power interface, such as https://power.example"
            raise ValueError(message)
        if self.kind is MachineKind.AZURE and (self.address or self.token):
            message = "kind azure takes no address and no token: the node's providerID and the worker's identity say it all"
            raise ValueError(message)
        return self


class NodePool(Entry):
    """Nodes with the same labels."""

    region: Name
    selector: dict[str, str] = Field(default={})
    """Labels that all its nodes have, for example ``agentpool: workers``; none: every node of the region."""
    blocked_after: timedelta = timedelta(seconds=30)
    """How long a disruption budget may refuse an eviction before the run says so and waits for a person."""
    decided_within: timedelta = timedelta(minutes=15)
    """How long it waits for that person; then it is undone. It goes on by itself as soon as the budget allows."""
    word_within: timedelta = timedelta(minutes=15)
    """Forced: how long pods that keep data wait for somebody's word that the machine is stopped."""
    settled_within: timedelta = timedelta(minutes=2)
    """How long what was evicted may take to be ready elsewhere; then a person is needed."""
    objective: Objective = Objective(rto=timedelta(minutes=2))
    approvals: NodeApprovals = NodeApprovals()
    machines: Machines | None = None
    """Who else than a person proves that a machine is stopped; ``None``: nobody."""
    watch: NodeWatching = NodeWatching()

    def has(self, labels: dict[str, str]) -> bool:
        """Whether a node with these labels is one of its nodes, as far as its region has it."""
        return self.selector.items() <= labels.items()


class NodePoolTarget(Target):
    """One pool resolved: what its watch looks at."""

    KIND: ClassVar[str] = "pool"

    settings: NodePool

    @property
    def detection(self) -> tuple[str, str]:
        """Kind and name of what is watched: the pool."""
        return "nodes", self.name

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.settings.objective

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        return self.settings.watch


class NodeTarget(NodePoolTarget):
    """One node of a pool resolved, with everything that could lead from it."""

    KIND: ClassVar[str] = "node"
    NAMES: ClassVar[tuple[str, ...]] = ("name", "pool")

    pool: Name
    postgres: tuple[PostgresTarget, ...] = ()
    redis: tuple[RedisTarget, ...] = ()

    @property
    def detection(self) -> tuple[str, str]:
        """Kind and name of what is watched: the node's pool."""
        return "nodes", self.pool
