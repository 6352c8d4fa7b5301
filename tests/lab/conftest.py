"""A lab of the tests' own, beside whichever else runs. Every test runs under load and under the two-writer checker."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from deploy.lab import breaking, cluster
from deploy.lab.breaking import kill_processes
from deploy.lab.measuring import Load, load
from deploy.lab.names import Lab, LabError
from deploy.lab.processes import wait_until
from deploy.lab.switching import approve, connect, ending, is_fit, start
from deploy.lab.workload import MEMBERS, annotation, kubectl
from starters.report.facts import Facts

WORKLOADS = (
    "statefulset/postgresql-primary", "statefulset/postgresql-standby", "deployment/failover-worker",
    "deployment/api-deployment",
)  # fmt: skip
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
        for workload in WORKLOADS:
            self.kubectl("rollout", "status", workload, f"--timeout={seconds:.0f}s")
        wait_until("redundant", lambda: self.note("sync") not in {"", "none"} and not self.note("intent"), seconds)

    async def until_fit(self, seconds: float = 90) -> None:
        """Wait until a plan is made and not refused: what the cluster says of itself can be a moment old."""
        async with asyncio.timeout(seconds):
            while not await is_fit(self.client):
                await asyncio.sleep(0.5)

    async def fresh_pods(self) -> None:
        """Replace killed pods by new ones: the kubelet lets one that fails again wait longer and longer."""
        for pod in [*self.pods("failover-worker"), *self.pods("postgresql")]:
            restarts = self.kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}")
            running = self.kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].state.running}")
            if restarts not in {"", "0"} or not running:
                self.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
                if pod in MEMBERS:  # controllers that have lost their API server look again only after a minute or so
                    wait_until(f"{pod} made anew", lambda pod=pod: pod in self.pods("postgresql"), 150)  # type: ignore[misc]
                    self.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=150s")
                self.settle(150)
        self.settle()
        await self.until_fit()

    def node_of(self, pod: str) -> str:
        return self.kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")

    def freeze(self, pod: str) -> None:
        assert kill_processes(self.lab, self.binaries, pod, signal.SIGSTOP) > 0

    def freeze_server(self, pod: str) -> None:
        """Stop the server's processes where they are, and not its gate's; new ones may appear while they are stopped."""
        script = 'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = postgres ] && kill -STOP ${p#/proc/}; done; true'
        for _ in range(2):
            self.kubectl("exec", pod, "--", "sh", "-c", script)

    def thaw(self, pod: str) -> None:
        kill_processes(self.lab, self.binaries, pod, signal.SIGCONT)

    async def force(self) -> Facts:
        """Fail over by force, approved at once by somebody who says that the old primary is to be stopped."""
        handle = await start(self.client, mode="forced", attest=True, reason="forced by a test")
        await approve(handle, attest=True)
        return await ending(handle)

    def sql(self, member: str, statement: str, *, database: str = "aiagent_prod") -> str:
        """Run a statement as superuser on a member's private socket."""
        socket = "/var/lib/postgresql/data/gate/run"
        psql = ("psql", "-X", "-A", "-t", "-h", socket, "-U", "postgres", "-d", database, "-c", statement)
        return self.kubectl("exec", member, "--", *psql)

    def log(self, pod: str) -> str:
        """Return what the pod's container said so far; LabError: the API server cannot ask its kubelet for a minute.

        Its connection to the kubelet of a node that was cut off is found to be dead only when it is used.
        """
        said: list[str] = []

        def told() -> bool:
            with suppress(LabError):
                said.append(self.kubectl("logs", pod))
            return bool(said)

        wait_until(f"the log of {pod}", told, 60)
        return said[0]

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
