"""Flexible Servers by SQL, each question on a new connection, and their names by DNS, never remembered.

Where an application's writes go is decided by a DNS record that a failover moves. So the name is asked for each time, and
the connection goes to the address that was just told; the name stays what the certificate is checked against.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import LiteralString, NamedTuple

import dns.asyncresolver
import dns.exception
import psycopg

from activities.clients import own_writes
from activities.clients.flexible_ports import Written
from activities.clients.foreign import Message, first_line, says
from activities.clients.ports import UnreachableError
from activities.clients.postgres import is_verdict, listens, silence_of, words_of, write_and_remove
from activities.clients.secrets import read_secret
from activities.clients.sql import Row, acknowledged, session
from activities.region.models import EndpointFact, FlexibleSqlFact
from activities.run.models.diagnosis import Silence
from estate.flexible import FlexibleTarget, host_of

_ANSWER_WITHIN = timedelta(seconds=5)
"""Between regions."""
_NAME_WITHIN_SECONDS = 3.0
_FACTS: LiteralString = """
select pg_is_in_recovery() as in_recovery,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver)
            else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline,
       case when pg_is_in_recovery() then '' else pg_current_wal_lsn()::text end as written_lsn,
       coalesce(pg_last_wal_receive_lsn()::text, '') as received_lsn,
       coalesce(pg_last_wal_replay_lsn()::text, '') as replayed_lsn,
       case when pg_is_in_recovery() then coalesce(
            pg_last_xact_replay_timestamp(), (select checkpoint_time from pg_control_checkpoint())) end as replayed_at,
       coalesce((select latest_end_lsn::text from pg_stat_wal_receiver), '') as told_lsn,
       (select latest_end_time from pg_stat_wal_receiver) as told_at,
       (select extract(epoch from clock_timestamp() - last_msg_receipt_time)::float8 from pg_stat_wal_receiver)
       as heard_seconds_ago,
       case when pg_is_in_recovery() then null
            else (select max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::bigint from pg_stat_replication)
       end as behind_bytes,
       case when pg_is_in_recovery() then null
            else (select max(extract(epoch from replay_lag))::float8 from pg_stat_replication)
       end as behind_seconds,
       exists (select from pg_namespace where nspname = 'failover' and has_schema_privilege(oid, 'create')) as takes_rows
"""
_STATE: LiteralString = """
select case when not pg_is_in_recovery()
            then ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline,
       pg_last_xact_replay_timestamp() as complete_until,
       exists (select from pg_namespace where nspname = 'failover' and has_schema_privilege(oid, 'create')) as takes_rows
