"""Load on PostgreSQL through its write Service: a new client every 20 ms, with a connection for its one row.

The longest gap is the outage, acknowledged rows that are missing at the end are the loss. Nobody waits for the one before: a
client that began while the address led nowhere goes on for a second, and the next one's way may be open long before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

import psycopg

from deploy.lab.load_data import LoadSettings, Seen

_ROW_EVERY = 0.02
_READY_WITHIN, _LOOKED_WITHIN, _LOOK_SECONDS = 60.0, 90.0, 20.0
_AGAIN_SECONDS = 0.5
_NOT_NOW = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction, OSError, TimeoutError)


async def connect(settings: LoadSettings, address: str, **options: Any) -> psycopg.AsyncConnection[Any]:  # noqa: ANN401
    """Connect to a server as the application does; ``options`` are libpq's."""
    return await psycopg.AsyncConnection.connect(
        host=address, user="app", password=settings.password, dbname="aiagent_prod", autocommit=True, connect_timeout=2,
        **options,
    )  # fmt: skip


async def takes_writes(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the server says that it takes writes."""
    row = await (await connection.execute("show transaction_read_only")).fetchone()
    return row == ("off",)


async def prepare(settings: LoadSettings) -> None:
    """Make the tables; wait for a Service that leads nowhere, as after the API server was away, or to a standby.

    To a standby: a source port that a client before this one has used in vain is still bound to the server of that time,
    for two minutes (``nf_conntrack_tcp_timeout_syn_sent``).
    """
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        try:
            async with await connect(settings, settings.write_address) as connection:
                await connection.execute("create table if not exists lab_rows (run text, row int, primary key (run, row))")
                await connection.execute("create table if not exists lab_checks (member text)")
        except _NOT_NOW:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


async def rows(settings: LoadSettings, seen: Seen) -> None:
    """Write rows for ever, through the Service."""
    await _write(seen, seen.acknowledged, settings.run, lambda: connect(settings, settings.write_address))


async def rows_by_members(settings: LoadSettings, seen: Seen) -> None:
    """Write rows for ever, to whichever member takes them: libpq's several hosts."""

    def to_any() -> Awaitable[psycopg.AsyncConnection[Any]]:
        return connect(settings, ",".join(settings.members.values()), target_session_attrs="read-write")

    await _write(seen, seen.by_members, _by_members(settings), to_any)


def _by_members(settings: LoadSettings) -> str:
    return f"{settings.run}/members"


async def _write(
    seen: Seen,
    acknowledged: list[tuple[int, float]],
    run: str,
    to: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
) -> None:
    async with asyncio.TaskGroup() as clients:
        for number in count():
            clients.create_task(_row(seen, acknowledged, (run, number), to))
            await asyncio.sleep(_ROW_EVERY)


async def _row(
    seen: Seen,
    acknowledged: list[tuple[int, float]],
    row: tuple[str, int],
    to: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
) -> None:
    try:
        async with asyncio.timeout(1), await to() as connection:
            await connection.execute("insert into lab_rows values (%s, %s)", row)
        acknowledged.append((row[1], time.time()))
    except (psycopg.Error, OSError, TimeoutError) as error:
        name = type(error).__name__
        seen.row_errors[name] = seen.row_errors.get(name, 0) + 1


async def lost(settings: LoadSettings, seen: Seen) -> int | None:
    """Return how many acknowledged rows the leader does not have; ``None`` when none could be asked in time."""
    numbers = {number for number, _ in seen.acknowledged}
    deadline = time.monotonic() + _LOOKED_WITHIN
    while time.monotonic() < deadline:
        with suppress(psycopg.Error, OSError, TimeoutError):
            return len(numbers - await _there(settings))
        await asyncio.sleep(_AGAIN_SECONDS)
    return None


async def _there(settings: LoadSettings) -> set[int]:
    """Return the rows of this run, as a server has them that takes writes; then remove them."""
    async with await connect(settings, settings.write_address) as connection:
        async with asyncio.timeout(_LOOK_SECONDS):
            if not await takes_writes(connection):
                raise psycopg.errors.ReadOnlySqlTransaction
            found = await connection.execute("select row from lab_rows where run = %s", (settings.run,))
            there = {row[0] for row in await found.fetchall()}
        with suppress(psycopg.Error, OSError, TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await connection.execute("delete from lab_rows where run in (%s, %s)", (settings.run, _by_members(settings)))
                await connection.execute("truncate lab_checks")
        return there
