"""A lab of the tests' own, beside whichever else runs. Every test runs under load and under the two-writer checker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.models import Outcome
from deploy.lab import breaking, cluster
from deploy.lab.measuring import Load, load
from deploy.lab.names import Lab
from deploy.lab.processes import wait_until
from deploy.lab.switching import CLUSTER, connect, ending
from deploy.lab.workload import MEMBERS, annotation, kubectl
from workflows.models import TASK_QUEUE, plan_id

_DNS_SECONDS = 6
"""Until nobody remembers the address of a pod that was deleted."""
KEEP = "FAILOVER_KEEP_TEST_LAB"


@dataclass
class Platform:
    """The running lab, and what tests do with it."""

    lab: Lab
    binaries: Path
    client: Client
    load: Load | None = None
    old: str = ""
    candidate: str = ""
    nodes: dict[str, str] = field(default_factory=dict)

    def look(self) -> None:
        """Remember who leads, who follows and where, for a fault that must strike at once."""
        self.old, self.candidate = self.leader, self.standby
        path = "jsonpath={.spec.nodeName}"
        self.nodes = {member: self.kubectl("get", "pod", member, "-o", path) for member in MEMBERS}

    def seen(self) -> dict[str, Any]:
        """End the load and return what it saw."""
        assert self.load is not None
        return self.load.stop()

    def note(self, key: str) -> str:
        return annotation(self.lab, self.binaries, key)

    @property
    def leader(self) -> str:
        return self.note("leader")

    @property
    def standby(self) -> str:
        return next(member for member in MEMBERS if member != self.leader)

    def kubectl(self, *arguments: str) -> str:
        return kubectl(self.lab, self.binaries, *arguments)

    def pods(self, app: str) -> list[str]:
        path = "jsonpath={.items[*].metadata.name}"
        return sorted(self.kubectl("get", "pods", "-l", f"app={app}", "-o", path).split())

    def settle(self, seconds: float = 90) -> None:
        """Wait until the cluster is whole: redundant, no intent, every workload ready."""
        wait_until("redundant", lambda: self.note("sync") in MEMBERS and not self.note("intent"), seconds)
        for kind in ("deployment/failover-worker", "deployment/api-deployment"):
            self.kubectl("rollout", "status", kind, f"--timeout={seconds:.0f}s")

    async def until_fit(self, seconds: float = 90) -> None:
        """Wait until a plan is made and not refused: what the cluster says of itself can be a moment old."""
        async with asyncio.timeout(seconds):
            while True:
                handle = await self.client.start_workflow(
                    "postgres-failover", {"cluster": CLUSTER, "mode": "planned"}, id=plan_id(CLUSTER), task_queue=TASK_QUEUE
                )
                if (await ending(handle)).outcome is Outcome.PLANNED_ONLY:
                    return
                await asyncio.sleep(0.5)

    async def fresh_pods(self) -> None:
        """Replace killed pods by new ones: the kubelet lets one that fails again wait longer and longer."""
        for pod in [*self.pods("failover-worker"), *self.pods("postgresql")]:
            restarts = self.kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}")
            running = self.kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].state.running}")
            if restarts not in {"", "0"} or not running:
                self.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
                await asyncio.sleep(_DNS_SECONDS)
        self.settle()
        await self.until_fit()

    def break_it(self, what: str, name: str = "") -> str:
        return breaking.break_it(self.lab, self.binaries, what, name)


@pytest.fixture(scope="session")
def test_lab() -> Iterator[tuple[Lab, Path]]:
    """Bring a fresh one up once and take it down at the end; one that is kept is used again."""
    lab, keep = Lab("test"), bool(os.environ.get(KEEP))
    if not keep:
        cluster.down(lab)
    try:
        yield lab, cluster.up(lab)
    finally:
        if not keep:
            cluster.down(lab)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole(test_lab: tuple[Lab, Path]) -> Platform:
    """Connect to it."""
    lab, binaries = test_lab
    return Platform(lab, binaries, await connect(lab))


@pytest_asyncio.fixture(loop_scope="session")
async def platform(whole: Platform) -> AsyncIterator[Platform]:
    """Hand it over whole, and see afterwards that nothing was lost and never two servers took writes."""
    whole.settle()
    await whole.until_fit()
    with load(whole.lab, whole.binaries) as running:
        whole.load = running
        yield whole
        whole.settle()
        must_be_sound(running.stop())


def must_be_sound(seen: dict[str, Any]) -> None:
    """Fail when the checker or the row writer saw what must never be."""
    assert seen["two_writers"] == []
    assert seen["lost"] == 0
    assert seen["commits"] > 0
    assert min(seen["checks"].values()) > 0
