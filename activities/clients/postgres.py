"""SQL with the operator's own role, which is no superuser.

Members are asked by their own addresses; writes go through the write Service, as an application's would. A commit that
PostgreSQL acknowledges with the warning that waiting for the standby was cancelled does not count as acknowledged.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import LiteralString, NamedTuple

import psycopg

from activities.clients import own_writes
from activities.clients.foreign import Message, first_line, is_refused, says
from activities.clients.kubernetes.addresses import Addresses, member_name, service_name
from activities.clients.ports import UnreachableError, WriteFailedError
from activities.clients.secrets import read_secret
from activities.clients.sql import Row, acknowledged, session
from activities.postgres.models.post_promotion import Verified
from activities.postgres.models.survey import SessionFact, SqlFact
from activities.run.models.diagnosis import Silence
from estate.postgres import PostgresTarget

_ANSWER_WITHIN = timedelta(seconds=3)
_FACTS: LiteralString = """
select pg_is_in_recovery() as in_recovery,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver)
            else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline,
       (select coalesce(jsonb_object_agg(application_name, sync_state), '{}') from pg_stat_replication) as sync_states
"""
_SESSIONS: LiteralString = """
select coalesce(host(client_addr), '') as address, coalesce(usename, '') as user,
       case when backend_xid is not null then 0.0
            when query ~* '^\\s*(insert|update|delete|merge|copy|create|with)\\M'
            then extract(epoch from clock_timestamp() - coalesce(state_change, query_start))::float8
       end as wrote_seconds_ago
from pg_stat_activity where backend_type = 'client backend' and usename not in (current_user, 'postgres')
"""
_OF_THE_MOMENT = frozenset(("08", "25", "40", "53", "55", "57", "58", "72", "XX"))
"""Classes of SQLSTATE: connection, transaction state (a read-only server), rollback, resources, object state, intervention,
operating system, snapshot, internal. Asked again, the same server may do it."""


class _Host(NamedTuple):
    """A server's name, for certificates and sentences, and where it is: the name again where nobody knows more."""

    name: str
    address: str


class PostgresClient:
    """Opens a new connection for every question: what is asked is never an old server behind an old session."""

    def __init__(self, addresses: Addresses) -> None:
        """Find servers by ``addresses``."""
        self._addresses = addresses

    async def facts(self, target: PostgresTarget, member: str, *, within: timedelta = _ANSWER_WITHIN) -> SqlFact:
        """Return what ``member`` says of itself, asked by its own address."""
        host = await self._member(target, member)
        if (silence := await listens(host.address, target.cluster.login.port, within / 2)) is not Silence.NO_ANSWER:
            self._addresses.forget_pod(target.region, member)
            raise UnreachableError(f"{host.name} takes no connection ({silence.value})", silence)
        async with self._reach(target, host, within) as connection:
            return SqlFact.model_validate(await (await connection.execute(_FACTS)).fetchone())

    async def own_transactions(self, target: PostgresTarget, member: str, *, within: timedelta = _ANSWER_WITHIN) -> int:
        """Return how many transactions of ours the timeline of ``member``, a primary, holds, at least."""
        async with self._reach(target, await self._member(target, member), within) as connection:
            return await own_writes.own_transactions(connection)

    async def sessions(self, target: PostgresTarget, member: str) -> tuple[SessionFact, ...]:
        """Return the clients' sessions on ``member`` but for the operator's own, asked by its own address."""
        async with self._reach(target, await self._member(target, member), _ANSWER_WITHIN) as connection:
            rows = await (await connection.execute(_SESSIONS)).fetchall()
            return tuple(SessionFact.model_validate(row) for row in rows)

    async def verify_write(self, target: PostgresTarget, leader: str) -> Verified:
        """Insert, read and delete a row through the write Service, on a new connection.

        Raises:
            UnreachableError: nobody answered the write, or somebody other than ``leader`` did.

        """
        began, run, refused = time.monotonic(), f"verify/{secrets.token_hex(4)}", ""
        async with self._reach(target, await self._service(target), _ANSWER_WITHIN) as connection:
            await _must_lead(connection, leader)
            try:
                await write_and_remove(connection, run, leader)
            except psycopg.Error as error:
                if not is_verdict(error):
                    raise
                refused = words_of(error)
        milliseconds = (time.monotonic() - began) * 1000
        return Verified(
            leader=leader, endpoints=(), write_milliseconds=milliseconds, verified_at=datetime.now(UTC), refused=refused
        )

    async def try_write(self, target: PostgresTarget) -> str:
        """Make the write of ``verify_write`` in a transaction that is rolled back; return the server's words if it refuses.

        Raises:
            UnreachableError: nobody answers, or with a refusal of the moment.

        """
        async with self._reach(target, await self._service(target), _ANSWER_WITHIN) as connection:
            try:
                async with connection.transaction(force_rollback=True):
                    await write_and_remove(connection, f"try/{secrets.token_hex(4)}", target.name)
            except psycopg.Error as error:
                if not is_verdict(error):
                    raise
                return words_of(error)
        return ""

    async def prepare_rows(self, target: PostgresTarget) -> None:
        """Make the tables that ``write_row`` writes to, once."""
        async with self._reach(target, await self._service(target), _ANSWER_WITHIN) as connection:
            await own_writes.make_tables(connection)

    async def write_row(self, target: PostgresTarget, run: str, row: int, *, timeout: timedelta) -> None:
        """Insert row number ``row`` of ``run`` through the write Service: new connection, insert, commit, close.

        Raises:
            WriteFailedError: not acknowledged, with its SQLSTATE or the exception's name.

        """
        warnings: list[str] = []
        with acknowledged(timeout):
            async with self._connect(target, await self._service(target), timeout) as connection:
                connection.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
                await own_writes.add_row(connection, run, row)
        if any(says(warning, Message.POSTGRES_NOT_WAITED_FOR) for warning in warnings):
            raise WriteFailedError("not-replicated", "the wait for the standby was cancelled")

    async def missing_rows(self, target: PostgresTarget, run: str, rows: tuple[int, ...]) -> int:
        """Return how many of ``rows`` of ``run`` the server behind the write Service does not have."""
        async with self._reach(target, await self._service(target), timedelta(seconds=10)) as connection:
            return await own_writes.missing(connection, run, rows)

    async def remove_rows(self, target: PostgresTarget, run: str) -> None:
        """Remove the rows of ``run`` and count them as our own transactions. Safe to repeat."""
        async with self._reach(target, await self._service(target), timedelta(seconds=10)) as connection:
            await own_writes.remove(connection, run)

    async def add_test(self, target: PostgresTarget, row: str, run: str) -> None:
        """Insert a drill's row through the write Service; acknowledged once this returns. Safe to repeat.

        Raises:
            UnreachableError: nobody has acknowledged it; it may be there.

        """
        warnings: list[str] = []
        async with self._reach(target, await self._service(target), _ANSWER_WITHIN) as connection:
            connection.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
            await own_writes.add_test(connection, row, run)
        if any(says(warning, Message.POSTGRES_NOT_WAITED_FOR) for warning in warnings):
            raise UnreachableError("the wait for the standby was cancelled", Silence.UNKNOWN)

    async def has_test(self, target: PostgresTarget, member: str, row: str) -> bool:
        """Return whether ``member``, asked by its own address, has a drill's row."""
        async with self._reach(target, await self._member(target, member), _ANSWER_WITHIN) as connection:
            return await own_writes.has_test(connection, row)

    async def _member(self, target: PostgresTarget, member: str) -> _Host:
        return _Host(member_name(target, member), await self._addresses.of_member(target, member))

    async def _service(self, target: PostgresTarget) -> _Host:
        return _Host(
            service_name(target.region, target.cluster.write_service), await self._addresses.of_write_service(target)
        )

    @asynccontextmanager
    async def _reach(
        self, target: PostgresTarget, host: _Host, within: timedelta
    ) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        """Connect, and turn every failure to be served into UnreachableError."""
        try:
            async with self._connect(target, host, within) as connection:
                yield connection
        except TimeoutError as error:
            why = f"{host.name} did not answer SQL within {within.total_seconds():g} s"
            raise UnreachableError(why, Silence.NO_ANSWER) from error
        except (psycopg.Error, OSError) as error:
            raise UnreachableError(f"{host.name}: {_short(error)}: {first_line(error)}", silence_of(error)) from error

    @asynccontextmanager
    async def _connect(
        self, target: PostgresTarget, host: _Host, within: timedelta
    ) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        login = target.cluster.login
        async with session(
            within,
            host=host.name,
            hostaddr=host.address if host.address != host.name else None,
            port=login.port,
            user=login.user,
            password=read_secret(login.password),
            dbname=target.cluster.database,
            sslmode=login.sslmode,
        ) as connection:
            yield connection


