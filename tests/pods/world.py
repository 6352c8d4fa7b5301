"""A Deployment in memory, behind the same Protocol as the real one: its pods break and come back as a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from activities.clients.ports import MissingError, UnreachableError
from activities.pods.models import PodSeen, Trouble
from estate.workloads import WorkloadTarget


@dataclass
class Pod:
    """One pod; ``ready_at`` (monotonic) ends whatever is the matter with it."""

    seen: PodSeen
    ready_at: float = float("inf")


@dataclass
class PodWorld:
    """What the API server knows of one workload."""

    wanted: int = 2
    restarts_within: float = 0.3
    """Seconds until a container that has ended is ready again; inf: never."""
    fate_of_new: Trouble = Trouble.NONE
    stubborn: bool = False
    """First processes do not end when they are told to."""
    gone: bool = False
    """The API server is silent."""
    pods_by_name: dict[str, Pod] = field(default_factory=dict)
    deleted: list[tuple[str, bool]] = field(default_factory=list)
    """(pod, at once) in order."""
    struck: list[str] = field(default_factory=list)
    asked: int = 0
    answers: Callable[[], str] = str
    """What is wrong with the Service's answer, beside having no ready pod."""

    def __post_init__(self) -> None:
        self._numbers = count()
        for _ in range(self.wanted):
            self._make(Trouble.NONE)

    @property
    def names(self) -> list[str]:
        return sorted(self.pods_by_name)

    def break_pod(self, name: str, trouble: Trouble, *, seconds_ago: float = 60, mended_in: float = float("inf")) -> None:
        """Let a pod have been in trouble for a while."""
        pod = self.pods_by_name[name]
        since = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        pod.seen = pod.seen.model_copy(update={"trouble": trouble, "since": since, "words": f"{trouble.value}, as told"})
        pod.ready_at = time.monotonic() + mended_in

    async def pods(self, target: WorkloadTarget) -> tuple[int, tuple[PodSeen, ...]]:  # noqa: ARG002 - there is one
        await asyncio.sleep(0)
        if self.gone:
            raise UnreachableError("the API server does not answer")
        for pod in self.pods_by_name.values():
            if pod.ready_at <= time.monotonic():
                pod.seen = pod.seen.model_copy(update={"trouble": Trouble.NONE, "since": None, "words": ""})
        return self.wanted, tuple(self.pods_by_name[name].seen for name in self.names)

    async def evidence(self, target: WorkloadTarget, pod: PodSeen) -> PodSeen:  # noqa: ARG002
        return pod.model_copy(update={"events": ("12:00:00 Warning BackOff: as told",), "log_tail": "its last words"})

    async def end_main_process(self, target: WorkloadTarget, pod: PodSeen) -> str:  # noqa: ARG002
        if pod.name not in self.pods_by_name:
            raise MissingError(f"Pod {pod.name} does not exist")
        self.struck.append(pod.name)
        if not self.stubborn:
            one = self.pods_by_name[pod.name]
            changes = {"trouble": Trouble.STARTING, "since": datetime.now(UTC), "restarts": one.seen.restarts + 1}
            one.seen = one.seen.model_copy(update=changes)
            one.ready_at = time.monotonic() + self.restarts_within
        return "kill 1"

    async def delete(self, target: WorkloadTarget, pod: PodSeen, *, at_once: bool) -> None:  # noqa: ARG002
        found = self.pods_by_name.get(pod.name)
        if found is None or found.seen.uid != pod.uid:
            return
        del self.pods_by_name[pod.name]
        self.deleted.append((pod.name, at_once))
        if pod.trouble is not Trouble.OVER:
            self._make(self.fate_of_new)

    async def ask(self, target: WorkloadTarget) -> None:  # noqa: ARG002
        self.asked += 1
        if not any(pod.seen.is_ready for pod in self.pods_by_name.values()):
            raise UnreachableError("api takes no connection")
        if words := self.answers():
            raise UnreachableError(words)

    def _make(self, trouble: Trouble) -> None:
        number = next(self._numbers)
        seen = PodSeen(name=f"api-{number}", uid=f"uid-{number}", node="node-1", trouble=trouble)
        if trouble is not Trouble.NONE:
            seen = seen.model_copy(update={"since": datetime.now(UTC), "words": f"{trouble.value}, like the one before"})
        self.pods_by_name[seen.name] = Pod(seen)
