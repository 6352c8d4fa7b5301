"""A Redis master with its replicas, watched by Sentinels, as the estate describes it."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Self

from pydantic import ByteSize, Field, model_validator

from estate.base import ApprovalPolicy, Entry, MasterName, Name, Objective, SecretReference, SwitchApprovals, Target
from estate.watching import RedisWatching, Watching


class RedisThresholds(Entry):
    """Beyond these a failover is refused."""

    planned_lag: ByteSize = ByteSize(1024 * 1024)
    """Bytes of the replication stream that a replica may still have to receive when a planned failover starts."""
    caught_up_within: timedelta = timedelta(seconds=2)
    """How long writers wait at most for the replicas to receive the rest; then they go on, and the run is undone."""
    pause: timedelta = timedelta(seconds=15)
    """How long Redis holds writers back by itself if every worker dies in between. Sentinel turns the old master into a
    replica 11 s after it has promoted another (measured); a shorter pause could let lost writes through."""
    elected_within: timedelta = Field(default=timedelta(seconds=20), le=timedelta(seconds=25))
    """Forced: how long the Sentinels may take to agree on a new master before one is asked to act at once."""


class RedisApprovals(SwitchApprovals):
    """Who must agree, per kind of failover. Nobody by default: a failover of Redis is meant to be automatic."""

    planned: ApprovalPolicy = ApprovalPolicy(requester_required=False)
    forced: ApprovalPolicy = ApprovalPolicy(requester_required=False)


class RedisDeployment(Entry):
    """One master name of Sentinel; its key in the estate is that name."""

    region: Name
    servers: tuple[Name, ...] = Field(min_length=2)
    """Pods with a Redis server."""
    sentinels: tuple[Name, ...] = Field(min_length=3)
    """Pods with a Sentinel. A majority of them decides, so three at least."""
    port: int = Field(default=6379, ge=1, le=65535)
    sentinel_port: int = Field(default=26379, ge=1, le=65535)
    password: SecretReference | None = None
    """Of servers and Sentinels."""
    objective: Objective = Objective(rto=timedelta(seconds=10), rpo=timedelta(seconds=1))
    thresholds: RedisThresholds = RedisThresholds()
    approvals: RedisApprovals = RedisApprovals()
    watch: RedisWatching = RedisWatching()

    @model_validator(mode="after")
    def _pods_differ(self) -> Self:
        for what, names in (("servers", self.servers), ("sentinels", self.sentinels)):
            if len(set(names)) != len(names):
                message = f"{what} names a pod twice"
                raise ValueError(message)
        return self


class RedisTarget(Target):
    """One deployment resolved."""

    KIND: ClassVar[str] = "redis"

    name: MasterName
    deployment: RedisDeployment

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.deployment.objective

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        return self.deployment.watch
