"""Real PostgreSQL servers behind the emulated ones: a primary and one asynchronous streaming replica.

A server that follows another first gives up what the other does not have: ``pg_rewind`` where it can, a new base backup
where it cannot. One that is dead when it is told to follow does so in ``heal``, before it accepts a connection, so that an
old primary never takes a write after a forced switchover. ``fsync`` is off: a killed process loses nothing, a lost machine
would.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.lab.azure.postgres_process import Address, PostgresProcess
from deploy.lab.names import LabError

_CATCH_UP_SECONDS = 60.0
_CONFIG = """
wal_log_hints = on
wal_keep_size = 256MB
min_wal_size = 64MB
max_wal_senders = 10
shared_buffers = 16MB
fsync = off
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
wal_retrieve_retry_interval = 100ms
password_encryption = scram-sha-256
"""
_STREAMING = "select count(*) = {} from pg_stat_replication where state = 'streaming'"
_ACCESS = "host all all 127.0.0.0/8 scram-sha-256\nhost replication replicator 127.0.0.0/8 scram-sha-256\n"


@dataclass(frozen=True)
class Application:
    """The application's user and database."""

    user: str
    password: str
    database: str


class PostgresServers:
    """``addresses``: server → address, the primary first. What is below ``folder`` belongs to the servers."""

    def __init__(self, folder: Path, addresses: Mapping[str, Address], application: Application, password: str) -> None:
        self.folder, self.application, self._password = folder, application, password
        self._servers = {
            name: PostgresProcess(name, address, folder / name, password) for name, address in addresses.items()
        }
        self._leaders: dict[str, str] = {}
        """Whom a dead server follows as soon as it is started."""
        self._dead: set[str] = set()
        self._changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Azure's own operation and a region that returns may turn one server into a replica at the same moment."""

    def conninfo(self, server: str) -> str:
        """Return how the application connects to a server."""
        told = self.application
        return self._servers[server].conninfo(told.user, told.password, told.database)

    def address(self, server: str) -> Address:
        """Return where it listens."""
        return self._servers[server].address

    async def sql(self, server: str, query: str) -> list[tuple[object, ...]]:
        """Run a query as superuser, in the database postgres."""
        return await self._servers[server].sql(query)

    async def start_all(self) -> None:
        """Make and start the primary, then its replicas, and wait until they stream."""
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        primary, *replicas = self._servers.values()
        await self._initialise(primary)
        await primary.start()
        await self._provision(primary)
        for replica in replicas:
            await self._copy(replica, primary)
            await replica.start()
        await primary.until(_STREAMING.format(len(replicas)))

    async def _initialise(self, server: PostgresProcess) -> None:
        server.clear()
        secret = self.folder / "superuser"
        secret.write_text(self._password, encoding="utf-8")
        secret.chmod(0o644)
        await server.run(
            "initdb", "-D", server.directory, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync",
            "-E", "UTF8", "--locale=C",
        )  # fmt: skip
        secret.unlink()
        with (server.directory / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_CONFIG)
        (server.directory / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")

    async def _provision(self, server: PostgresProcess) -> None:
        """Make the replication's and the application's users and the database."""
        told = self.application
        for statement in (
            f"create role replicator login replication password '{self._password}'",
            f"create role {told.user} login password '{told.password}'",
            f"create database {told.database} owner {told.user}",
        ):
            await server.sql(statement)

    async def _copy(self, server: PostgresProcess, leader: PostgresProcess) -> None:
        server.clear()
        source = leader.conninfo("replicator", self._password, "postgres")
        await server.run(
            "pg_basebackup", "-d", source, "-D", server.directory, "-c", "fast", "-X", "stream", "-R", "--no-sync"
        )

    async def is_up(self, server: str) -> bool:
        """Whether it takes connections."""
        return await self._servers[server].answers()

    async def promote(self, server: str) -> None:
        """Promote a replica; one that is promoted already stays as it is."""
        one = self._servers[server]
        if (await one.sql("select pg_is_in_recovery()"))[0][0]:
            await one.sql("select pg_promote(true, 30)")
            await one.until("select not pg_is_in_recovery()")

    async def stop(self, server: str) -> None:
        """Stop cleanly; the server sends its last writes to its replicas first."""
        await self._servers[server].stop()

    async def start(self, server: str) -> None:
        """Start what was stopped; what was killed stays dead."""
        if server not in self._dead:
            await self.heal(server)

    async def catch_up(self, server: str, leader: str) -> None:
        """Wait until ``server`` has replayed what ``leader`` has written, or the checkpoint of its clean stop."""
        source = self._servers[leader]
        if source.is_alive:
            target, reached = (await source.sql("select pg_current_wal_lsn()"))[0][0], ">="
        else:
            control = await source.run("pg_controldata", source.directory)
            said = dict(line.split(":", 1) for line in control.splitlines() if ":" in line)
            if said["Database cluster state"].strip() != "shut down":
                raise LabError(f"{leader} was not stopped cleanly")
            target, reached = said["Latest checkpoint location"].strip(), ">"
        replay = f"select pg_last_wal_replay_lsn() {reached} '{target}'::pg_lsn"
        await self._servers[server].until(replay, _CATCH_UP_SECONDS)

    async def follow(self, server: str, leader: str) -> None:
        """Make ``server`` follow: now, or in ``heal`` if it was killed."""
        self._leaders[server] = leader
        async with self._changing[server]:
            await asyncio.to_thread(self._servers[server].kill)  # also one that is frozen
            if server not in self._dead:
                await self._heal(server)

    async def restart(self, server: str) -> None:
        """Stop and start it."""
        await self._servers[server].stop()
        await self._servers[server].start()

    def kill(self, server: str) -> None:
        """End a server as a lost region ends it: no word to anybody."""
        self._dead.add(server)
        self._servers[server].kill()

    def freeze(self, server: str) -> None:
        """Hold a server where it is: connections hang, nothing answers. ``kill`` ends it; following ends it, too."""
        self._servers[server].freeze()

    def awaited_leader(self, server: str) -> str:
        """Return whom a server follows as soon as it is healed; empty if it comes back as what it was."""
        return self._leaders.get(server, "")

    async def heal(self, server: str) -> None:
        """Start a server again: as what it was, or as the replica of the one that it was told to follow meanwhile."""
        async with self._changing[server]:
            await self._heal(server)

    async def _heal(self, server: str) -> None:
        self._dead.discard(server)
        one, leader = self._servers[server], self._leaders.get(server)
        if leader is None:
            await one.start()
            return
        await self._rejoin(one, self._servers[leader])
        try:
            await one.start()
        except LabError:  # it was rewound, and cannot replay up to where it would be consistent
            await asyncio.to_thread(one.kill)
            await self._copy(one, self._servers[leader])
            await one.start()
        del self._leaders[server]

    async def _rejoin(self, server: PostgresProcess, leader: PostgresProcess) -> None:
        """Turn a stopped server into a replica of ``leader``."""
        await leader.sql("checkpoint")  # pg_rewind reads the leader's timeline from its last one
        try:
            await server.run("pg_rewind", "-D", server.directory, f"--source-server={leader.superuser}", "--no-sync")
        except LabError:
            await self._copy(server, leader)
            return
        source = leader.conninfo("replicator", self._password, "postgres")
        with (server.directory / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(f"primary_conninfo = '{source}'\n")
        (server.directory / "standby.signal").touch()

    async def stop_all(self) -> None:
        """End all servers where they are and remove what they kept."""
        for server in self._servers.values():
            with suppress(OSError):
                await asyncio.to_thread(server.kill)
            shutil.rmtree(server.directory, ignore_errors=True)
