"""The reference client for PostgreSQL that may move: a pool on the write Service, or on all members' addresses.

One host (the write Service): the platform says where writes go. Several hosts: the client asks all of them at once and
takes the one that takes writes; for where there is no such Service. Work is a function that gets a connection inside a
transaction; it is run again, from its beginning, when the server went away before COMMIT was sent.

    async with PostgresClient(PostgresSettings("host=postgresql-primary user=app dbname=shop", password)) as database:
        await database.write(lambda connection: connection.execute("insert into orders (id) values (%s)", (7,)))
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.clients.errors import InDoubtError, UnavailableError
from deploy.clients.pace import Call
from deploy.clients.postgres_connection import Connection, Session, connect

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]

_NOT_HERE = ("25006", "57P01", "57P02", "57P03")
"""The server takes no writes, or goes down."""
_AGAIN = ("40001", "40P01")
"""Serialization failure, deadlock: the server has rolled it back and asks to try again."""
_PAUSE_SECONDS = 0.05
_ROLLBACK_SECONDS = 1.0
_IDLE = psycopg.pq.TransactionStatus.IDLE


@dataclass(frozen=True)
class PostgresSettings:
    """Where the database is, and how patient the client is."""

    conninfo: str
    """libpq's words: ``host=postgresql-primary user=app dbname=shop``; several hosts with commas."""
    password: str | None = field(default=None, repr=False)
    connections: int = 10
    attempt_seconds: float = 3.0
    """For one run of a transaction. Longer than your slowest one: who misses it loses its connection."""
    total_seconds: float = 8.0
    """For one call, with everything that is tried again."""


class PostgresClient:
    """Safe to share between tasks: up to ``connections`` transactions at once, the others wait for their turn."""

    def __init__(self, settings: PostgresSettings) -> None:
        """Take the settings. Connections are opened when they are needed and kept."""
        self._settings = settings
        secret = {"password": settings.password} if settings.password else {}
        self._conninfo = make_conninfo(settings.conninfo, **secret)
        self._opening, self._why = asyncio.Lock(), "not found yet"
        self._turns = asyncio.Semaphore(settings.connections)
        self._idle: list[Session] = []

    async def __aenter__(self) -> Self:
        """Wait for nothing."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what is idle."""
        await self._forget_idle()

    async def write(self, work: Work[T], *, within: float | None = None) -> T:
        """Run ``work`` in a transaction that is committed at most once, and return what it returns.

        Raises:
            UnavailableError: it was not committed.
            InDoubtError: it may have been committed, or was, but on one server only.
            AccessDeniedError: the password is wrong.
            psycopg.Error: the database refuses the work itself.
        """
        return await self._run(work, within, repeatable=False)

    async def repeat(self, work: Work[T], *, within: float | None = None) -> T:
        """Run ``work`` that may be committed more than once: reads, ``insert … on conflict do nothing``.

        Raises:
            UnavailableError: it was not committed.
            InDoubtError: the deadline passed after an attempt that may have been committed.
            AccessDeniedError: the password is wrong.
            psycopg.Error: the database refuses the work itself.
        """
        return await self._run(work, within, repeatable=True)

    async def _run(self, work: Work[T], within: float | None, *, repeatable: bool) -> T:
        call = Call(self._settings.total_seconds if within is None else within, _PAUSE_SECONDS)
        try:
            async with asyncio.timeout(call.left):
                await self._turns.acquire()
        except TimeoutError:
            raise UnavailableError(f"all connections are busy for {call.seconds:.1f} s") from None
        try:
            while call.has_time:
                try:
                    return await self._attempt(work, call)
                except InDoubtError as error:
                    if not repeatable:
                        raise
                    call.why, call.in_doubt = error, True
                except _NotNowError as error:
                    call.why = error
                await call.pause()
            raise call.failure() from call.why
        finally:
            self._turns.release()

    async def _attempt(self, work: Work[T], call: Call) -> T:
        session = await self._take(call)
        try:
            result = await session.limited(_begun(session, work, call), min(self._settings.attempt_seconds, call.left))
            await self._commit(session, call)
        except BaseException as error:
            await self._put_back(session)
            if session.connection.closed or _state(error) in _NOT_HERE:
                await self._forget_idle()
            if isinstance(error, psycopg.Error | TimeoutError) and _is_for_later(session, error):
                raise _NotNowError(f"{type(error).__name__}: {error}".strip()) from error
            raise
        await self._put_back(session)
        return result

    async def _take(self, call: Call) -> Session:
        """Return an idle connection, or open one; one call at a time looks for the server, the others wait for it."""
        if self._idle:
            return self._idle.pop()
        try:
            async with asyncio.timeout(call.left):
                await self._opening.acquire()
        except TimeoutError:
            raise _NotNowError(f"another call still looks for the server: {self._why}") from None
        try:
            return self._idle.pop() if self._idle else Session(await connect(self._conninfo, call.left))
        except TimeoutError as error:
            self._why = str(error)
            raise _NotNowError(self._why) from error
        finally:
            self._opening.release()

    async def _commit(self, session: Session, call: Call) -> None:
        """Commit, or raise what says whether it may have been."""
        if not call.has_time:
            raise _NotNowError("no time was left for COMMIT")
        seconds = min(self._settings.attempt_seconds, call.left)
        try:
            cursor = await session.limited(session.connection.execute("commit"), seconds)
        except (psycopg.Error, TimeoutError) as error:
            if not session.connection.closed and _state(error) not in _NOT_HERE:
                raise  # the server answered: it has rolled it back
            raise InDoubtError(f"the connection ended at COMMIT: {error}".strip()) from error
        if session.unreplicated:
            raise InDoubtError("committed on one server, which did not wait for its standby to the end")
        if cursor.statusmessage != "COMMIT":
            raise psycopg.errors.InFailedSqlTransaction("the work went on after an error; PostgreSQL has rolled it back")

    async def _put_back(self, session: Session) -> None:
        """Keep a connection that is fit for the next transaction; close any other."""
        if not session.connection.closed and session.connection.info.transaction_status is not _IDLE:
            with suppress(psycopg.Error, TimeoutError):
                await session.limited(session.connection.execute("rollback"), _ROLLBACK_SECONDS)
        if session.connection.closed or session.unreplicated:
            await session.connection.close()
        else:
            self._idle.append(session)

    async def _forget_idle(self) -> None:
        """Close what is idle: it leads where the connection led that has just failed."""
        idle, self._idle = self._idle, []
        for session in idle:
            await session.connection.close()


class _NotNowError(Exception):
    """It was not committed, and may be in another attempt."""


async def _begun(session: Session, work: Work[T], call: Call) -> T:
    await session.connection.execute("begin")
    if call.in_doubt:
        # Without this a repeated transaction that finds its row there writes nothing, and its COMMIT waits for no standby.
        await session.connection.execute("select pg_logical_emit_message(true, 'client', 'again')")
    return await work(session.connection)


def _is_for_later(session: Session, error: Exception) -> bool:
    """Whether ``error``, which came before COMMIT or as its refusal, speaks of the server and not of the work."""
    return session.connection.closed or _state(error) in {*_NOT_HERE, *_AGAIN}


def _state(error: BaseException) -> str | None:
    return error.sqlstate if isinstance(error, psycopg.Error) else None
