"""What a gate says of things that do not go where leadership goes: unlogged tables, replication slots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gate.api import Contents, Role
from tests.gate.harness import Cluster


async def _until(cluster: Cluster, member: str, holds: Callable[[Contents], object]) -> Contents:
    async with asyncio.timeout(60):
        while True:
            status = await cluster.status(member)
            if status is not None and status.contents is not None and holds(status.contents):
                return status.contents
            await asyncio.sleep(0.1)


async def test_both_members_know_of_unlogged_tables_in_every_database(pair: Cluster) -> None:
    await pair.sql("pg-0", "create unlogged table carts as select g, repeat('x', 100) from generate_series(1, 10000) g")
    await pair.as_superuser("pg-0", "create unlogged table queue (job int)")
    await pair.sql("pg-0", "create table kept as select g from generate_series(1, 10) g")
    here = await _until(pair, "pg-0", lambda contents: contents.unlogged_tables == 2)
    assert here.largest_unlogged == ("aiagent_prod.public.carts", "postgres.public.queue")
    assert here.unlogged_bytes > 10_000 * 100
    await pair.sql("pg-0", "analyze carts")
    there = await _until(pair, "pg-1", lambda contents: contents.unlogged_bytes > 10_000 * 100)
    assert (there.unlogged_tables, there.largest_unlogged) == (2, here.largest_unlogged)
    pair.die("pg-0")
    await pair.until_role("pg-1", Role.STANDBY)
    assert (await _until(pair, "pg-1", lambda contents: contents.unlogged_tables)).unlogged_tables == 2


async def test_slots_are_the_members_own_and_a_stopped_servers_are_remembered(pair: Cluster) -> None:
    await pair.as_superuser("pg-0", "select pg_create_physical_replication_slot('barman', true)")
    await pair.as_superuser("pg-0", "select pg_create_physical_replication_slot('unused')")
    await pair.as_superuser("pg-1", "select pg_create_physical_replication_slot('barman')")
    await pair.sql("pg-0", "create table wal as select g from generate_series(1, 1000) g")
    seen = await _until(pair, "pg-0", lambda contents: len(contents.slots) == 2 and contents.slots[0].bytes_held)
    assert [(slot.name, slot.active, slot.bytes_held is None) for slot in seen.slots] == [
        ("barman", False, False), ("unused", False, True)
    ]  # fmt: skip
    assert [slot.name for slot in (await _until(pair, "pg-1", lambda contents: contents.slots)).slots] == ["barman"]
    fenced = await pair.fence("pg-0", pair.claim("pg-1"))
    assert fenced.clean
    assert [slot.name for slot in (await _until(pair, "pg-0", lambda _: True)).slots] == ["barman", "unused"]
