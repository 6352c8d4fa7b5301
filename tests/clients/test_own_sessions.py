"""The operator's sessions inherit nothing from cluster, database or role, and a refusal is told from silence."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

import psycopg
import pytest

from activities.clients.ports import UnreachableError, WriteFailedError
from activities.clients.postgres import PostgresClient
from activities.run.models.diagnosis import Silence
from estate.postgres import PostgresTarget
from tests.clients.operator import provide
from tests.clients.postgres_pair import PASSWORD, PostgresPair

_SOON = timedelta(seconds=20)


async def _set(pair: PostgresPair, member: str, where: str, **values: str) -> None:
    """Set ``values`` for everybody who comes; in one session, since the next one may not be able to."""
    statements = [f"{where} {name} = '{value}'" for name, value in values.items()]
    if where == "alter system set":
        statements.append("select pg_reload_conf()")
    connection = await psycopg.AsyncConnection.connect(
        host=pair.address(member), port=pair.port, user="postgres", dbname="postgres", autocommit=True
    )
    async with connection:
        for statement in statements:
            await connection.execute("set statement_timeout = 0; set default_transaction_read_only = off")
            await connection.execute(statement)


async def _until_refused(pair: PostgresPair, member: str) -> None:
    """Wait until an application's session is stopped by what was set."""
    async with asyncio.timeout(60):
        while True:
            try:
                await pair.sql(member, "create temp table mine as select pg_sleep(0.1)")
            except psycopg.Error:
                return


@pytest.mark.parametrize("name", ["default_transaction_isolation", "statement_timeout"])
async def test_a_standby_answers_whatever_is_set_for_its_readers(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget, name: str
) -> None:
    await provide(pair)
    await _set(pair, "pg-1", "alter system set", **{name: "serializable" if "isolation" in name else "1ms"})
    async with asyncio.timeout(60):
        while True:
            try:
                await pair.sql("pg-1", "select pg_sleep(0.1)")
            except psycopg.Error:
                break
    assert (await client.facts(target, "pg-1", within=_SOON)).in_recovery


@pytest.mark.parametrize("where", ["alter system set", "alter role app set", "alter database postgres set"])
async def test_the_route_is_verified_and_measured_whatever_is_set_for_applications(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget, where: str
) -> None:
    await provide(pair)
    await _set(pair, "pg-0", where, default_transaction_read_only="on", statement_timeout="1ms", search_path="nowhere")
    if where == "alter system set":
        await _until_refused(pair, "pg-0")
    await client.prepare_rows(target)
    await client.write_row(target, "one", 1, timeout=_SOON)
    assert await client.missing_rows(target, "one", (1, 2)) == 1
    await client.remove_rows(target, "one")
    assert (await client.verify_write(target, "pg-0")).leader == "pg-0"


async def test_a_write_that_did_not_wait_for_its_standby_is_found_out_although_warnings_are_off(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget
) -> None:
    await provide(pair)
    await client.prepare_rows(target)
    await _set(pair, "pg-0", "alter role app set", client_min_messages="error", synchronous_commit="local")
    pair.freeze_standby()
    writing = asyncio.create_task(client.write_row(target, "one", 1, timeout=_SOON))
    waits = "select count(*) = 1 from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'failover'"
    await pair.until("pg-0", waits)
    await pair.sql("pg-0", "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
    with pytest.raises(WriteFailedError, match="the wait for the standby was cancelled"):
        await writing


@pytest.mark.parametrize("limited", ["all connections", "the role", "the database"])
async def test_a_server_without_a_free_connection_slot_answers(
    pair: PostgresPair, client: PostgresClient, target: PostgresTarget, limited: str
) -> None:
    await provide(pair)
    if limited == "the role":
        await pair.sql("pg-0", "alter role app connection limit 1")
    if limited == "the database":
        await pair.sql("pg-0", "alter database postgres connection limit 1")
    held: list[psycopg.AsyncConnection[object]] = []
    async with AsyncExitStack() as readers:
        with suppress(psycopg.OperationalError):
            while True:
                held.append(await readers.enter_async_context(await _connected(pair, "pg-1")))
        with pytest.raises(UnreachableError) as full:
            await client.facts(target, "pg-1", within=_SOON)
        assert held
    assert (full.value.silence, full.value.silence.is_answer) == (Silence.NO_ROOM, True)


async def _connected(pair: PostgresPair, member: str) -> psycopg.AsyncConnection[object]:
    return await psycopg.AsyncConnection.connect(
        host=pair.address(member), port=pair.port, user="app", password=PASSWORD, dbname="postgres"
    )
