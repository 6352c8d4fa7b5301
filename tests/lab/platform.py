"""The running lab, and what tests do with it."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client

from deploy.lab import breaking
from deploy.lab.breaking import kill_processes
from deploy.lab.measuring import Load
from deploy.lab.names import Lab, LabError
from deploy.lab.patience import stretched
from deploy.lab.processes import wait_until
from deploy.lab.readiness import await_workload
from deploy.lab.switching import approve, ending, is_fit, start
from deploy.lab.workload import MEMBERS, kubectl
from starters.history.model import Facts


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
    left_whole: bool = True
    """False: the last test has left it so that it did not become whole by itself."""

    def look(self) -> None:
        """Remember who leads, who follows and where, for a fault that must strike at once."""
        self.old = self.leader
        self.candidate = next(member for member in MEMBERS if member != self.old)
        nodes = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in self._pods_of("postgresql", leaving=True)}
        self.nodes = {member: nodes[member] for member in MEMBERS}

    def seen(self) -> dict[str, Any]:
        """End the load and return what it saw."""
        assert self.load is not None
        return self.load.stop()

    def note(self, key: str) -> str:
        """Return one annotation of the leader record; empty when there is none."""
        path = f"jsonpath={{.metadata.annotations.failover/{key}}}"
        return self.answer("get", "service", "postgresql-primary", "-o", path)

    def answer(self, *arguments: str) -> str:
        """Return what kubectl says, asked again for a minute: silence is no answer.

        The API server's connection to the kubelet of a node that was cut off is found to be dead only when it is used.
        """
        said: list[str] = []

        def told() -> bool:
            with suppress(LabError):
                said.append(self.kubectl(*arguments))
            return bool(said)

        wait_until(f"an answer to {' '.join(arguments)}", told, 60)
        return said[0]

    @property
    def leader(self) -> str:
        return self.note("leader")

    @property
    def standby(self) -> str:
        return next(member for member in MEMBERS if member != self.leader)

    def kubectl(self, *arguments: str) -> str:
        return kubectl(self.lab, self.binaries, *arguments)

    def pods(self, app: str, *, leaving: bool = False) -> list[str]:
        """Return the application's pods, sorted; those that are ``leaving`` too only if asked for."""
        return sorted(pod["metadata"]["name"] for pod in self._pods_of(app, leaving=leaving))

    def _pods_of(self, *apps: str, leaving: bool = False) -> list[dict[str, Any]]:
        found = json.loads(self.answer("get", "pods", "-l", f"app in ({','.join(apps)})", "-o", "json"))["items"]
        return [pod for pod in found if leaving or "deletionTimestamp" not in pod["metadata"]]

    def settle(self, seconds: float = 90) -> None:
        """Wait until the platform is whole: all ready since the last boot, redundant, no intent."""
        await_workload(self.lab, self.binaries, seconds)
        wait_until("no intent", lambda: not self.note("intent"), seconds)

    async def until_fit(self, seconds: float = 90) -> None:
        """Wait until a plan is made and not refused: what the cluster says of itself can be a moment old."""
        async with asyncio.timeout(stretched(seconds)):
            while not await is_fit(self.client):
                await asyncio.sleep(0.5)

    async def fresh_pods(self, *, fit: bool = True) -> None:
        """Replace killed pods by new ones: the kubelet lets one that fails again wait longer and longer.

        ``fit``: and wait until a plan is made again.
        """
        for one in self._pods_of("failover-worker", "postgresql"):
            pod, status = one["metadata"]["name"], (one["status"].get("containerStatuses") or [{}])[0]
            if status.get("restartCount", 0) or "running" not in status.get("state", {}):
                self.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
                if pod in MEMBERS:  # controllers that have lost their API server look again only after a minute or so
                    wait_until(f"{pod} made anew", lambda pod=pod: pod in self.pods("postgresql"), 150)  # type: ignore[misc]
                    self.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=150s")
                if fit:
                    self.settle(150)
        if fit:
            self.settle()
            await self.until_fit()

    def node_of(self, pod: str) -> str:
        return self.kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")

    def freeze(self, pod: str) -> None:
        """Stop every process of the pod where it is; a second time those that were being made."""
        for _ in range(2):
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
        """Return what the pod's container said so far."""
        return self.answer("logs", pod)

    def until_said(self, pod: str, words: str, since: float, seconds: float = 60) -> float:
        """Return when the pod's gate first said ``words``, not before ``since``; all clocks here are one."""
        found: list[float] = []

        def said() -> bool:
            for line in self.log(pod).splitlines():
                if words in line and line.startswith("{"):
                    at = datetime.fromisoformat(json.loads(line)["at"]).timestamp()
                    found.extend([at] if at >= since else [])
            return bool(found)

        wait_until(f"{pod} says {words!r}", said, seconds)
        return found[0]

    def kept_aside(self, member: str) -> set[Path]:
        """Return the directories that the member's gate has put aside instead of deleting them."""
        return set((self.lab.disks / member / "gate" / "kept").glob("pgdata-*"))

    def break_it(self, what: str, name: str = "") -> str:
        return breaking.break_it(self.lab, self.binaries, what, name)
