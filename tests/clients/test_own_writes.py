"""The operator's own SQL against real servers: its writes are counted, by timeline, and need no DDL once they were made."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from activities.clients.ports import UnreachableError
from activities.clients.postgres import PostgresClient
from estate.postgres import PostgresTarget
from tests.clients.operator import provide
from tests.clients.postgres_pair import PostgresPair

_SOON = timedelta(seconds=3)


async def _measured(client: PostgresClient, target: PostgresTarget, run: str, rows: int) -> None:
    await client.prepare_rows(target)
    for row in range(rows):
        await client.write_row(target, run, row, timeout=_SOON)


async def _own(client: PostgresClient, target: PostgresTarget, member: str) -> int:
    return await client.own_transactions(target, member)


async def test_our_own_transactions_are_counted_for_the_timeline_they_were_made_on(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget
) -> None:
    await provide(pair)
    assert await _own(client, target, "pg-0") == 0
    await _measured(client, target, "failover-1", 5)
    assert await _own(client, target, "pg-0") == 5
    await pair.sql("pg-0", "alter system set synchronous_standby_names = ''")
    await pair.stop_primary()
    await pair.promote()
    await pair.sql("pg-1", "create table customers as select 1 as id")
    before = (await pair.sql("pg-1", "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))[0][0]
    assert await _own(client, target, "pg-1") == 0
    for row in (5, 6):
        await client.write_row(target, "failover-1", row, timeout=_SOON)
    await client.verify_write(target, "pg-1")
    assert await _own(client, target, "pg-1") == 4  # two rows, and the verification's insert and delete
    await client.remove_rows(target, "failover-1")
    after = (await pair.sql("pg-1", "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))[0][0]
    assert await _own(client, target, "pg-1") == after - before == 5
    assert await pair.sql("pg-1", "select count(*) from failover.writes") == [(0,)]


async def test_a_table_of_an_earlier_version_counts_from_now_on(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget
) -> None:
    await provide(pair)
    await pair.sql(
        "pg-0",
        "set role app; create table failover.writes"
        " (run text, row int, at timestamptz default clock_timestamp(), primary key (run, row));"
        " insert into failover.writes values ('an earlier run', 1)",
    )
    assert await _own(client, target, "pg-0") == 0
    await _measured(client, target, "now", 2)
    assert await _own(client, target, "pg-0") == 2


async def test_the_route_is_verified_where_nothing_may_be_made_or_dropped_any_more(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget
) -> None:
    await provide(pair)
    await client.prepare_rows(target)
    await pair.sql(
        "pg-0",
        "create function no_ddl() returns event_trigger language plpgsql as $$ begin"
        " if session_user = 'app' then raise exception 'DDL is frozen: ask the release team'; end if; end $$;"
        " create event trigger no_ddl on ddl_command_start execute function no_ddl()",
    )
    assert (await client.verify_write(target, "pg-0")).leader == "pg-0"
    with pytest.raises(UnreachableError, match="not yet pg-1"):
        await client.verify_write(target, "pg-1")


async def test_a_table_of_ours_that_somebody_has_locked_makes_nobody_silent(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget
) -> None:
    await provide(pair)
    await _measured(client, target, "now", 1)
    locked = await psycopg.AsyncConnection.connect(
        host=pair.address("pg-0"), port=pair.port, user="postgres", dbname="postgres"
    )
    async with locked:
        await locked.execute("lock table failover.writes in access exclusive mode")
        assert not (await client.facts(target, "pg-0")).in_recovery
        with pytest.raises(UnreachableError):
            await client.own_transactions(target, "pg-0", within=timedelta(seconds=0.5))


_REFUSALS = {
    "a right that is missing": "revoke insert on failover.writes from app",
    "a trigger": (
        "create function no() returns trigger language plpgsql as $$ begin raise exception 'ask the release team'; end $$;"
        " create trigger no before insert on failover.writes for each row execute function no()"
    ),
    "a constraint": "alter table failover.writes add constraint no check (row < 0) not valid",
    "an extension's own code": (
        "create function no() returns trigger language plpgsql as $$ begin raise sqlstate 'ZZ999'; end $$;"
        " create trigger no before insert on failover.writes for each row execute function no()"
    ),
}


@pytest.mark.parametrize("statement", _REFUSALS.values(), ids=_REFUSALS)
async def test_a_refusal_by_the_leader_itself_is_an_answer(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget, statement: str
) -> None:
    await provide(pair)
    await client.prepare_rows(target)
    await pair.sql("pg-0", statement)
    verified = await client.verify_write(target, "pg-0")
    assert (verified.leader, "SQLSTATE" in verified.refused) == ("pg-0", True)
    assert await client.try_write(target) == verified.refused
    with pytest.raises(UnreachableError, match="not yet pg-1"):
        await client.verify_write(target, "pg-1")


@pytest.mark.parametrize("tables", ["made", "missing"])
async def test_doctors_try_leaves_nothing_behind(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget, tables: str
) -> None:
    await provide(pair)
    if tables == "made":
        await client.prepare_rows(target)
    assert await client.try_write(target) == ""
    there = await pair.sql("pg-0", "select to_regclass('failover.writes') is not null")
    assert there == [(tables == "made",)]
    assert tables == "missing" or await pair.sql("pg-0", "select count(*) from failover.writes") == [(0,)]


async def test_a_leader_that_takes_no_writes_at_the_moment_is_asked_again(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget
) -> None:
    await provide(pair)
    await client.prepare_rows(target)
    pair.serve_by("pg-1")
    with pytest.raises(UnreachableError, match="pg-1 is still in recovery"):
        await client.verify_write(target, "pg-1")
    with pytest.raises(UnreachableError, match="recovery"):
        await client.try_write(target)
