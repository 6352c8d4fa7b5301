"""A PostgreSQL primary and its synchronous standby on loopback addresses; a forwarder stands for the write Service."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from deploy.clients.postgres_client import PostgresSettings
from gate.postgres.processes import kill_all, signal_all
from tests.leftovers.servers import end_all_in
from tests.ports import free_port
from tests.postgres_programs import command, run

PASSWORD = "loopback-password"
MEMBERS = ("pg-0", "pg-1")


class PostgresPair:
    """``pg-0`` at 127.0.2.21 starts as the primary, ``pg-1`` at .22 follows; the Service is at .20."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port("127.0.2.20", "127.0.2.21", "127.0.2.22")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._leader = "pg-0"
        self._service: asyncio.Server | None = None
        self._forwarding: set[asyncio.Task[Any]] = set()

    def address(self, member: str) -> str:
        return f"127.0.2.{21 + MEMBERS.index(member)}"

    def settings(self, hosts: str = "127.0.2.20") -> PostgresSettings:
        return PostgresSettings(f"host={hosts} port={self.port} user=app dbname=postgres", PASSWORD)

    @property
    def both(self) -> str:
        return ",".join(self.address(member) for member in MEMBERS)

    def start(self, member: str) -> None:
        options = [f"listen_addresses={self.address(member)}", f"port={self.port}", "unix_socket_directories="]
        options.append(f"cluster_name={member}")
        start = command("postgres", "-D", self.folder / member)
        with (self.folder / f"{member}.log").open("ab") as log:
            self.processes[member] = subprocess.Popen(
                [*start, *(word for option in options for word in ("-c", option))], stdout=log, stderr=log, cwd="/"
            )

    def standby_signal(self, member: str, primary: str) -> None:
        """Let ``member`` follow ``primary`` when it starts."""
        (self.folder / member / "standby.signal").touch()
        told = f"host={self.address(primary)} port={self.port} user=postgres application_name={member}"
        with (self.folder / member / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(f"primary_conninfo = '{told}'\n")

    async def sql(self, member: str, query: str) -> list[Any]:
        """Run one query as superuser."""
        connection = await psycopg.AsyncConnection.connect(
            host=self.address(member), port=self.port, user="postgres", dbname="postgres", autocommit=True, connect_timeout=3
        )
        async with connection:
            cursor = await connection.execute(query)
            return await cursor.fetchall() if cursor.description else []

    async def until(self, member: str, query: str, seconds: float = 20) -> None:
        """Wait until a query's only value is true."""
        async with asyncio.timeout(seconds):
            while True:
                with suppress(psycopg.Error, OSError):
                    if (await self.sql(member, query))[0][0]:
                        return
                await asyncio.sleep(0.01)

    def freeze(self, number: signal.Signals = signal.SIGSTOP) -> None:
        signal_all(self.processes["pg-0"].pid, number)

    def freeze_standby(self, number: signal.Signals = signal.SIGSTOP) -> None:
        signal_all(self.processes["pg-1"].pid, number)

    def kill_primary(self) -> None:
        kill_all(self.processes["pg-0"].pid)

    async def promote(self) -> None:
        """Promote the standby, asking again as PostgreSQL may oversleep the first time."""
        while (await self.sql("pg-1", "select pg_is_in_recovery()"))[0][0]:
            with suppress(psycopg.errors.ObjectNotInPrerequisiteState):  # it was promoted in between
                await self.sql("pg-1", "select pg_promote(false)")
            await asyncio.sleep(0.03)
        self._leader = "pg-1"

    async def stop_primary(self) -> None:
        """Stop it cleanly and quickly."""
        self.processes["pg-0"].send_signal(signal.SIGINT)
        await asyncio.to_thread(self.processes["pg-0"].wait, 20)

    def serve_by(self, member: str) -> None:
        """Let the Service lead to ``member`` from now on, whatever that is."""
        self._leader = member

    async def serve(self) -> None:
        """Forward connections to whoever leads; as a Service does, refuse them when nobody listens there."""
        self._service = await asyncio.start_server(self._accept, "127.0.2.20", self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._forwarding.add(task)
        try:
            there, away = await asyncio.open_connection(self.address(self._leader), self.port)
            await asyncio.wait(
                [asyncio.create_task(_copy(reader, away)), asyncio.create_task(_copy(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            away.close()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def stop(self) -> None:
        if self._service:
            self._service.close()
        for process in self.processes.values():
            if process.poll() is None:
                kill_all(process.pid)
                process.wait(10)
        await asyncio.to_thread(end_all_in, self.folder)
        for task in self._forwarding:
            task.cancel()
        await asyncio.gather(*self._forwarding, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def template(folder: Path) -> Path:
    """Make the data directories of a pair, once; return where they are."""
    _give(folder)
    pair = PostgresPair(folder)
    run("initdb", "-D", folder / "pg-0", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
    with (folder / "pg-0/postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("wal_retrieve_retry_interval = 100ms\nshared_buffers = 16MB\nfsync = off\nmax_wal_senders = 4\n")
        file.write("dynamic_shared_memory_type = mmap\n")  # in the folder, with which it goes when a server is killed
    access = "host all postgres all trust\nhost replication postgres all trust\nhost all app all scram-sha-256\n"
    (folder / "pg-0/pg_hba.conf").write_text(access, encoding="utf-8")
    try:
        pair.start("pg-0")
        await pair.until("pg-0", "select true")
        await pair.sql("pg-0", f"create role app login password '{PASSWORD}'")
        await pair.sql("pg-0", "create table numbers (writer text, number int, primary key (writer, number))")
        await pair.sql("pg-0", "grant all on numbers to app")
        await pair.sql("pg-0", "grant create on schema public to app")
        run(
            "pg_basebackup",
            "-h",
            pair.address("pg-0"),
            "-p",
            pair.port,
            "-U",
            "postgres",
            "-D",
            folder / "pg-1",
            "-c",
            "fast",
        )
        await pair.stop_primary()
    finally:
        await pair.stop()
    with (folder / "pg-0/postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("synchronous_standby_names = '\"pg-1\"'\n")
    return folder


@asynccontextmanager
async def running_pair(made: Path, folder: Path) -> AsyncIterator[PostgresPair]:
    """Start a copy of a pair that was made, and its Service."""
    pair = PostgresPair(folder)
    _give(folder, made)
    pair.standby_signal("pg-1", "pg-0")
    try:
        for member in MEMBERS:
            pair.start(member)
        await pair.until("pg-0", "select count(*) = 1 from pg_stat_replication where sync_state = 'sync'")
        await pair.serve()
        yield pair
    finally:
        await pair.stop()


def _give(folder: Path, made: Path | None = None) -> None:
    """Give a folder to the postgres user, with a copy of what was made."""
    folder.chmod(0o755)
    shutil.chown(folder, "postgres", "postgres")
    if made:
        subprocess.run(["cp", "-a", *(str(made / member) for member in MEMBERS), str(folder)], check=True)
