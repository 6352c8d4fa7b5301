"""The reference client for PostgreSQL against real servers that are moved, killed, frozen, and left by their standby."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from deploy.clients.errors import AccessDeniedError, InDoubtError, UnavailableError
from deploy.clients.postgres_client import PostgresClient, Work
from deploy.clients.postgres_connection import Connection, each_host, multi_host
from tests.clients.postgres_pair import PostgresPair
from tests.clients.writers import Put, Written, writing


@asynccontextmanager
async def client_of(pair: PostgresPair, hosts: str = "127.0.2.20", **changes: float | str) -> AsyncIterator[PostgresClient]:
    settings = dataclasses.replace(pair.settings(hosts), **changes)  # type: ignore[arg-type]
    async with PostgresClient(settings) as client:
        yield client


def adding(writer: str, number: int) -> Work[object]:
    query = "insert into numbers values (%s, %s) on conflict do nothing"
    return lambda connection: connection.execute(query, (writer, number))


def puts(client: PostgresClient, writer: str) -> Put:
    return lambda number: client.write(adding(writer, number))


async def numbers(pair: PostgresPair, member: str, writer: str) -> set[int]:
    return {row[0] for row in await pair.sql(member, f"select number from numbers where writer = '{writer}'")}


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_both_ways_to_connect_follow_and_lose_nothing(pair: PostgresPair, how: str) -> None:
    async with (
        client_of(pair) as service,
        client_of(pair, pair.both) as members,
        writing(puts(service, "service")) as one,
        writing(puts(members, "members")) as other,
    ):
        await asyncio.sleep(0.3)
        if how == "stopped":
            await pair.stop_primary()
        else:
            pair.kill_primary()
        await pair.promote()
        moved = time.monotonic()
        await asyncio.gather(_goes_on(one, moved), _goes_on(other, moved))
    print(f"{how}: by the Service {one.outage:.3f} s, by the members {other.outage:.3f} s")
    for writer, written in (("service", one), ("members", other)):
        there = await numbers(pair, "pg-1", writer)
        assert set(written.acknowledged) <= there
        assert set(written.errors) <= {"InDoubtError"}
        assert there <= set(written.acknowledged) | written.in_doubt, "it said that a write was not executed which was"


async def test_a_frozen_primary_is_left_within_the_deadline(pair: PostgresPair) -> None:
    async with client_of(pair, attempt_seconds=0.5) as client, writing(puts(client, "service")) as written:
        await asyncio.sleep(0.2)
        pair.freeze()
        await asyncio.sleep(0.3)
        await pair.promote()
        moved = time.monotonic()
        await _goes_on(written, moved)
    print(f"frozen: by the Service {written.outage:.3f} s")
    assert written.outage < 4
    assert set(written.errors) <= {"InDoubtError"}
    assert set(written.acknowledged) <= await numbers(pair, "pg-1", "service")


async def test_a_commit_that_did_not_wait_for_its_standby_is_not_acknowledged(same_pair: PostgresPair) -> None:
    same_pair.freeze_standby()
    async with client_of(same_pair) as client:
        writing_it = asyncio.create_task(client.write(adding("service", 1)))
        await _cancel_the_wait(same_pair)
        with pytest.raises(InDoubtError, match="on one server"):
            await writing_it
        assert await numbers(same_pair, "pg-0", "service") == {1}, "it stands, but nothing protects it"


async def test_a_commit_whose_answer_does_not_come_is_in_doubt(same_pair: PostgresPair) -> None:
    same_pair.freeze_standby()
    async with client_of(same_pair, attempt_seconds=0.4) as client:
        with pytest.raises(InDoubtError, match="at COMMIT: no answer within"):
            await client.write(adding("service", 1))
    same_pair.freeze_standby(signal.SIGCONT)
    await same_pair.until("pg-1", "select count(*) = 1 from numbers")


async def test_a_repeated_write_that_finds_its_row_still_waits_for_the_standby(same_pair: PostgresPair) -> None:
    same_pair.freeze_standby()
    async with client_of(same_pair, attempt_seconds=5) as client:
        repeating = asyncio.create_task(client.repeat(adding("service", 1)))
        await _cancel_the_wait(same_pair)
        await asyncio.sleep(0.5)
        assert not repeating.done(), "it was acknowledged though the standby has never seen it"
        same_pair.freeze_standby(signal.SIGCONT)
        await repeating
    await same_pair.until("pg-1", "select count(*) = 1 from numbers")  # flushed there; it is replayed a moment later


async def test_a_call_that_is_given_up_leaves_its_commit_waiting(same_pair: PostgresPair) -> None:
    same_pair.freeze_standby()
    async with client_of(same_pair) as client:
        call = asyncio.create_task(client.write(adding("service", 1)))
        await same_pair.until("pg-0", "select count(*) = 1 from pg_stat_activity where wait_event = 'SyncRep'")
        began = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert time.monotonic() - began < 0.5
        await asyncio.sleep(0.2)
        assert not await numbers(same_pair, "pg-0", "service"), "a cancelled wait makes the commit visible on one server"


async def test_work_that_fails_is_rolled_back_and_told_as_it_is(same_pair: PostgresPair) -> None:
    async with client_of(same_pair) as client:

        async def goes_on_after_an_error(connection: Connection) -> None:
            await connection.execute("insert into numbers values ('service', 1)")
            with pytest.raises(psycopg.errors.UndefinedTable):
                await connection.execute("select * from nowhere")

        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            await client.write(goes_on_after_an_error)
        with pytest.raises(psycopg.errors.UndefinedTable):
            await client.write(lambda connection: connection.execute("select * from nowhere"))
        with pytest.raises(ZeroDivisionError):
            await client.write(_divides)
        assert not await numbers(same_pair, "pg-0", "service")
        await client.write(adding("service", 1))


async def test_a_wrong_password_is_told_at_once(same_pair: PostgresPair) -> None:
    async with client_of(same_pair, password="wrong") as client:
        began = time.monotonic()
        with pytest.raises(AccessDeniedError, match="password authentication failed"):
            await client.write(adding("service", 1))
        assert time.monotonic() - began < 4, "a call has 8 s"


@pytest.mark.parametrize("hosts", ["127.0.2.20", "127.0.2.21,127.0.2.22"])
async def test_every_call_keeps_its_deadline(same_pair: PostgresPair, hosts: str) -> None:
    async with (
        client_of(same_pair, hosts, attempt_seconds=0.3, connections=1) as client,
        client_of(same_pair, hosts) as newcomer,
    ):
        await client.write(adding("service", 1))
        same_pair.freeze()
        for one in (client, newcomer):
            began = time.monotonic()
            with pytest.raises(UnavailableError, match=r"not acknowledged within 0\.8 s"):
                await one.repeat(lambda connection: connection.execute("select 1"), within=0.8)
            assert 0.7 < time.monotonic() - began < 1.8
        busy = asyncio.create_task(client.write(adding("service", 2), within=0.5))
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="all connections are busy"):
            await client.write(adding("service", 3), within=0.2)
        await asyncio.wait({busy})


def test_each_host_is_asked_by_itself_with_its_own_port() -> None:
    assert "target_session_attrs=read-write" in multi_host("host=a user=app")
    assert "connect_timeout=9" in multi_host("host=a connect_timeout=9"), "what the caller says counts"
    hosts = each_host("host=a,b port=1,2")
    assert ["host=a" in hosts[0], "port=1" in hosts[0], "host=b" in hosts[1], "port=2" in hosts[1]] == [True] * 4
    assert all("port=7" in host for host in each_host("host=a,b port=7"))


async def _divides(_: Connection) -> float:
    return 1 / 0


async def _cancel_the_wait(same_pair: PostgresPair) -> None:
    waiting = "from pg_stat_activity where wait_event = 'SyncRep'"
    await same_pair.until("pg-0", f"select count(*) = 1 {waiting}")
    await same_pair.sql("pg-0", f"select pg_cancel_backend(pid) {waiting}")


async def _goes_on(written: Written, since: float) -> None:
    async with asyncio.timeout(15):
        while not written.acknowledged or max(written.acknowledged.values()) < since:
            await asyncio.sleep(0.01)
