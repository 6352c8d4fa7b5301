"""Asks databases: suites of queries, the time of a backup by a query, the structure of indexes. Changes nothing.

Every query runs in a transaction that is read only, as a prepared statement: two statements in one text, of which the first
ends the transaction, are refused by the server.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from activities.clients.checks.commands import output_of, run_within
from activities.clients.checks.judged import by_age, by_rows, judged
from activities.clients.flexible_sql import resolved
from activities.clients.foreign import first_line
from activities.clients.kubernetes.addresses import Addresses, service_name
from activities.clients.secrets import read_secret
from activities.clients.sql import Row, session
from activities.run.checks import Checkable
from activities.run.errors import UnreachableError
from activities.run.models.checks import Looked
from estate.check_items import AmcheckItem, PostgresBackupItem, Server, SqlItem
from estate.drilled import DrillTarget
from estate.flexible import FlexibleTarget
from estate.postgres import PostgresTarget
from estate.regions import RegionTarget

_MOST_ROWS = 100
_VERIFYING = {"verify-ca", "verify-full"}
_INDEXES = """
select c.oid::bigint as oid, n.nspname || '.' || c.relname as name
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
join pg_am a on a.oid = c.relam
where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisready and i.indisvalid order by 1
"""
_EXTENSION = """
select quote_ident(n.nspname) as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'amcheck'
"""
_CORRUPT = ("XX001", "XX002")
_CORRUPTION_FOUND = 2
"""Exit code of ``pg_amcheck``."""


class Where(NamedTuple):
    """One database and how it is reached."""

    name: str
    """``HOST/DATABASE``."""
    reached: dict[str, Any]
    """psycopg's own arguments."""


class Databases:
    """Finds the databases that an item is about, and opens sessions there."""

    def __init__(self, addresses: Addresses) -> None:
        """Find write Services by ``addresses``."""
        self._addresses = addresses

    async def of(self, server: Server | None, target: Checkable) -> tuple[Where, ...]:
        """Return them: ``server``, or those that lead ``target``. UnreachableError: it has none, or nobody knows where."""
        if server is not None:
            return (_reached(server.host, server.database, server, host=server.host),)
        if isinstance(target, PostgresTarget):
            return (await self._cluster(target),)
        if isinstance(target, FlexibleTarget):
            return (await self._flexible(target),)
        if isinstance(target, RegionTarget):
            return tuple([await self._flexible(one) for one in target.databases])
        if isinstance(target, DrillTarget) and target.postgres:
            return tuple([await self._cluster(one) for one in target.postgres])
        raise UnreachableError(f"{target.name} has no database of its own: give the item a server")

    async def _cluster(self, target: PostgresTarget) -> Where:
        name = service_name(target.region, target.cluster.write_service)
        address = await self._addresses.of_write_service(target)
        found = {"host": name, "hostaddr": address if address != name else None}
        return _reached(name, target.cluster.database, target.cluster.login, **found)

    @staticmethod
    async def _flexible(target: FlexibleTarget) -> Where:
        where = await resolved(target, target.database.writer)
        login = target.database.login
        root = {"sslrootcert": login.sslrootcert} if login.sslmode in _VERIFYING else {}
        return _reached(where.name, target.database.database, login, host=where.name, hostaddr=where.addresses[0], **root)

    @asynccontextmanager
    async def session(self, where: Where, within: timedelta) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        """Connect. UnreachableError: nobody serves, or not in time."""
        try:
            async with session(within, **where.reached) as connection:
                yield connection
        except TimeoutError as error:
            raise UnreachableError(f"{where.name} did not answer within {within.total_seconds():g} s") from error
        except (psycopg.Error, OSError) as error:
            raise UnreachableError(f"{where.name}: {type(error).__name__}: {first_line(error)}") from error


def _reached(name: str, database: str, login: Any, **found: Any) -> Where:  # noqa: ANN401 - a login of any kind of server
    reached = {"port": login.port, "user": login.user, "password": read_secret(login.password), "sslmode": login.sslmode}
    return Where(f"{name}/{database}", {**reached, **found, "dbname": database})


async def _rows(connection: psycopg.AsyncConnection[Row], query: str, within: timedelta) -> list[tuple[Any, ...]]:
    milliseconds = int(within.total_seconds() * 1000)
    await connection.execute("begin transaction read only")
    try:
        await connection.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(milliseconds)))
        asked = connection.cursor(row_factory=tuple_row)  # two columns may have one name
        await asked.execute(query.encode(), prepare=True)
        return await asked.fetchmany(_MOST_ROWS) if asked.description else []
    finally:
        await connection.execute("rollback")


