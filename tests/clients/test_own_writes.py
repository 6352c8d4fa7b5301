"""The operator's own SQL against real servers: its writes are counted, by timeline, and need no DDL once they were made."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from activities.clients.ports import UnreachableError
from activities.clients.postgres import PostgresClient
from estate.postgres import PostgresTarget
from tests.clients.operator import Loopback, provide, target_of
from tests.clients.postgres_pair import PASSWORD, PostgresPair

_SOON = timedelta(seconds=3)


@pytest.fixture
def client(pair: PostgresPair) -> PostgresClient:
    return PostgresClient(Loopback(pair))


@pytest.fixture
def target(pair: PostgresPair, monkeypatch: pytest.MonkeyPatch) -> PostgresTarget:
    monkeypatch.setenv("OPERATOR_PASSWORD", PASSWORD)
    return target_of(pair)


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
    await _provide(pair)
    await _measured(client, target, "now", 1)
    locked = await psycopg.AsyncConnection.connect(
        host=pair.address("pg-0"), port=pair.port, user="postgres", dbname="postgres"
    )
    async with locked:
        await locked.execute("lock table failover.writes in access exclusive mode")
        assert not (await client.facts(target, "pg-0")).in_recovery
        with pytest.raises(UnreachableError):
            await client.own_transactions(target, "pg-0", within=timedelta(seconds=0.5))
