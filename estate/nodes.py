"""Machines of the cluster, as the estate describes them: pools by label, and what must leave one of their nodes first."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from estate.base import ApprovalPolicy, Entry, Name, Objective, Target
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.watching import NodeWatching, Watching


class NodeApprovals(Entry):
    """Who must agree. Nobody by default; what is moved first asks its own people."""

    planned: ApprovalPolicy = ApprovalPolicy(requester_required=False)
    forced: ApprovalPolicy = ApprovalPolicy(requester_required=False)


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
    watch: NodeWatching = NodeWatching()


class NodeTarget(Target):
    """One node resolved, with everything that could lead from it."""

    pool: Name
    settings: NodePool
    postgres: tuple[PostgresTarget, ...] = ()
    redis: tuple[RedisTarget, ...] = ()

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.settings.objective

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        return self.settings.watch


class NodePoolTarget(Target):
    """One pool resolved: what its watch looks at."""

    settings: NodePool

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.settings.objective

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        return self.settings.watch
