"""A standby goes and comes back: writes go on, and no client sees an error."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from deploy.lab.patience import stretched
from gate.api import Role
from tests.gate.harness import PASSWORD, Cluster, running_cluster


class Writes:
    """What one client that writes all the time has seen."""

    def __init__(self) -> None:
        self.longest, self.rows, self.errors = 0.0, 0, list[str]()
        self.last = time.monotonic()

    def acknowledged(self) -> None:
        now = time.monotonic()
        self.longest, self.last, self.rows = max(self.longest, now - self.last), now, self.rows + 1


@asynccontextmanager
async def writing(pair: Cluster) -> AsyncIterator[Writes]:
    """Insert rows one after the other by one session until the block ends."""
    await pair.sql("pg-0", "create table if not exists rows (n int)")
    seen = Writes()

    async def write() -> None:
        connection = await psycopg.AsyncConnection.connect(
            host=pair.address("pg-0"), port=pair.postgres_port, user="app", password=PASSWORD, dbname="aiagent_prod",
            autocommit=True,
        )  # fmt: skip
        async with connection:
            seen.last = time.monotonic()
            while True:
                try:
                    await connection.execute("insert into rows values (%s)", (seen.rows,))
                    seen.acknowledged()
                except psycopg.Error as error:
                    seen.errors.append(str(error))
                    return
                await asyncio.sleep(0.005)

    task = asyncio.create_task(write())
    try:
        await pair.until(lambda: seen.rows > 20)
        seen.longest = 0.0
        yield seen
        rows = seen.rows
        await pair.until(lambda: seen.rows > rows + 20 or seen.errors, stretched(20))
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_standby_that_is_asked_to_end_says_so_first_and_no_commit_waits_for_it(pair: Cluster) -> None:
    async with writing(pair) as seen:
        await asyncio.to_thread(pair.kill, "pg-1", signal.SIGTERM)
        await asyncio.sleep(0.5)
    print(f"longest wait of a commit while the standby was stopped: {seen.longest * 1000:.0f} ms")
    assert seen.errors == []
    assert pair.said("pg-0", "a standby says that it ends")
    assert pair.record.sync == "none"
    assert not pair.said("pg-1", "ends without a word of the leader")


async def test_a_standby_that_comes_back_is_waited_for_again(pair: Cluster) -> None:
    async with writing(pair) as seen:
        await asyncio.to_thread(pair.kill, "pg-1", signal.SIGTERM)
        pair.start("pg-1")
        await pair.until_synchronous("pg-1", stretched(30))
    print(f"longest wait of a commit until the standby was back: {seen.longest * 1000:.0f} ms")
    assert seen.errors == []


async def test_a_standby_that_is_killed_is_waited_for_a_moment_only(pair: Cluster) -> None:
    async with writing(pair) as seen:
        pair.die("pg-1")
        await pair.until(lambda: pair.record.sync == "none")
    print(f"longest wait of a commit after the standby was killed: {seen.longest * 1000:.0f} ms")
    assert seen.errors == []


async def test_a_leader_that_is_gone_keeps_no_standby_from_ending(pair: Cluster) -> None:
    pair.die("pg-0")
    await asyncio.to_thread(pair.kill, "pg-1", signal.SIGTERM)
    assert pair.said("pg-1", "ends without a word of the leader")


async def test_a_strict_leader_lets_no_standby_go(settled: Path) -> None:
    async with running_cluster(settled, DURABILITY="strict") as pair:
        await pair.until_synchronous("pg-1")
        await asyncio.to_thread(pair.kill, "pg-1", signal.SIGTERM)
        assert pair.record.sync_members == ("pg-1",)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await pair.sql("pg-0", "create table waits (n int)")
        pair.start("pg-1")
        await pair.until_role("pg-1", Role.STANDBY)
        await pair.sql("pg-0", "create table goes_on (n int)")
