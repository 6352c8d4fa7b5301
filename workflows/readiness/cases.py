"""Which dry runs tell whether a target is ready: one for each procedure that would be its first help, in each mode.

Procedures are known here by their registered names only. What follows another run is left out: its preconditions come into
being with that run, which says itself what comes next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from activities.readiness.models import Checkable
from workflows.readiness.models import Case
from workflows.run.models import READINESS_PLANS, Run, lock_of

_BOTH = ("planned", "forced")
_TO = "to "


@dataclass(frozen=True)
class Rehearsal:
    """A procedure, and how its dry run is asked for."""

    workflow: str
    subject: str
    names: str
    """Field of its request that names the target."""
    modes: tuple[str, ...] = ("",)


REHEARSALS = (
    Rehearsal("postgres-failover", "postgres", "cluster", _BOTH),
    Rehearsal("redis-failover", "redis", "master", _BOTH),
    Rehearsal("pod-failover", "pods", "workload"),
    Rehearsal("node-failover", "node", "node", _BOTH),
    Rehearsal("postgres-region-failover", "flexible", "database", _BOTH),
    Rehearsal("gateway-failover", "gateway", "gateway"),
    Rehearsal("dns-failover", "traffic", "traffic"),
    Rehearsal("region-failover", "region", "region", _BOTH),
)
LEFT_OUT = {
    "postgres-rollback": "takes a promotion back: there is none before a failover",
    "postgres-rejoin": "brings back a member that was left behind; its gate does that without being asked",
    "postgres-adopt": "is done once, before a cluster has a leader record",
    "region-failback": "leads back what a region's failover has moved",
    "region-fence": "begins with a region's failover, and waits for the region that was lost",
    "failover-drill": "leads there and back by procedures that are dry runs here already",
    "region-recovery": "repairs one named failover of a region",
}
"""Procedure → why no dry run of it is made."""


@dataclass(frozen=True)
class Planned:
    """One dry run: what it is about, and how to ask for it."""

    case: Case
    workflow_id: str
    request: dict[str, object]
    unlisted: str = ""
    """Why it cannot be asked for at all."""


def dry_runs(targets: Iterable[Checkable]) -> Iterator[Planned]:
    """Yield every dry run of a pass, in the order of the targets."""
    for target in targets:
        for rehearsal in REHEARSALS:
            if rehearsal.subject == target.subject:
                yield from _of(rehearsal, target)


def _of(rehearsal: Rehearsal, target: Checkable) -> Iterator[Planned]:
    if target.unlisted:
        yield Planned(_case(rehearsal, f"pool/{target.name}", ""), "", {}, target.unlisted)
        return
    lock = lock_of(target.subject, target.name)
    asked: dict[str, object] = {rehearsal.names: target.name, "run": Run.PLAN.value, "reason": "readiness"}
    for variant, more in _variants(rehearsal, target):
        own = "/".join(filter(None, (rehearsal.workflow, lock, variant.removeprefix(_TO))))
        yield Planned(_case(rehearsal, lock, variant), f"{READINESS_PLANS}{own}", asked | more)


def _variants(rehearsal: Rehearsal, target: Checkable) -> Iterator[tuple[str, dict[str, object]]]:
    if target.to:
        for region in target.to:
            yield f"{_TO}{region}", {"to": region, "serves_later": region in target.starts_first}
        return
    for mode in rehearsal.modes:
        yield mode, {"mode": mode} if mode else {}


def _case(rehearsal: Rehearsal, target: str, variant: str) -> Case:
    return Case(procedure=rehearsal.workflow, target=target, variant=variant)
