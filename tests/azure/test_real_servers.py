"""Promotions on real PostgreSQL: what was committed stays, the name moves, and no old primary takes a write again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from deploy.lab.azure.postgres_process import PostgresProcess
from deploy.lab.names import LabError
from tests.azure.pair import (
    HOSTS,
    PRIMARY,
    PRIMARY_GROUP,
    READER,
    REPLICA,
    REPLICA_GROUP,
    WRITER,
    AzurePair,
    azure_pair,
    new_folder,
)
from tests.azure.sdk import aio_client, promotion


async def _execute(azure: AzurePair, server: str, query: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(azure.conninfo(server), autocommit=True) as connection:
        cursor = await connection.execute(query.encode())
        return await cursor.fetchall() if cursor.description else []


async def _table(azure: AzurePair) -> None:
    """Make a table, and wait until the replica has it: a forced switchover may lose what it has not."""
    await _execute(azure, PRIMARY, "create table numbers (number int primary key)")
    async with asyncio.timeout(20):
        while not (await _execute(azure, REPLICA, "select to_regclass('numbers')"))[0][0]:
            await asyncio.sleep(0.02)


async def _write(azure: AzurePair, server: str, committed: list[int]) -> None:
    """Commit one number after the other until the server takes no more."""
    with suppress(psycopg.Error, OSError):
        async with await psycopg.AsyncConnection.connect(azure.conninfo(server), autocommit=True) as connection:
            for number in range(1_000_000):
                await connection.execute("insert into numbers values (%s)", (number,))
                committed.append(number)


async def _until_some(committed: list[int]) -> None:
    async with asyncio.timeout(20):
        while len(committed) < 20:
            await asyncio.sleep(0.01)


async def _promote(azure: AzurePair, option: str, mode: str = "Switchover") -> None:
    async with aio_client(azure.emulator.url) as client:
        poller = await client.servers.begin_update(REPLICA_GROUP, REPLICA, promotion(mode, option))
        await poller.result()


async def _stored(azure: AzurePair, server: str) -> set[object]:
    return {number for (number,) in await _execute(azure, server, "select number from numbers")}


async def _roles(azure: AzurePair) -> tuple[object, object]:
    async with aio_client(azure.emulator.url) as client:
        old, new = await client.servers.get(PRIMARY_GROUP, PRIMARY), await client.servers.get(REPLICA_GROUP, REPLICA)
    return old.replication_role, new.replication_role


async def _must_follow(azure: AzurePair, server: str, leader: str) -> None:
    """Check that a server refuses writes, and receives what the leader writes."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await _execute(azure, server, "insert into numbers values (-1)")
    await _execute(azure, leader, "insert into numbers values (-2)")
    async with asyncio.timeout(20):
        while -2 not in await _stored(azure, server):
            await asyncio.sleep(0.05)


async def test_a_planned_switchover_loses_no_committed_row_and_moves_the_names(pair: AzurePair) -> None:
    await _table(pair)
    committed: list[int] = []
    writing = asyncio.create_task(_write(pair, PRIMARY, committed))
    await _until_some(committed)
    assert (await pair.resolve(WRITER), await pair.resolve(READER)) == (HOSTS[PRIMARY], HOSTS[REPLICA])
    await _promote(pair, "Planned")
    await writing
    assert committed
    assert set(committed) <= await _stored(pair, REPLICA)
    assert (await pair.resolve(WRITER), await pair.resolve(READER)) == (HOSTS[REPLICA], HOSTS[PRIMARY])
    assert await _roles(pair) == ("AsyncReplica", "Primary")
    await _must_follow(pair, PRIMARY, REPLICA)


async def test_a_forced_switchover_promotes_while_the_source_is_dead_and_takes_it_back_as_a_replica(pair: AzurePair) -> None:
    await _table(pair)
    committed: list[int] = []
    writing = asyncio.create_task(_write(pair, PRIMARY, committed))
    await _until_some(committed)
    await asyncio.to_thread(pair.servers.kill, PRIMARY)
    await writing
    await _promote(pair, "Forced")
    assert await pair.resolve(WRITER) == HOSTS[REPLICA]
    assert await _roles(pair) == ("Primary", "Primary")
    assert not await pair.servers.is_up(PRIMARY)
    await pair.servers.heal(PRIMARY)
    await _must_follow(pair, PRIMARY, REPLICA)
    assert await _roles(pair) == ("AsyncReplica", "Primary")
    assert await _stored(pair, PRIMARY) == await _stored(pair, REPLICA)


