"""A primary and two standbys: the list that commits wait for follows who streams, and never promises more than is so."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from gate.api import Role
from gate.record import Mode
from tests.gate.harness import Cluster, running_cluster

BOTH = {"pg-1", "pg-2"}


@pytest_asyncio.fixture(loop_scope="session")
async def three(settled: Path) -> AsyncIterator[Cluster]:
    """Start a primary, ``pg-0``, and two standbys that commits wait for."""
    async with running_cluster(settled, members=3, STANDBY_TIMEOUT="2", STARVED_AFTER="1") as cluster:
        await cluster.until(lambda: set(cluster.record.sync_members) == BOTH, 40)
        yield cluster


async def test_a_standby_that_comes_later_is_in_the_record_before_commits_wait_for_it(three: Cluster) -> None:
    three.kill("pg-2", signal.SIGTERM)
    await three.until(lambda: three.record.sync_members == ("pg-1",), 20)
    assert await _waits_for(three) == {"pg-1"}
    epoch, seen = three.record.epoch, []
    three.start("pg-2")
    async with asyncio.timeout(30):
        while set(three.record.sync_members) != BOTH or await _waits_for(three) != BOTH:
            seen.append((await _waits_for(three), set(three.record.sync_members)))
            await asyncio.sleep(0.005)
    assert three.record.epoch == epoch + 1
    assert all(waits <= listed for waits, listed in seen), seen


async def test_a_standby_that_goes_is_dropped_and_commits_wait_for_the_other(three: Cluster) -> None:
    epoch = three.record.epoch
    three.kill("pg-1", signal.SIGTERM)
    async with asyncio.timeout(5):
        await three.sql("pg-0", "create table waits_for_the_other (n int)")
    await three.until(lambda: three.record.sync_members == ("pg-2",), 20)
    assert await _waits_for(three) == {"pg-2"}
    assert three.record.epoch == epoch


async def test_a_standby_that_hiccups_changes_nothing(settled: Path) -> None:
    async with running_cluster(settled, members=3, STANDBY_TIMEOUT="10") as cluster:
        await cluster.until(lambda: set(cluster.record.sync_members) == BOTH, 60)
        before = cluster.record
        cluster.kill("pg-1", signal.SIGTERM)
        cluster.start("pg-1")
        await cluster.until_role("pg-1", Role.STANDBY)
        await asyncio.sleep(1)
        assert cluster.record == before


async def test_the_other_standby_follows_the_new_primary(three: Cluster) -> None:
    await three.sql("pg-0", "create table kept (n int)")
    three.die("pg-0")
    epoch = three.claim("pg-2", Mode.FORCED)
    for member in BOTH:
        await three.seal(member, epoch)
    await three.promote("pg-2", epoch)
    three.route("pg-2")
    await three.until_synchronous("pg-1", 30)
    three.start("pg-0")
    await three.until(lambda: set(three.record.sync_members) == {"pg-0", "pg-1"}, 60)
    await three.sql("pg-2", "insert into kept values (1)")


async def test_a_candidate_gets_what_it_lacks_from_the_other_standby(three: Cluster) -> None:
    await three.sql("pg-0", "create table kept (n int)")
    three.kill("pg-1", signal.SIGTERM)
    await three.sql("pg-0", "insert into kept values (1)")
    three.die("pg-0")
    three.start("pg-1")
    await three.until_role("pg-1", Role.STANDBY)
    ahead = await three.status("pg-2")
    assert ahead is not None
    epoch = three.claim("pg-1", Mode.FORCED)
    await three.seal("pg-2", epoch)
    await three.promote("pg-1", epoch, ahead.receive_lsn)
    three.route("pg-1")
    assert await three.sql("pg-1", "select n from kept") == [(1,)]
    await three.until_synchronous("pg-2", 30)
    assert not three.said("pg-2", "DIVERGED")


async def test_a_standby_that_has_more_than_the_new_primary_gives_it_up_and_keeps_it_aside(three: Cluster) -> None:
    three.kill("pg-1", signal.SIGTERM)
    await three.sql("pg-0", "create table only_on_two (n int)")
    three.die("pg-0")
    three.start("pg-1")
    await three.until_role("pg-1", Role.STANDBY)
    epoch = three.claim("pg-1", Mode.FORCED)
    await three.seal("pg-2", epoch)
    await three.promote("pg-1", epoch)
    three.route("pg-1")
    await three.until_synchronous("pg-2", 60)
    await three.sql("pg-1", "create table since (n int)")
    async with asyncio.timeout(10):
        while not await three.sql("pg-2", "select 1 from pg_tables where tablename = 'since'"):
            await asyncio.sleep(0.05)
    assert not await three.sql("pg-2", "select 1 from pg_tables where tablename = 'only_on_two'")
    assert three.said("pg-2", "DIVERGED")
    assert three.said("pg-2", "bytes of WAL past the fork")
    assert not three.said("pg-2", "base backup from pg-1")


async def _waits_for(cluster: Cluster) -> set[str]:
    """Return whom the primary's commits wait for any one of."""
    (row,) = await cluster.sql("pg-0", "show synchronous_standby_names")
    listed = str(row[0]).partition("(")[2].rstrip(")")
    return {name.strip().strip('"') for name in listed.split(",") if name.strip()}


async def test_once_a_forced_claim_is_known_no_standby_confirms_anything_for_the_old_primary(three: Cluster) -> None:
    await three.sql("pg-0", "create table rows (n int)")
    os.kill(three.gates["pg-0"].pid, signal.SIGSTOP)  # whoever says that it is stopped is wrong: its server goes on
    epoch = three.claim("pg-1", Mode.FORCED)
    told = [await three.seal(member, epoch, stop_receiving=True) for member in sorted(BOTH)]
    late = asyncio.create_task(three.sql("pg-0", "insert into rows values (1)"))
    _, waits = await asyncio.wait({late}, timeout=2)
    assert waits, "a commit was acknowledged that the new primary will not have"
    now = [await three.status(member) for member in sorted(BOTH)]
    assert [one and one.receive_lsn for one in now] == [one.status.receive_lsn for one in told]
    await three.promote("pg-1", epoch)
    three.route("pg-1")
    os.kill(three.gates["pg-0"].pid, signal.SIGCONT)
    await three.until_synchronous("pg-2", 60)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert await three.sql("pg-1", "select count(*) from rows") == [(0,)]


async def test_standbys_follow_again_once_a_forced_claim_is_undone(three: Cluster) -> None:
    os.kill(three.gates["pg-0"].pid, signal.SIGSTOP)
    epoch = three.claim("pg-1", Mode.FORCED)
    for member in BOTH:
        await three.seal(member, epoch, stop_receiving=True)
    three.kill("pg-2", signal.SIGKILL)
    three.start("pg-2")  # a gate that dies meanwhile does not forget
    status = await three.until_role("pg-2", Role.STANDBY)
    assert status.upstream is None
    three.api.write(epoch=epoch + 1, intent=None)
    os.kill(three.gates["pg-0"].pid, signal.SIGCONT)
    await three.until(lambda: set(three.record.sync_members) == BOTH, 60)
    await three.sql("pg-0", "create table goes_on (n int)")
