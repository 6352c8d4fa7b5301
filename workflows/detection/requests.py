"""Which failover a watch begins for what it has found gone."""

from __future__ import annotations

from dataclasses import dataclass

from activities.detection.models import Kind
from gate.record import Mode
from workflows.detection.quorum import Verdict
from workflows.nodes.models import NodeFailoverRequest
from workflows.pods.models import PodFailoverRequest, pods_lock_id
from workflows.postgres.models import FailoverRequest, lock_id
from workflows.redis.models import RedisFailoverRequest, redis_lock_id
from workflows.run.models import Run

_Input = FailoverRequest | RedisFailoverRequest | PodFailoverRequest | NodeFailoverRequest


@dataclass(frozen=True)
class Begun:
    """A workflow and its input."""

    workflow: str
    input: _Input

    @property
    def lock(self) -> str:
        """The ID under which it must run."""
        return self.input.lock


def failover_for(kind: Kind, target: str, verdict: Verdict) -> Begun:
    """Return the failover for what ``verdict`` on ``target`` is about."""
    asked = {"run": Run.REAL, "by": WATCH_OF[kind], "reason": verdict.words[:1000]}
    match kind:
        case Kind.POSTGRES:
            return Begun("postgres-failover", FailoverRequest(cluster=target, mode=Mode.FORCED, **asked))
        case Kind.REDIS:
            return Begun("redis-failover", RedisFailoverRequest(master=target, mode=Mode.FORCED, **asked))
        case Kind.PODS:
            return Begun("pod-failover", PodFailoverRequest(workload=target, **asked))
        case Kind.NODES:
            return Begun("node-failover", NodeFailoverRequest(node=verdict.subject, mode=Mode.FORCED, **asked))


def failover_lock(kind: Kind, target: str) -> str:
    """Return the ID under which the failover of ``target`` runs; empty for a pool, whose nodes have one each."""
    locks = {Kind.POSTGRES: lock_id, Kind.REDIS: redis_lock_id, Kind.PODS: pods_lock_id}
    return locks[kind](target) if kind in locks else ""


WATCH_OF = {
    Kind.POSTGRES: "postgres-watch",
    Kind.REDIS: "redis-watch",
    Kind.PODS: "pod-watch",
    Kind.NODES: "node-watch",
}
"""The workflow that watches each kind; the name that its failovers are asked for by."""
