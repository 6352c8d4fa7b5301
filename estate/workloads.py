"""Pods without a state of their own, as the estate describes them: a Deployment, and the Service that its clients ask."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from estate.base import ApprovalPolicy, Entry, Name, Objective, Target
from estate.watching import PodWatching, Watching


class WorkloadApprovals(Entry):
    """Who must agree. Nobody by default: Kubernetes mends pods by itself, and replaces one that it cannot mend."""

    failover: ApprovalPolicy = ApprovalPolicy(requester_required=False)
    drill: ApprovalPolicy = ApprovalPolicy(requester_required=False)


class Workload(Entry):
    """One Deployment. Its pods may be replaced at any time: what must survive is elsewhere."""

    region: Name
    deployment: Name
    service: Name | None = None
    """What clients ask; ``None``: nobody asks these pods, and ready is all there is to know."""
    port: int = Field(default=80, ge=1, le=65535)
    """The Service's."""
    path: str = Field(default="/health/ready", pattern="^/")
    """Answers 2xx while the pods do their work."""
    patience: timedelta = timedelta(seconds=15)
    """How long Kubernetes may take to mend a pod, counted from when it broke; then the run replaces it. A container that
    is killed is Ready again in 1 to 3 s (measured); a liveness probe of 10 s x 3 alone takes 20 to 30 s to notice."""
    settled_within: timedelta = timedelta(minutes=1)
    """How long a replacement may take to be ready; then a person is needed."""
    objective: Objective = Objective(rto=timedelta(seconds=30))
    approvals: WorkloadApprovals = WorkloadApprovals()
    watch: PodWatching = PodWatching()


class WorkloadTarget(Target):
    """One workload resolved."""

    KIND: ClassVar[str] = "workload"

    @property
    def detection(self) -> tuple[str, str]:
        """Kind and name of what is watched."""
        return "pods", self.name

    workload: Workload

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        return self.workload.objective

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        return self.workload.watch

    @property
    def takes_words(self) -> bool:
        """Nobody must vouch for a pod."""
        return False