class SqlLook:
    """Suites of queries."""

    def __init__(self, databases: Databases) -> None:
        """Reach databases by ``databases``."""
        self._databases = databases

    async def look(self, item: SqlItem, target: Checkable) -> Looked:
        """Return what the queries have found that must not be. UnreachableError: one of them could not be asked."""
        found, places = list[str](), await self._databases.of(item.server, target)
        for where in places:
            for name, query in item.queries.items():
                async with self._databases.session(where, item.within) as connection:
                    found.append(by_rows(name, await _rows(connection, query, item.within)))
        wrong = [one for one in found if one]
        source = ", ".join(where.name for where in places)
        return judged(source, *(wrong or [f"{len(found)} queries found nothing wrong"]), met=not wrong)


class BackupLook:
    """The newest backup of a cluster, by a command of the worker or by a query."""

    def __init__(self, databases: Databases) -> None:
        """Reach databases by ``databases``."""
        self._databases = databases

    async def look(self, item: PostgresBackupItem, target: Checkable) -> Looked:
        """Return whether it is new enough. UnreachableError: nobody says when it was made."""
        if item.command:
            at, label = await output_of(item)
            return by_age(at, item.newest_within, f"backup {label}".strip(), item.command[0])
        where = (await self._databases.of(item.server, target))[0]
        async with self._databases.session(where, item.within) as connection:
            rows = await _rows(connection, item.query, item.within)
        if len(rows) != 1 or len(rows[0]) != 1 or not isinstance(rows[0][0], datetime | None):
            return judged(where.name, f"the query returns {len(rows)} rows, wanted one with one timestamp", met=None)
        return by_age(rows[0][0], item.newest_within, "backup, by the query,", where.name)


class AmcheckLook:
    """The structure of B-tree indexes; of tables too, where the worker has ``pg_amcheck``."""

    def __init__(self, databases: Databases) -> None:
        """Reach databases by ``databases``."""
        self._databases = databases

    async def look(self, item: AmcheckItem, target: Checkable) -> Looked:
        """Return what is corrupt. UnreachableError: it could not be checked."""
        places = await self._databases.of(item.server, target)
        program = shutil.which("pg_amcheck")
        found = [await (_by_program(program, where, item) if program else self._by_sql(where, item)) for where in places]
        wrong = [one for looked in found if not looked.met for one in looked.seen]
        source = ", ".join(looked.source for looked in found)
        return judged(source, *(wrong or [one for looked in found for one in looked.seen]), met=not wrong)

    async def _by_sql(self, where: Where, item: AmcheckItem) -> Looked:
        corrupt = list[str]()
        async with self._databases.session(where, item.within) as connection:
            place = await (await connection.execute(_EXTENSION)).fetchone()
            if place is None:
                raise UnreachableError(f"{where.name}: the extension amcheck is not installed, nor is pg_amcheck here")
            indexes = await (await connection.execute(_INDEXES)).fetchall()
            for index in indexes:
                try:
                    await connection.execute(f"select {place['schema']}.bt_index_check({index['oid']}::regclass)".encode())
                except psycopg.Error as error:
                    if error.sqlstate not in _CORRUPT:
                        raise
                    corrupt.append(f"{index['name']}: {first_line(error)}")
        return judged(f"{where.name} by amcheck", *(corrupt or [f"{len(indexes)} indexes are well"]), met=not corrupt)


async def _by_program(program: str, where: Where, item: AmcheckItem) -> Looked:
    known = {"host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE",
             "password": "PGPASSWORD", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip
    login = {known[name]: str(value) for name, value in where.reached.items() if value is not None}
    arguments = (program, "--no-password", "-d", where.reached["dbname"])
    name = f"{where.name}: pg_amcheck"
    ended = await run_within(item.within, name, arguments, env={**os.environ, **login}, together=True)
    told = ended.text.strip().splitlines()
    source = f"{where.name} by pg_amcheck"
    if ended.code == _CORRUPTION_FOUND:
        return judged(source, *told, met=False)
    if ended.code != 0:
        raise UnreachableError(f"{source}: {told[-1] if told else f'it ended with {ended.code}'}")
    return judged(source, "it found nothing corrupt", met=True)
