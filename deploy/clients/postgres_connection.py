"""How a client connects to PostgreSQL that may move, and how it leaves a connection whose server does not answer."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.clients.errors import AccessDeniedError

T = TypeVar("T")
Connection = psycopg.AsyncConnection[Any]

PATIENCE = {
    "connect_timeout": "2",
    "tcp_user_timeout": "3000",
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "target_session_attrs": "read-write",
}
"""For every client of libpq. A server is left after 2 s without an answer to the connection (libpq knows no less), after 3 s
without an acknowledgement of data that was sent (``tcp_user_timeout``, milliseconds), after 5 s of a vanished machine while
waiting for an answer (keepalives). None of them notices a server that is frozen: its kernel acknowledges on. That, and all
of it in less time, takes a deadline in the client."""

_FIRST_ATTEMPT_SECONDS, _LONGEST_ATTEMPT_SECONDS = 0.5, 3.0
_AGAIN_SECONDS = 0.03
_ENDING_SECONDS = 1.0
"""A function that waits for something else than the database is cancelled after that."""
_WAIT_FOR_STANDBY = "SyncRepWaitForLSN"
"""Where PostgreSQL warns that a COMMIT stopped waiting for its standby; the warning's own words are translated."""


@dataclass(eq=False)
class Session:
    """A connection, and whether its last COMMIT was warned about."""

    connection: Connection
    unreplicated: bool = field(default=False)

    def __post_init__(self) -> None:
        """Listen for warnings."""
        self.connection.add_notice_handler(self._hear)

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        self.unreplicated = self.unreplicated or notice.source_function == _WAIT_FOR_STANDBY

    def cut(self) -> None:
        """End the connection without a word to the server.

        A cancel request, which psycopg sends when a task is cancelled, ends a COMMIT's wait for its standby: the commit
        would stand on one server, visible to others.
        """
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.connection.pgconn.socket)) as end:
            end.shutdown(socket.SHUT_RDWR)

    async def limited(self, doing: Coroutine[Any, Any, T], seconds: float) -> T:
        """Return what ``doing`` returns; cut the connection when it takes longer, or when the caller is cancelled.

        Raises:
            TimeoutError: it took longer.
        """
        task = asyncio.create_task(doing)
        try:
            await asyncio.wait({task}, timeout=max(seconds, 0))
        except asyncio.CancelledError:
            await self._abandon(task)
            raise
        if not task.done():
            await self._abandon(task)
            raise TimeoutError(f"no answer within {seconds:.1f} s")
        return task.result()

    async def _abandon(self, task: asyncio.Task[T]) -> None:
        self.cut()
        await asyncio.wait({task}, timeout=_ENDING_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.connection.close()


def multi_host(conninfo: str) -> str:
    """Return ``conninfo``, one host or several, with everything that a client of a moving server needs."""
    return make_conninfo("", **{**PATIENCE, **conninfo_to_dict(conninfo)})


def each_host(conninfo: str) -> tuple[str, ...]:
    """Return one connection string per host of ``conninfo``."""
    given = conninfo_to_dict(multi_host(conninfo))
    hosts, ports = str(given.get("host", "")).split(","), str(given.get("port", "5432")).split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    return tuple(make_conninfo("", **{**given, "host": host, "port": port}) for host, port in zip(hosts, ports, strict=True))


async def connect(conninfo: str, seconds: float) -> Connection:
    """Connect to the host of ``conninfo`` that takes writes: to all at once, again and again, for so many seconds.

    Raises:
        TimeoutError: none does; the message says what the last one said.
        AccessDeniedError: the password is wrong.
    """
    hosts, why = each_host(conninfo), "not tried"
    until, attempt = asyncio.get_running_loop().time() + seconds, _FIRST_ATTEMPT_SECONDS
    while (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            async with asyncio.timeout(min(attempt, left)):
                return await _first_to_open(hosts)
        except TimeoutError:
            why, attempt = f"no answer within {attempt:.1f} s", min(2 * attempt, _LONGEST_ATTEMPT_SECONDS)
        except (psycopg.Error, OSError) as error:
            why = str(error).strip()
            if "password authentication failed" in why:
                raise AccessDeniedError(why) from error
        await asyncio.sleep(min(_AGAIN_SECONDS, max(left, 0)))
    raise TimeoutError(why)


async def _first_to_open(hosts: Iterable[str]) -> Connection:
    opening = {asyncio.create_task(psycopg.AsyncConnection.connect(host, autocommit=True)) for host in hosts}
    failures: list[BaseException] = []
    try:
        while opening:
            done, opening = await asyncio.wait(opening, return_when=asyncio.FIRST_COMPLETED)
            opened = [one.result() for one in done if one.exception() is None]
            for late in opened[1:]:
                await late.close()
            if opened:
                return opened[0]
            failures += [error for one in done if (error := one.exception())]
        raise failures[0]
    finally:
        await _close_all(opening)


async def _close_all(opening: Iterable[asyncio.Task[Connection]]) -> None:
    for one in opening:
        one.cancel()
    for opened in await asyncio.gather(*opening, return_exceptions=True):
        if not isinstance(opened, BaseException):
            await opened.close()
