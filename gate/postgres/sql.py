"""SQL to the server behind this gate, over its private socket, as superuser."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg.rows import dict_row

from gate.postgres.configuration import socket_folder
from gate.postgres.session import AS_SUPERUSER, open_session
from gate.settings import Settings

NOT_ANSWERING = (psycopg.Error, TimeoutError, OSError)
Row = dict[str, Any]


class Session:
    """One warm connection; made anew when it broke."""

    def __init__(self, settings: Settings, database: str = "postgres") -> None:
        self._settings, self._database = settings, database
        self._connection: psycopg.AsyncConnection[Row] | None = None

    async def row(self, query: str, *values: object, within: float = 2.0) -> Row:
        """Return the first row of ``query``; empty when there is none.

        Raises:
            psycopg.Error, TimeoutError: the server does not answer; the next call connects again.
        """
        rows = await self.rows(query, *values, within=within)
        return rows[0] if rows else {}

    async def rows(self, query: str, *values: object, within: float = 2.0) -> list[Row]:
        """Return all rows of ``query``. Raises as ``row``."""
        warm = self._connection is not None
        try:
            async with asyncio.timeout(within):
                return await self._ask(query, values)
        except psycopg.OperationalError:
            await self.close()
            if not warm:
                raise
        except NOT_ANSWERING:
            await self.close()
            raise
        # The connection was one to a server that has been restarted since.
        async with asyncio.timeout(within):
            return await self._ask(query, values)

    async def _ask(self, query: str, values: tuple[object, ...]) -> list[Row]:
        connection = await self._connected()
        cursor = await connection.execute(query, values or None)
        return await cursor.fetchall() if cursor.description else []

    async def _connected(self) -> psycopg.AsyncConnection[Row]:
        if self._connection is None or self._connection.closed:
            self._connection = await open_session(
                AS_SUPERUSER,
                host=str(socket_folder(self._settings)),
                port=self._settings.postgres_port,
                user="postgres",
                dbname=self._database,
                application_name="gate",
                row_factory=dict_row,
            )
        return self._connection

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.closed:
            connection.pgconn.finish()


async def checkpoint(settings: Settings) -> None:
    """CHECKPOINT, which may take minutes, on a connection of its own. Raises as ``Session.row``."""
    session = Session(settings)
    try:
        await session.row("checkpoint", within=300)
    finally:
        await session.close()


async def next_xid(session: Session) -> int:
    """Return the running server's next transaction ID, in recovery as far as it has replayed."""
    return int((await session.row("select pg_snapshot_xmax(pg_current_snapshot())::text as xid"))["xid"])
