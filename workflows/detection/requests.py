"""Which failover a watch begins for what it has found gone."""

from __future__ import annotations

from dataclasses import dataclass

from activities.detection.models import Kind
from activities.run.watches import WATCH_TYPES
from gate.record import Mode
from workflows.detection.quorum import Verdict
from workflows.run.models import Run, lock_of


@dataclass(frozen=True)
class Begun:
    """A workflow, its input, and the ID under which it must run."""

    workflow: str
    input: dict[str, object]
    lock: str


_FAILOVERS = {
    Kind.POSTGRES: ("postgres-failover", "postgres", "cluster"),
    Kind.REDIS: ("redis-failover", "redis", "master"),
    Kind.PODS: ("pod-failover", "pods", "workload"),
    Kind.NODES: ("node-failover", "node", "node"),
    Kind.GATEWAY: ("gateway-failover", "gateway", "gateway"),
}
"""Procedure, what its target is, and the field that names it: a watch knows procedures by their registered names only."""


def failover_for(kind: Kind, target: str, verdict: Verdict) -> Begun:
    """Return the failover for what ``verdict`` on ``target`` is about."""
    workflow, subject, names = _FAILOVERS[kind]
    name = verdict.subject if kind is Kind.NODES else target
    by, reason = WATCH_TYPES[kind.value], verdict.words[:1000]
    asked: dict[str, object] = {names: name, "run": Run.REAL.value, "by": by, "reason": reason}
    if kind is Kind.GATEWAY:
        asked["backend"] = verdict.subject
    elif kind is not Kind.PODS:
        asked["mode"] = Mode.FORCED.value
    return Begun(workflow, asked, lock_of(subject, name))


def hand_over_for(kind: Kind, target: str, member: str) -> Begun:
    """Return the planned failover that relieves ``member``, which is asked to end."""
    workflow, subject, names = _FAILOVERS[kind]
    reason = f"{member} is asked to end, and hands over first"
    asked: dict[str, object] = {names: target, "run": Run.REAL.value, "by": WATCH_TYPES[kind.value], "reason": reason}
    return Begun(workflow, asked | {"mode": Mode.PLANNED.value}, lock_of(subject, target))


def failover_lock(kind: Kind, target: str) -> str:
    """Return the ID under which the failover of ``target`` runs; empty: its nodes have one each, or only people begin it."""
    return "" if kind in {Kind.NODES, Kind.REGION} else lock_of(_FAILOVERS[kind][1], target)
