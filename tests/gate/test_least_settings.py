"""A primary is started with more connections than its standby may have: the standby follows all the same, and can lead."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import psycopg

from deploy.lab.patience import stretched
from gate.api import Role
from tests.gate.harness import Cluster


async def test_a_standby_whose_replay_has_paused_for_its_settings_is_started_anew_with_its_primarys(pair: Cluster) -> None:
    await pair.as_superuser("pg-0", "alter system set max_connections = 150")
    await pair.as_superuser("pg-0", "alter system set max_prepared_transactions = 7")
    await asyncio.to_thread(pair.kill, "pg-0", signal.SIGTERM)
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.until(lambda: pair.said("pg-1", "starts with its primary's settings"), stretched(40))
    await pair.until_true(lambda: _has(pair, "pg-1", connections=150), stretched(40))
    await pair.until_synchronous("pg-1", stretched(40))
    await pair.sql("pg-0", "create table rows as select 1 as n")
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.prepare("pg-1", epoch, fenced.end_lsn, within_seconds=10)
    await pair.promote("pg-1", epoch, fenced.end_lsn, replayed=True)
    pair.route("pg-1")
    assert await pair.sql("pg-1", "select count(*) from rows") == [(1,)]
    await pair.until_synchronous("pg-0", stretched(40))


async def test_a_pause_by_a_persons_hand_is_left_alone(pair: Cluster) -> None:
    before = pair.postmaster("pg-1")
    await pair.as_superuser("pg-1", "select pg_wal_replay_pause()")
    await asyncio.sleep(3)
    assert pair.postmaster("pg-1") == before


async def _has(pair: Cluster, member: str, *, connections: int) -> bool:
    """Whether its server runs, with this setting; it says that it starts anew before its old one has ended."""
    with contextlib.suppress(psycopg.OperationalError):
        return await pair.sql(member, "select current_setting('max_connections')") == [(str(connections),)]
    return False
