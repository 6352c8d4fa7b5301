"""What is seen of a workload's pods, and what the steps of ``pod-failover`` ask and answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AliasChoices, Field

from activities.run.models.plan import NOTHING_OF_POSTGRES, Plan
from activities.run.models.report import RecoveryDetails
from activities.run.models.wire import RunId, Wire
from estate.reference import Named
from estate.workloads import WorkloadTarget


class Trouble(StrEnum):
    """What is wrong with a pod."""

    NONE = "ready"
    STARTING = "starting"
    """Not ready yet, and nothing says that it will not be."""
    NOT_READY = "not ready"
    """Its containers run and its readiness probe says no."""
    CRASHING = "crash loop"
    """Its container ends again and again; the kubelet waits longer and longer before it starts it."""
    CANNOT_START = "cannot start"
    """Its container was never started: image, configuration, volume."""
    UNSCHEDULED = "unscheduled"
    """No node takes it: another pod would not be taken either."""
    STUCK = "stuck terminating"
    """It was told to go, and its grace is long over."""
    NODE_SILENT = "node silent"
    """Its node's kubelet has not spoken for a while; what runs there nobody knows."""
    OVER = "over"
    """Evicted or ended; its controller has made another one."""


class PodSeen(Wire):
    """One pod by the API server's word."""

    name: str
    uid: str
    node: str = ""
    trouble: Trouble
    words: str = ""
    """What the kubelet, the scheduler or the probe says of it."""
    since: datetime | None = None
    """When it stopped being ready; ``None`` for one that is."""
    container: str = ""
    """The container that it is about: its main one, or the one that is not ready."""
    restarts: int = 0
    """Of its main container."""
    last_end: str = ""
    """How its container last ended: ``OOMKilled (137)``."""
    volumes: tuple[str, ...] = ()
    """What it may write and outlives it."""
    events: tuple[str, ...] = ()
    """Broken: its latest events, oldest first."""
    log_tail: str = ""
    """Broken: last lines of the container that ended last, or of the one that runs."""

    @property
    def is_ready(self) -> bool:
        """Whether it does its work."""
        return self.trouble is Trouble.NONE

    @property
    def unseen(self) -> bool:
        """Whether its kubelet does not do its part: waiting for it to end would be waiting for ever."""
        return self.trouble in {Trouble.STUCK, Trouble.NODE_SILENT}

    @property
    def may_write(self) -> bool:
        """Whether it may go on writing data that its replacement would write too: nobody sees it end."""
        return self.unseen and bool(self.volumes)


class WorkloadSurvey(Wire):
    """A workload as it is now."""

    at: datetime
    wanted: int
    pods: tuple[PodSeen, ...]
    """Without those that leave within their grace."""
    answer: str = ""
    """What is wrong with the Service's answer; empty when it is well, or nobody asks it."""

    @property
    def ready(self) -> tuple[PodSeen, ...]:
        """Pods that do their work."""
        return tuple(pod for pod in self.pods if pod.is_ready)

    @property
    def broken(self) -> tuple[PodSeen, ...]:
        """All others."""
        return tuple(pod for pod in self.pods if not pod.is_ready)

    @property
    def is_whole(self) -> bool:
        """Whether as many pods as wanted are ready, no other is left, and the Service answers."""
        return not self.broken and len(self.ready) >= self.wanted and not self.answer


class WorkloadLook(Wire):
    """Which workload to look at."""

    target: Named[WorkloadTarget]


class StrikeRequest(Wire):
    """Drill: end the main process of a pod."""

    target: Named[WorkloadTarget]
    pod: PodSeen
    """As it was before: one that has changed since was struck already."""
    run: RunId


class Struck(Wire):
    """A pod whose container has ended, or was told to."""

    pod: str
    at: datetime
    how: str


class MendRequest(Wire):
    """Wait until a workload is whole again."""

    target: Named[WorkloadTarget]
    changed_from: PodSeen | None = None
    """Drill: the pod as it was before it was struck; whole counts only once that shows."""
    until: datetime
    """When to stop waiting and say what is broken still."""


class Mended(Wire):
    """How a wait for a workload ended."""

    whole: bool
    at: datetime
    ready_at: datetime | None = None
    """When the last pod became ready."""
    answers_at: datetime | None = None
    """When the Service had answered well ten times in a row, each time on a new connection."""
    survey: WorkloadSurvey


class ReplaceRequest(Wire):
    """Delete broken pods, so that their Deployment makes new ones."""

    target: Named[WorkloadTarget]
    pods: tuple[PodSeen, ...]
    run: RunId


class Replaced(Wire):
    """What was deleted."""

    pods: tuple[str, ...]
    forced: tuple[str, ...] = ()
    """Of them those whose object was removed at once: nobody has seen their processes end."""
    at: datetime


class AnswerRequest(Wire):
    """Ask the Service until cancelled."""

    target: Named[WorkloadTarget]
    run: RunId
    interval: timedelta = timedelta(milliseconds=100)


class PodPlan(Plan):
    """Which pods are broken, or which one a drill ends."""

    pods: tuple[str, ...] = ()
    """Drill: the pod that is ended. Else the broken ones, each with its trouble."""
    wanted: int = 0

    def decisions(self) -> dict[str, Any]:
        """Return what an approver agrees to, in the terms of the first version."""
        told = {"primary": ", ".join(self.pods) or "no broken pod", "candidate": f"{self.wanted} ready pods"}
        return super().decisions() | told | NOTHING_OF_POSTGRES

    def heading(self) -> str:
        """Return what changes, in a few words."""
        if self.primary:  # a plan of the first version
            return super().heading()
        return f"{', '.join(self.pods) or 'no broken pod'} → {self.wanted} ready pods"


class PodDetails(RecoveryDetails):
    """What a run has found out and done."""

    survey: WorkloadSurvey | None = Field(default=None, validation_alias=AliasChoices("survey", "workload"))
    struck: Struck | None = None
    replaced: Replaced | None = None
    mended: Mended | None = None

    @property
    def healthy(self) -> bool:
        """Whether all pods were ready and the Service answered in the end."""
        return self.mended is not None and self.mended.whole
