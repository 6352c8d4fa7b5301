"""Real gates in front of real PostgreSQL servers on loopback addresses of their own, with a small API server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from aiohttp import web
from pydantic import BaseModel

from deploy.lab.patience import stretched
from gate.api import (
    MEMBER_HEADER,
    Command,
    FenceCommand,
    Fenced,
    GateStatus,
    Problem,
    ProblemKind,
    PromoteCommand,
    Promoted,
    RevertCommand,
    Role,
    SealCommand,
    Sealed,
    ServerState,
)
from gate.postgres.processes import children_of, is_stopped, kill_all
from gate.record import Intent, Mode, Record
from tests.forking import Forked
from tests.gate.apiserver import NAMESPACE, SERVICE, ApiServer
from tests.gate.forked import SHOWN, fork_gate, start_gate
from tests.leftovers import marks
from tests.leftovers.servers import end_all_in
from tests.ports import free_port

TOKEN = "gate-token"
PASSWORD = "secret"
DATABASE = "aiagent_prod"
_OWN_MEMORY = "dynamic_shared_memory_type = mmap\n"
"""In files of the data directory: a server that is killed leaves no shared memory that nobody can tell from another's."""
SERVICE_FILE = "service.json"
"""In a folder: the write Service of the cluster whose directories are there, too."""


class RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Cluster:
    """Members ``pg-0``, ``pg-1`` and so on, at 127.0.0.11, .12 and so on."""

    def __init__(self, folder: Path, members: int, environment: dict[str, str], *, forked: bool = True) -> None:
        self.folder, self.environment, self.forked = folder, environment, forked
        self.members = tuple(f"pg-{number}" for number in range(members))
        kept = folder / SERVICE_FILE
        self.api = ApiServer(json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else None)
        addresses = [self.address(member) for member in self.members]
        self.api_port, self.gate_port, self.postgres_port = (free_port("127.0.0.1", *addresses) for _ in range(3))
        self.gates: dict[str, subprocess.Popen[bytes] | Forked] = {}
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        folder.chmod(0o755)
        for name, text in (("token", TOKEN), ("password", PASSWORD), ("extra.conf", _OWN_MEMORY)):
            path = folder / name
            path.write_text(text, encoding="utf-8")
            path.chmod(0o644)

    def address(self, member: str) -> str:
        return f"127.0.0.{11 + self.members.index(member)}"

    def directory(self, member: str) -> Path:
        return self.folder / member

    def start(self, member: str) -> None:
        directory = self.directory(member)
        directory.mkdir(exist_ok=True)
        subprocess.run(["chown", "postgres:", str(directory)], check=True)
        settings = {
            "CLUSTER": "orders", "MEMBER": member, "MEMBERS": ",".join(self.members), "NAMESPACE": NAMESPACE,
            "SERVICE": SERVICE, "ADDRESS": "{member}.test", "LISTEN": self.address(member), "PORT": str(self.gate_port),
            "POSTGRES_PORT": str(self.postgres_port), "DIRECTORY": str(directory), "TOKEN_FILE": str(self.folder / "token"),
            "REPLICATION_PASSWORD_FILE": str(self.folder / "password"), "DATABASE": DATABASE,
            "OPERATOR_PASSWORD_FILE": str(self.folder / "password"),
            "APPLICATION_PASSWORD_FILE": str(self.folder / "password"),
            "API_SERVER": f"http://127.0.0.1:{self.api_port}", "POLL_SECONDS": "0.3",
            "EXTRA_CONFIG": str(self.folder / "extra.conf"), **self.environment,
        }  # fmt: skip
        hosts = self.folder / "hosts"
        lines = [f"{self.address(name)} {name}.test" for name in self.members]
        hosts.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]), encoding="utf-8")
        mounts = {"/etc/hosts": str(hosts), **self._volume(member)}
        environment = {**self._outside(), **{f"GATE_{name}": value for name, value in settings.items()}}
        begin = fork_gate if self.forked else start_gate
        self.gates[member] = begin(environment, mounts, self.folder / f"{member}.log")

    def volume(self, member: str) -> Path:
        """Give a member a volume of its own where every member sees ``folder/second``, from its next start on."""
        (self.folder / "second").mkdir(exist_ok=True)
        own = self.folder / f"{member}.second"
        own.mkdir(exist_ok=True)
        shutil.chown(own, "postgres", "postgres")
        return own

    def _volume(self, member: str) -> dict[str, str]:
        own = self.folder / f"{member}.second"
        return {str(self.folder / "second"): str(own)} if own.exists() else {}

    def _outside(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONPATH": SHOWN, **marks.environment()}

    def kill(self, member: str, number: signal.Signals = signal.SIGKILL) -> None:
        gate = self.gates[member]
        gate.send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._wait(member)

    async def isolated_soon(self, seconds: int) -> None:
        """Let ``pg-0`` lead with so short an isolation timeout."""
        self.environment["ISOLATION_TIMEOUT"] = str(seconds)
        self.kill("pg-0", signal.SIGTERM)
        self.start("pg-0")
        await self.until_role("pg-0", Role.PRIMARY)

    def die(self, member: str) -> None:
        """Kill a member's gate and server at once."""
        postmaster = self.postmaster(member)
        self.kill(member)
        kill_all(postmaster)

    def postmaster(self, member: str) -> int:
        return int((self.directory(member) / "pgdata/postmaster.pid").read_text(encoding="utf-8").split()[0])

    def server_of(self, member: str) -> int | None:
        try:
            return self.postmaster(member)
        except (FileNotFoundError, IndexError):
            return None

    def freeze(self, member: str, number: signal.Signals = signal.SIGSTOP, *, gate: bool = True) -> None:
        """Stop, or let go on, all processes of a member as the freezing of its container would: its first process first."""
        postmaster, first = self.postmaster(member), self.gates[member].pid
        around = [first, self.watchdog(member)] if gate else []
        for pid in [*around, postmaster, *children_of(postmaster)]:
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):  # one that goes on may end another before its turn comes
                    os.kill(pid, number)
        until = time.monotonic() + 5
        while number == signal.SIGSTOP and not is_stopped(postmaster) and time.monotonic() < until:
            time.sleep(0.001)  # on a busy machine it runs on until it is scheduled

    def watchdog(self, member: str) -> int | None:
        """Return the gate's child that is not the server."""
        return next((pid for pid in children_of(self.gates[member].pid) if pid != self.server_of(member)), None)

    def said(self, member: str, words: str) -> bool:
        return words in (self.folder / f"{member}.log").read_text(encoding="utf-8")

    def print_logs(self) -> None:
        """Print the end of each gate's log."""
        for log in sorted(self.folder.glob("*.log")):
            print(log.name, *log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:], sep="\n")

    def stop(self) -> None:
        for gate in self.gates.values():
            if gate.poll() is None:
                gate.send_signal(signal.SIGCONT)
                gate.terminate()
        try:
            for member in self.gates:
                self._wait(member)
        finally:
            for gate in self.gates.values():
                gate.send_signal(signal.SIGKILL)
            end_all_in(self.folder)

    def _wait(self, member: str) -> None:
        """Wait until a gate has ended; one that does not says what it did last."""
        try:
            self.gates[member].wait(60)
        except subprocess.TimeoutExpired:
            last = (self.folder / f"{member}.log").read_text(encoding="utf-8").splitlines()[-20:]
            raise AssertionError("\n".join([f"{member} did not end within 60 s:", *last])) from None

    async def call(self, member: str, what: str, body: BaseModel | None = None) -> str:
        url = f"http://{self.address(member)}:{self.gate_port}/v1/{what}"
        headers = {"Authorization": f"Bearer {TOKEN}", MEMBER_HEADER: "worker"}
        method, content = ("GET", None) if body is None else ("POST", body.model_dump(mode="json"))
        async with self.http.request(method, url, json=content, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RefusedError(Problem.model_validate_json(text))
            return text

    async def status(self, member: str) -> GateStatus | None:
        try:
            return GateStatus.model_validate_json(await self.call(member, "status"))
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def fence(self, member: str, epoch: int, *, clean: bool = True, **more: Any) -> Fenced:
        command = FenceCommand(epoch=epoch, run="test/1", clean=clean, **more)
        return Fenced.model_validate_json(await self.call(member, "fence", command))

    async def unfence(self, member: str, epoch: int) -> GateStatus:
        return GateStatus.model_validate_json(await self.call(member, "unfence", Command(epoch=epoch, run="test/1")))

    async def seal(self, member: str, epoch: int, **more: Any) -> Sealed:
        command = SealCommand(epoch=epoch, run="test/1", **more)
        return Sealed.model_validate_json(await self.call(member, "seal", command))

    async def promote(
        self, member: str, epoch: int, lsn: str | None = None, *, wanted: str | None = None, **more: Any
    ) -> Promoted:
        """Promote as a worker does: a server that is starting is asked again."""
        command = self.promotion(epoch, lsn, wanted_lsn=wanted, **more)
        async with asyncio.timeout(stretched(30)):
            while True:
                try:
                    return Promoted.model_validate_json(await self.call(member, "promote", command))
                except RefusedError as refused:
                    if refused.problem.kind is not ProblemKind.NOT_STANDBY or "is starting" not in str(refused):
                        raise
                await asyncio.sleep(0.1)

    async def prepare(self, member: str, epoch: int, lsn: str, **more: Any) -> GateStatus:
        command = self.promotion(epoch, lsn, replayed=True, **more)
        return GateStatus.model_validate_json(await self.call(member, "prepare", command))

    def promotion(self, epoch: int, lsn: str | None, **more: Any) -> PromoteCommand:
        system = self.record.system_identifier
        return PromoteCommand(epoch=epoch, run="test/1", at_least_lsn=lsn, system_identifier=system, **more)

    async def revert(self, member: str, epoch: int, given_up: GateStatus, **changes: object) -> Promoted:
        command = RevertCommand(
            epoch=epoch, run="test/1", system_identifier=self.record.system_identifier, timeline=given_up.timeline or 0,
            history=given_up.history,
        ).model_copy(update=changes)  # fmt: skip
        return Promoted.model_validate_json(await self.call(member, "revert", command))

    @property
    def record(self) -> Record:
        record = self.api.record
        assert record is not None
        return record

    def claim(self, candidate: str, mode: Mode = Mode.PLANNED) -> int:
        intent = Intent(candidate=candidate, mode=mode, run="test/1")
        return self.api.write(epoch=self.record.epoch + 1, intent=intent).epoch

    def route(self, leader: str) -> None:
        self.api.write(leader=leader, intent=None, sync="none")

    async def until(self, holds: Callable[[], object], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.02)

    async def until_true(self, holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(0.05)

    async def until_renewed(self, times: int) -> None:
        """Wait until the Lease has been renewed so often."""
        for _ in range(times):
            version = self.api.lease_version
            await self.until(lambda: self.api.lease_version != version)  # noqa: B023 - awaited at once

    async def until_synchronous(self, member: str, seconds: float = 25) -> None:
        """Return when commits wait for it and it receives WAL; the record alone may be of before a restart."""
        await self.until(lambda: self.api.record and member in self.api.record.sync_members, seconds)
        await self.until_true(lambda: self._is_sent_wal(member), seconds)

    async def _is_sent_wal(self, member: str) -> bool:
        leader = await self.status(self.record.leader)
        return leader is not None and any(row.member == member and row.state == "streaming" for row in leader.followers)

    async def until_role(self, member: str, role: Role | None, seconds: float = 30) -> GateStatus:
        async with asyncio.timeout(seconds):
            while True:
                status = await self.status(member)
                if status is not None and status.role is role and (not role or status.server is ServerState.RUNNING):
                    return status
                await asyncio.sleep(0.02)

    async def sql(self, member: str, query: str, *, user: str = "app", database: str = DATABASE) -> list[tuple[object, ...]]:
        connection = await psycopg.AsyncConnection.connect(
            host=self.address(member), port=self.postgres_port, user=user, password=PASSWORD, dbname=database,
            autocommit=True, connect_timeout=5,
        )  # fmt: skip
        async with connection:
            cursor = await connection.execute(query)
            return await cursor.fetchall() if cursor.description else []

    async def as_superuser(self, member: str, query: str) -> None:
        folder = str(self.directory(member) / "gate" / "run")
        connection = await psycopg.AsyncConnection.connect(
            host=folder, port=self.postgres_port, user="postgres", dbname="postgres", autocommit=True
        )
        async with connection:
            await connection.execute(query)


@asynccontextmanager
async def running_cluster(
    folder: Path, members: int = 2, *, forked: bool = True, **environment: str
) -> AsyncIterator[Cluster]:
    """Start a cluster and wait until a standby is synchronous: the first one, if there is no other.

    ``forked``: whether its gates share their imports (``tests.gate.forked``); else they start as in a container.
    """
    cluster = Cluster(folder, members, environment, forked=forked)
    runner = web.AppRunner(cluster.api.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", cluster.api_port).start()
    try:
        for member in cluster.members:
            cluster.start(member)
        if members > 1:
            await cluster.until(lambda: cluster.api.record and cluster.api.record.sync_members, stretched(25))
        yield cluster
    except TimeoutError:
        cluster.print_logs()
        raise
    finally:
        await asyncio.to_thread(cluster.stop)
        await cluster.http.close()
        await runner.cleanup()
