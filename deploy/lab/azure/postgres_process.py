"""One PostgreSQL server on a loopback address: its directory, its process, its programs, run as the postgres user."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from deploy.lab.names import LabError
from deploy.lab.packages import postgres_bin
from gate.postgres.processes import kill_all, signal_all

_WITH_US = ("setpriv", "--pdeathsig=KILL")
"""A server that nobody is left to end ends at once."""
_AS_POSTGRES = ("--reuid=postgres", "--regid=postgres", "--init-groups")
_STOP_SECONDS, _START_SECONDS = 30.0, 30.0
_LOOK_AGAIN_SECONDS = 0.03


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int


@dataclass
class PostgresProcess:
    """``directory`` is the data directory; the superuser is postgres with ``password``."""

    name: str
    address: Address
    directory: Path
    password: str
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def conninfo(self, user: str, password: str, database: str) -> str:
        """Return how to connect."""
        where = f"host={self.address.host} port={self.address.port}"
        return f"{where} user={user} password={password} dbname={database} connect_timeout=3"

    @property
    def superuser(self) -> str:
        """How the superuser connects."""
        return self.conninfo("postgres", self.password, "postgres")

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def _log(self) -> Path:
        return self.directory.with_suffix(".log")

    async def run(self, program: str, *arguments: object) -> str:
        """Run one of PostgreSQL's programs to its end; return what it printed."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*_command(program, *arguments), stdout=pipe, stderr=pipe, cwd="/")
        try:
            said, error = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            raise LabError(f"{program} for {self.name} failed: {error.decode().strip()[-500:]}")
        return said.decode()

    async def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Run one query as superuser."""
        async with await psycopg.AsyncConnection.connect(self.superuser, autocommit=True) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []

    async def answers(self) -> bool:
        """Whether it runs and takes connections."""
        if self.is_alive:
            with suppress(psycopg.Error, OSError):
                return bool(await self.sql("select true"))
        return False

    async def until(self, query: str, seconds: float = _START_SECONDS) -> None:
        """Wait until a query's only value is true."""
        try:
            async with asyncio.timeout(seconds):
                while self.is_alive:
                    with suppress(psycopg.Error, OSError):
                        if (await self.sql(query))[0][0]:
                            return
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except TimeoutError:
            raise LabError(f"{self.name} does not come to `{query}` within {seconds:.0f} s; {self._last_words()}") from None
        raise LabError(f"{self.name} has ended before `{query}`; {self._last_words()}")

    def _last_words(self) -> str:
        """Return the end of its log: the folder may be gone when somebody reads the error."""
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        return f"the end of {self._log}:\n{text[-2000:]}"

    async def start(self) -> None:
        """Start it, and wait until it takes connections."""
        if not self.is_alive:
            self._spawn()
        await self.until("select true")

    def _spawn(self) -> None:
        options = (f"listen_addresses={self.address.host}", f"port={self.address.port}", f"cluster_name={self.name}")
        words = [word for option in options for word in ("-c", option)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                _command("postgres", "-D", self.directory, *words), stdout=log, stderr=log, cwd="/", start_new_session=True
            )

    async def stop(self) -> None:
        """Stop it cleanly and quickly; all that was written is sent to the standbys first."""
        if self._process is not None and self.is_alive:
            self._process.send_signal(signal.SIGINT)
            await asyncio.to_thread(self._process.wait, _STOP_SECONDS)

    def kill(self) -> None:
        """End it and its children as a lost machine ends."""
        if self._process is not None and self.is_alive:
            kill_all(self._process.pid)
            self._process.wait(_STOP_SECONDS)

    def freeze(self) -> None:
        """Hold it and its children where they are."""
        if self._process is not None and self.is_alive:
            signal_all(self._process.pid, signal.SIGSTOP)

    def clear(self) -> None:
        """Make the data directory an empty one of the postgres user."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")


def _command(program: str, *arguments: object) -> list[str]:
    found = postgres_bin()
    if found is None:
        raise LabError("no PostgreSQL is installed below /usr/lib/postgresql")
    return [*_WITH_US, *(_AS_POSTGRES if os.geteuid() == 0 else ()), str(found / program), *map(str, arguments)]