async def _must_lead(connection: psycopg.AsyncConnection[Row], leader: str) -> None:
    asked = "select current_setting('cluster_name') as name, pg_is_in_recovery() as in_recovery"
    row = await (await connection.execute(asked)).fetchone()
    if row is None or row["name"] != leader:
        raise UnreachableError(f"behind the write Service answers {row and row['name']}, not yet {leader}")
    if row["in_recovery"]:
        raise UnreachableError(f"{leader} is still in recovery")


async def write_and_remove(connection: psycopg.AsyncConnection[Row], run: str, leader: str) -> None:
    """Insert a row, read it, and remove it. UnreachableError: ``leader`` took it and did not return it."""
    await own_writes.make_tables(connection)
    await own_writes.add_row(connection, run, 0)
    lost = await own_writes.missing(connection, run, (0,))
    await own_writes.remove(connection, run)
    if lost:
        raise UnreachableError(f"{leader} took a write and did not return it")


def is_verdict(error: psycopg.Error) -> bool:
    """Whether a server has refused a statement for good: neither silence, nor its state or its load at this moment."""
    return error.sqlstate is not None and error.sqlstate[:2] not in _OF_THE_MOMENT


def words_of(error: psycopg.Error) -> str:
    """Return what a server says, with its code."""
    return f"{error.diag.message_primary or str(error).strip()} (SQLSTATE {error.sqlstate})"


async def listens(host: str, port: int, within: timedelta) -> Silence:
    """Return ``NO_ANSWER`` when somebody takes connections there, which is no answer yet; else how nobody does."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except ConnectionRefusedError:
        return Silence.REFUSED
    except (OSError, TimeoutError):
        return Silence.NO_CONNECTION
    return Silence.NO_ANSWER


def silence_of(error: Exception) -> Silence:
    """Return how a server that could not be reached was silent."""
    if is_refused(error) or says(error, Message.LIBPQ_REFUSED):
        return Silence.REFUSED
    if says(error, Message.POSTGRES_NO_ROOM):
        return Silence.NO_ROOM
    turned_away = says(error, Message.POSTGRES_FATAL) or isinstance(error, psycopg.errors.Error)
    return Silence.TURNED_AWAY if turned_away else Silence.NO_CONNECTION


def _short(error: BaseException) -> str:
    return type(error).__name__
