"""One drill of the calendar resolved: with what is drilled, and who must agree to it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from estate.base import ApprovalPolicy, Objective, Target, fold
from estate.drills import Drill, Kind, Maintenance
from estate.nodes import NodePoolTarget
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.regions import RegionTarget
from estate.traffic import TrafficTarget
from estate.workloads import WorkloadTarget

Drilled = PostgresTarget | RedisTarget | WorkloadTarget | NodePoolTarget | RegionTarget


class DrillTarget(Target):
    """One drill, with everything that it looks at."""

    KIND: ClassVar[str] = "drill"

    drill: Drill
    time_zone: str
    maintenance: tuple[Maintenance, ...] = ()
    workload: WorkloadTarget | None = None
    pool: NodePoolTarget | None = None
    redis: tuple[RedisTarget, ...] = ()
    """Redis: the one. Node: those of its region, whose masters stay where they are."""
    postgres: tuple[PostgresTarget, ...] = ()
    """Database: the one. Node: those of its region, whose primaries stay where they are."""
    workloads: tuple[WorkloadTarget, ...] = ()
    """Node: those of its region, whose pods move."""
    moved: RegionTarget | None = None
    traffic: tuple[TrafficTarget, ...] = Field(default=())
    """Region: what leads to it."""
    application: WorkloadTarget | None = None
    """Whose answers are watched."""

    @property
    def detection(self) -> tuple[str, str]:
        """Nothing watches a drill."""
        return self.KIND, self.name

    @property
    def subject(self) -> Drilled:
        """What is drilled."""
        found: dict[Kind, Drilled | None] = {
            Kind.POD: self.workload,
            Kind.NODE: self.pool,
            Kind.REDIS: self.redis[0] if self.redis else None,
            Kind.DATABASE: self.postgres[0] if self.postgres else None,
            Kind.REGION: self.moved,
        }
        subject = found[self.drill.kind]
        assert subject is not None, self.name  # noqa: S101 - as the loader makes it
        return subject

    @property
    def objective(self) -> Objective:
        """What the way there is measured against."""
        return self.subject.objective

    @property
    def approvals(self) -> ApprovalPolicy:
        """Who must agree: those who must agree to the way there. Their votes count for the way back, too."""
        subject = self.subject
        if isinstance(subject, WorkloadTarget):
            return subject.workload.approvals.drill
        if isinstance(subject, NodePoolTarget | RegionTarget):
            return subject.settings.approvals.planned
        return (subject.cluster if isinstance(subject, PostgresTarget) else subject.deployment).approvals.planned

    def why_no_judgement(self, person: str) -> str:
        """Return why ``person`` cannot judge this drill; empty when they can: one of a role that takes part, or anybody."""
        able = {fold(name) for name, roles in self.people.items() if not self.drill.participants or self._takes_part(roles)}
        if fold(person) in able:
            return ""
        names = ", ".join(sorted(name for name in self.people if fold(name) in able)) or "nobody"
        return f"by: {person} cannot judge {self.name}; can: {names}"

    def _takes_part(self, roles: tuple[str, ...]) -> bool:
        return bool(set(roles) & set(self.drill.participants))

    @property
    def takes_words(self) -> bool:
        """Nothing is given up for a drill."""
        return False
