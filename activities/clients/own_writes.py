"""The writes that ``failover`` itself makes in a customer's database, and how many they were.

Rows that measure an outage and the one that verifies a route go to ``failover.writes``. When they are removed, their number
is added to ``failover.own_transactions``, one row a timeline: a lossy rollback gives a timeline up, and says what others
wrote on it. The tables are made once and never dropped: a database in which tables may not be made or dropped any more (an
event trigger, an extension) still takes the writes.

A transaction that was not counted, because its row was never removed or its insert failed, counts as somebody else's: the
loss that people are told is then too large, never too small.

A drill writes a row with a fresh UUID to ``failover.failover_tests``, which keeps them: who looks later finds each drill
in the data. These rows are not counted.
"""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

Connection = psycopg.AsyncConnection[dict[str, Any]]

_STATE: LiteralString = """
select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline,
       to_regclass('failover.own_transactions') is not null
       and exists (select from pg_attribute where attrelid = to_regclass('failover.writes') and attname = 'timeline') as made
"""
_MAKE: tuple[LiteralString, ...] = (
    """create table if not exists failover.writes
    (run text, row int, at timestamptz default clock_timestamp(), primary key (run, row))""",
    "alter table failover.writes add column if not exists timeline int",
    """alter table failover.writes alter column timeline
    set default ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int""",
    "create table if not exists failover.own_transactions (timeline int primary key, transactions bigint not null)",
)
_MAKE_TESTS: LiteralString = """create table if not exists failover.failover_tests
    (id uuid primary key, test_time timestamptz not null default clock_timestamp(), run text not null)"""
_ADD_TEST: LiteralString = "insert into failover.failover_tests (id, run) values (%s, %s) on conflict (id) do nothing"
_REMOVE: LiteralString = """
with gone as (delete from failover.writes where run = %(run)s returning timeline),
     own as (select timeline from gone union all select %(timeline)s),
     counted as (select timeline, count(*) as transactions from own where timeline is not null group by timeline)
insert into failover.own_transactions as tally select * from counted
on conflict (timeline) do update set transactions = tally.transactions + excluded.transactions
"""
_COUNT: LiteralString = """
select (select coalesce(sum(transactions), 0) from failover.own_transactions where timeline = %(timeline)s)
     + (select count(*) from failover.writes where timeline = %(timeline)s) as own
"""


async def make_tables(connection: Connection) -> None:
    """Make what is missing, on the primary. Safe to repeat; asks first, since DDL may be forbidden to us by now."""
    if not (await _state(connection))["made"]:
        for statement in _MAKE:
            await connection.execute(statement)


async def add_row(connection: Connection, run: str, row: int) -> None:
    """Insert row number ``row`` of ``run``."""
    await connection.execute("insert into failover.writes (run, row) values (%s, %s)", (run, row))


async def missing(connection: Connection, run: str, rows: tuple[int, ...]) -> int:
    """Return how many of ``rows`` of ``run`` are not there."""
    found = await (
        await connection.execute(
            "select count(*) as missing from unnest(%s::int[]) as wanted (row) where not exists"
            " (select from failover.writes where run = %s and writes.row = wanted.row)",
            (list(rows), run),
        )
    ).fetchone()
    return int(found["missing"]) if found else len(rows)


async def remove(connection: Connection, run: str) -> None:
    """Remove the rows of ``run`` and count their transactions, and this one. Safe to repeat."""
    timeline = (await _state(connection))["timeline"]
    await connection.execute(_REMOVE, {"run": run, "timeline": timeline})


async def add_test(connection: Connection, row: str, run: str) -> None:
    """Insert the row with the UUID ``row`` into ``failover_tests``, where it stays. Safe to repeat."""
    found = await (await connection.execute("select to_regclass('failover.failover_tests') as made")).fetchone()
    if not (found and found["made"]):
        await connection.execute(_MAKE_TESTS)
    await connection.execute(_ADD_TEST, (row, run))


async def has_test(connection: Connection, row: str) -> bool:
    """Return whether this server, primary or standby, has that row."""
    found = await (await connection.execute("select to_regclass('failover.failover_tests') as made")).fetchone()
    if not (found and found["made"]):
        return False
    asked = await connection.execute("select from failover.failover_tests where id = %s", (row,))
    return await asked.fetchone() is not None


async def own_transactions(connection: Connection) -> int:
    """Return how many transactions of ours this primary's timeline holds, at least. 0 before the tables were made."""
    state = await _state(connection)
    if not state["made"]:
        return 0
    found = await (await connection.execute(_COUNT, state)).fetchone()
    return int(found["own"]) if found else 0


async def _state(connection: Connection) -> dict[str, Any]:
    found = await (await connection.execute(_STATE)).fetchone()
    return found or {"timeline": None, "made": False}