"""
_VERIFYING = {"verify-ca", "verify-full"}


class _Where(NamedTuple):
    """A name and where it leads just now."""

    name: str
    addresses: tuple[str, ...]
    ttl: int


class FlexibleSqlClient:
    """Both servers and the endpoint between them."""

    async def facts(self, target: FlexibleTarget, server: str) -> FlexibleSqlFact:
        """Return what ``server`` says of itself, asked by its own name."""
        where = await resolved(target, host_of(server))
        silence = await listens(where.addresses[0], target.database.login.port, _ANSWER_WITHIN / 2)
        if silence is not Silence.NO_ANSWER:
            raise UnreachableError(f"{where.name} takes no connection ({silence.value})", silence)
        async with self._reach(target, where, _ANSWER_WITHIN) as connection:
            row = await (await connection.execute(_FACTS)).fetchone()
        return FlexibleSqlFact.model_validate({**(row or {}), "name": server})

    async def endpoint(self, target: FlexibleTarget) -> EndpointFact:
        """Return where the writer name leads just now."""
        names = [target.database.writer, *(host_of(server) for server in target.database.servers)]
        found = await asyncio.gather(*(resolved(target, name) for name in names), return_exceptions=True)
        writer = found[0]
        if isinstance(writer, BaseException):
            return EndpointFact(error=str(writer))
        own = dict(zip(target.database.servers, found[1:], strict=True))
        leads = [name for name, at in own.items() if isinstance(at, _Where) and set(at.addresses) & set(writer.addresses)]
        return EndpointFact(leads_to="".join(leads[:1]), addresses=writer.addresses, ttl_seconds=writer.ttl)

    async def serves(self, target: FlexibleTarget) -> str:
        """Return why a session by the writer name is not served: its certificate, a rule of access, nobody there."""
        try:
            async with self._writer(target, _ANSWER_WITHIN) as connection:
                await connection.execute("select 1")
        except UnreachableError as error:
            return str(error)
        return ""

    async def verify_write(self, target: FlexibleTarget, leader: str) -> Written:
        """Insert, read and delete a row through the endpoint. UnreachableError: not at ``leader``, or not yet."""
        began, own = time.monotonic(), await resolved(target, host_of(leader))
        where = await resolved(target, target.database.writer)
        if not set(where.addresses) & set(own.addresses):
            raise UnreachableError(f"{where.name} leads to {', '.join(where.addresses)}, not yet to {leader}")
        refused = ""
        async with self._reach(target, where, _ANSWER_WITHIN) as connection:
            row = await (await connection.execute(_STATE)).fetchone()
            if row is None or row["timeline"] is None:
                raise UnreachableError(f"{leader} is still in recovery")
            try:
                if row["takes_rows"]:
                    await write_and_remove(connection, f"verify/{secrets.token_hex(4)}", leader)
                else:  # a transaction of its own number is written to WAL, too
                    await connection.execute("select pg_current_xact_id()")
            except psycopg.Error as error:
                if not is_verdict(error):
                    raise
                refused = words_of(error)
        return Written((time.monotonic() - began) * 1000, row["timeline"], refused, row["complete_until"])

    async def prepare_rows(self, target: FlexibleTarget) -> None:
        """Make the tables that ``write_row`` writes to, once."""
        async with self._writer(target, _ANSWER_WITHIN) as connection:
            await own_writes.make_tables(connection)

    async def write_row(self, target: FlexibleTarget, run: str, row: int, *, within: timedelta) -> None:
        """Insert row number ``row`` of ``run`` through the endpoint: new connection, insert, commit, close.

        Raises:
            WriteFailedError: not acknowledged, with its SQLSTATE or the exception's name.

        """
        where = await resolved(target, target.database.writer)
        with acknowledged(within):
            async with self._connect(target, where, within) as connection:
                await own_writes.add_row(connection, run, row)

    async def missing_rows(self, target: FlexibleTarget, run: str, rows: tuple[int, ...]) -> int:
        """Return how many of ``rows`` of ``run`` the server behind the endpoint does not have."""
        async with self._writer(target, timedelta(seconds=10)) as connection:
            return await own_writes.missing(connection, run, rows)

    async def remove_rows(self, target: FlexibleTarget, run: str) -> None:
        """Remove the rows of ``run`` and count them as our own transactions. Safe to repeat."""
        async with self._writer(target, timedelta(seconds=10)) as connection:
            await own_writes.remove(connection, run)

    @asynccontextmanager
    async def _writer(self, target: FlexibleTarget, within: timedelta) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        async with self._reach(target, await resolved(target, target.database.writer), within) as connection:
            yield connection

    @asynccontextmanager
    async def _reach(
        self, target: FlexibleTarget, where: _Where, within: timedelta
    ) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        """Connect, and turn every failure to be served into UnreachableError."""
        try:
            async with self._connect(target, where, within) as connection:
                yield connection
        except TimeoutError as error:
            why = f"{where.name} did not answer SQL within {within.total_seconds():g} s"
            raise UnreachableError(why, Silence.NO_ANSWER) from error
        except (psycopg.Error, OSError) as error:
            words = f"{where.name}: {type(error).__name__}: {first_line(error)}"
            told = isinstance(error, psycopg.Error) and (error.sqlstate is not None or says(error, Message.POSTGRES_FATAL))
            raise UnreachableError(words, silence_of(error) if told else Silence.NO_CONNECTION) from error

    @asynccontextmanager
    async def _connect(
        self, target: FlexibleTarget, where: _Where, within: timedelta
    ) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        login = target.database.login
        async with session(
            within,
            host=where.name,
            hostaddr=where.addresses[0],
            port=login.port,
            user=login.user,
            password=read_secret(login.password),
            dbname=target.database.database,
            sslmode=login.sslmode,
            **({"sslrootcert": login.sslrootcert} if login.sslmode in _VERIFYING else {}),
        ) as connection:
            yield connection


async def resolved(target: FlexibleTarget, name: str) -> _Where:
    """Return where ``name`` leads just now. UnreachableError: it is not known, or no DNS server answers."""
    where = target.database
    resolver = dns.asyncresolver.Resolver(configure=where.nameserver is None)
    if where.nameserver is not None:
        resolver.nameservers, resolver.port = [where.nameserver], where.nameserver_port
    try:
        answer = await resolver.resolve(f"{name}.", "A", lifetime=_NAME_WITHIN_SECONDS)
    except dns.exception.DNSException as error:
        asked = where.nameserver or "the worker's own resolver"
        raise UnreachableError(f"{name}: DNS ({asked}) says {type(error).__name__}", Silence.NO_CONNECTION) from error
    lives = [rrset.ttl for rrset in answer.response.answer]
    return _Where(name, tuple(str(one) for one in answer), min(lives, default=0))