async def test_a_source_that_is_rewound_and_does_not_come_up_is_copied_anew(
    pair: AzurePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _table(pair)
    await asyncio.to_thread(pair.servers.kill, PRIMARY)
    await _promote(pair, "Forced")
    start, failed = PostgresProcess.start, list[str]()

    async def fails_once(server: PostgresProcess) -> None:
        if not failed:
            failed.append(server.name)
            raise LabError("it cannot replay what is missing")
        await start(server)

    monkeypatch.setattr(PostgresProcess, "start", fails_once)
    await pair.servers.heal(PRIMARY)
    assert failed == [PRIMARY]
    await _must_follow(pair, PRIMARY, REPLICA)


async def test_a_forced_switchover_takes_writes_from_a_source_that_lives(pair: AzurePair) -> None:
    await _table(pair)
    await _promote(pair, "Forced")
    await _must_follow(pair, PRIMARY, REPLICA)


async def test_standalone_leaves_two_servers_that_take_writes(pair: AzurePair) -> None:
    await _table(pair)
    await _promote(pair, "Planned", "Standalone")
    for server in (PRIMARY, REPLICA):
        await _execute(pair, server, "insert into numbers values (1)")
    assert await _roles(pair) == ("Primary", "None")
    assert await pair.resolve(WRITER) == HOSTS[PRIMARY]


async def test_a_dead_source_lets_a_planned_switchover_fail_and_stays_dead(pair: AzurePair) -> None:
    await asyncio.to_thread(pair.servers.kill, PRIMARY)
    with pytest.raises(Exception, match="ServerIsNotReady"):
        await _promote(pair, "Planned")
    assert (await pair.servers.sql(REPLICA, "select pg_is_in_recovery()"))[0][0]
    assert not await pair.servers.is_up(PRIMARY)
    await pair.servers.heal(PRIMARY)
    await _table(pair)


async def test_an_old_primary_that_cannot_be_rewound_is_copied_anew(pair: AzurePair) -> None:
    await _table(pair)
    await asyncio.to_thread(pair.servers.kill, PRIMARY)
    await _promote(pair, "Forced")
    (pair.servers.folder / PRIMARY / "global" / "pg_control").unlink()
    await pair.servers.heal(PRIMARY)
    await _must_follow(pair, PRIMARY, REPLICA)


async def test_a_forced_switchover_does_not_wait_for_a_frozen_source(pair: AzurePair) -> None:
    await _table(pair)
    await asyncio.to_thread(pair.servers.freeze, PRIMARY)
    async with asyncio.timeout(20):
        await _promote(pair, "Forced")
    await _must_follow(pair, PRIMARY, REPLICA)


async def test_catching_up_waits_for_what_the_replica_has_not_replayed(pair: AzurePair) -> None:
    await _table(pair)
    await pair.servers.sql(REPLICA, "select pg_wal_replay_pause()")
    await _execute(pair, PRIMARY, "insert into numbers values (1)")
    for stopped in (False, True):
        if stopped:
            await pair.servers.stop(PRIMARY)
        waiting = asyncio.create_task(pair.servers.catch_up(REPLICA, PRIMARY))
        await asyncio.sleep(0.4)
        assert not waiting.done()
        waiting.cancel()
    await pair.servers.sql(REPLICA, "select pg_wal_replay_resume()")
    await pair.servers.catch_up(REPLICA, PRIMARY)
    assert await _stored(pair, REPLICA) == {1}


@pytest.mark.usefixtures("_real_servers")
async def test_nothing_is_left_behind() -> None:
    with new_folder() as folder:
        async with azure_pair(folder):
            pids = [int((folder / server / "postmaster.pid").read_text().splitlines()[0]) for server in HOSTS]
            assert _alive(pids) == pids
            assert len(list(folder.iterdir())) > 1
        assert [one.suffix for one in folder.iterdir()] == [".log", ".log"]
    assert not _alive(pids)


def _alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]
