"""Which runs lead there and back, and by which facts it is seen that something has moved. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from activities.drills.models import Standing
from estate.drilled import DrillTarget
from estate.drills import Kind
from workflows.run.child_runs import Child
from workflows.run.models import Run, lock_of


class Way(NamedTuple):
    """A run of another procedure, but for what is the same in all."""

    workflow: str
    subject: str
    """First part of its lock."""
    names: str
    """Field that names its target."""
    settings: dict[str, Any]

    def child(self, target: str, by: str, reason: str) -> Child:
        """Return the run on ``target``."""
        return Child(self.workflow, self.asked(target, by, reason, Run.REAL), lock_of(self.subject, target))

    def asked(self, target: str, by: str, reason: str, run: Run) -> dict[str, Any]:
        """Return its request."""
        return {self.names: target, "by": by, "reason": reason[:1000], "run": run.value, **self.settings}


_THERE = {
    Kind.POD: Way("pod-failover", "pods", "workload", {"run": Run.DRILL.value}),
    Kind.NODE: Way("node-failover", "node", "node", {"mode": "planned", "uncordon": True}),
    Kind.REDIS: Way("redis-failover", "redis", "master", {"mode": "planned"}),
    Kind.DATABASE: Way("postgres-failover", "postgres", "cluster", {"mode": "planned"}),
    Kind.REGION: Way("region-failover", "region", "region", {"mode": "planned", "confirm": "ACTIVATE DR"}),
}
"""Procedures know each other by name only."""
_BACK = {
    Kind.REDIS: Way("redis-failover", "redis", "master", {"mode": "planned"}),
    Kind.DATABASE: Way("postgres-failover", "postgres", "cluster", {"mode": "planned"}),
    Kind.REGION: Way("region-failback", "region", "region", {"confirm": "FAIL BACK"}),
}
_MOVES = {
    Kind.POD: (), Kind.NODE: (), Kind.REDIS: (" master",), Kind.DATABASE: (" leader",),
    Kind.REGION: (" role of ", "traffic ", " asks for"),
}  # fmt: skip
"""Parts of the names of facts that only a way back puts right; all others settle."""


def there(target: DrillTarget) -> Way:
    """Return the way there."""
    return _THERE[target.drill.kind]


def back(target: DrillTarget, before: Standing | None) -> Way | None:
    """Return the way back to ``before``; ``None``: what was moved comes back without one."""
    way = _BACK.get(target.drill.kind)
    if way is None or target.drill.kind is not Kind.DATABASE or before is None:
        return way
    leader = before.facts.get(f"{target.drill.target} leader", "")
    return way._replace(settings={**way.settings, "to": leader}) if leader else way


def has_moved(target: DrillTarget, before: Standing, now: Standing) -> bool:
    """Return whether a way back is needed. What could not be seen may have moved: a way back that is not needed refuses."""
    marks = _MOVES[target.drill.kind]
    names = [name for name in before.facts if any(mark in name for mark in marks)]
    return any(before.facts[name] != now.facts.get(name) for name in names)
