"""A leader whose disk was set back: it does not lead without the rows that its standby has."""

from __future__ import annotations

import asyncio
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from deploy.lab.patience import stretched
from gate.api import Role, ServerState
from gate.postgres.controldata import ControlFile, end_of_wal
from gate.postgres.lsn import format_lsn, parse_lsn
from gate.postgres.own_wal import OwnWal
from gate.record import Mode
from gate.settings import Settings
from tests.gate.harness import Cluster
from tests.gate.parts import settings


async def _snapshot(pair: Cluster, *, clean: bool) -> Path:
    """Stop the leader, copy its directory, and let it go on."""
    await asyncio.to_thread(pair.kill, "pg-0", signal.SIGTERM) if clean else pair.die("pg-0")
    copy = pair.folder / "snapshot"
    shutil.copytree(pair.directory("pg-0") / "pgdata", copy, symlinks=True)
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.until_synchronous("pg-1", stretched(60))
    return copy


async def _has_the_row(pair: Cluster, member: str) -> bool:
    with suppress(psycopg.OperationalError):  # a former primary turns applications away for a while
        return await pair.sql(member, "select count(*) from rows") == [(1,)]
    return False


def _set_back(pair: Cluster, snapshot: Path, member: str = "pg-0") -> None:
    data = pair.directory(member) / "pgdata"
    shutil.rmtree(data)
    snapshot.rename(data)
    for path in (data, *data.rglob("*")):
        shutil.chown(path, "postgres", "postgres")


async def _be_held(pair: Cluster, *, clean: bool) -> None:
    """Set the leader's disk back by a row that its standby has, and wait until its gate says so."""
    snapshot = await _snapshot(pair, clean=clean)
    await pair.sql("pg-0", "create table rows as select 1 as n")
    pair.die("pg-0")
    _set_back(pair, snapshot)
    pair.start("pg-0")
    await pair.until(lambda: pair.said("pg-0", "ITS DISK WAS SET BACK: pg-1 has replayed"), stretched(30))


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "crashed"])
async def test_it_waits_and_a_failover_to_the_standby_loses_nothing(pair: Cluster, *, clean: bool) -> None:
    await _be_held(pair, clean=clean)
    epoch = pair.claim("pg-1", Mode.FORCED)
    await pair.fence("pg-0", epoch, clean=False)
    await pair.promote("pg-1", epoch)
    pair.route("pg-1")
    await pair.until_role("pg-1", Role.PRIMARY)
    assert await pair.sql("pg-1", "select count(*) from rows") == [(1,)]
    await pair.until_synchronous("pg-0", stretched(60))
    await pair.until_true(lambda: _has_the_row(pair, "pg-0"), stretched(20))


async def test_it_waits_on_when_the_standby_that_has_its_rows_falls_silent_until_its_own_pod_ends(pair: Cluster) -> None:
    await _be_held(pair, clean=True)
    pair.die("pg-1")
    for _ in range(20):  # its gate looks ten times a second
        status = await pair.status("pg-0")
        assert status is not None
        assert (status.role, status.server, bool(status.lacks)) == (None, ServerState.STOPPED, True)
        await asyncio.sleep(0.1)
    await asyncio.to_thread(pair.kill, "pg-0", signal.SIGTERM)
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)


async def test_a_standby_that_was_away_at_the_start_and_has_more_confirms_nothing(pair: Cluster) -> None:
    snapshot = await _snapshot(pair, clean=True)
    await pair.sql("pg-0", "create table rows as select 1 as n")
    for member in ("pg-0", "pg-1"):
        pair.die(member)
    _set_back(pair, snapshot)
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.until(lambda: pair.record.sync == "none", stretched(20))
    pair.start("pg-1")
    await pair.until(lambda: pair.said("pg-0", "LACKS ROWS THAT pg-1 HAS"), stretched(30))
    await asyncio.sleep(2)
    assert pair.record.sync == "none"
    async with asyncio.timeout(stretched(5)):
        await pair.sql("pg-0", "create table goes_on (n int)")


@pytest.mark.parametrize("written", [0, 3000])
async def test_one_that_only_crashed_leads_again(pair: Cluster, written: int) -> None:
    """With much WAL since the checkpoint, and with next to none."""
    await pair.sql("pg-0", f"create table rows as select repeat('x', 900) as x from generate_series(1, {written}) as n")
    pair.die("pg-0")
    pair.start("pg-0")
    await pair.until_role("pg-0", Role.PRIMARY)
    assert not pair.said("pg-0", "SET BACK")


async def test_the_end_of_wal_is_found_to_the_byte(pair: Cluster) -> None:
    """One record less is missing; and a standby at the very end, in whatever state the server has stopped, has no more."""
    await pair.sql("pg-0", "create table rows as select repeat('x', 900) as x from generate_series(1, 3000) as n")
    status = await pair.status("pg-1")
    assert status is not None
    await asyncio.to_thread(pair.kill, "pg-0", signal.SIGTERM)
    given = _settings(pair)
    control = ControlFile(given)
    end = end_of_wal(given.data, await control.read())
    for replay, lacks in ((end, ""), (format_lsn(parse_lsn(end) + 8), "pg-1 has replayed")):
        own = OwnWal(given, control)
        found = await own.lacks({"pg-1": status.model_copy(update={"replay_lsn": replay})})
        assert (found.startswith(lacks), bool(found)) == (True, bool(lacks)), (found, replay)
        for peers in ({"pg-1": None}, {"pg-1": status.model_copy(update={"replay_lsn": "0/1000000"})}, {}):
            assert await own.lacks(peers) == found, "what is known to be missing stays known"


def _settings(pair: Cluster) -> Settings:
    return settings(pair.directory("pg-0"))


async def test_a_leader_that_was_promoted_before_is_held_too(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.promote("pg-1", epoch, fenced.end_lsn)
    pair.route("pg-1")
    await pair.until_synchronous("pg-0", stretched(60))
    await pair.as_superuser("pg-1", "checkpoint")
    pair.die("pg-1")
    snapshot = pair.folder / "snapshot"
    shutil.copytree(pair.directory("pg-1") / "pgdata", snapshot, symlinks=True)
    pair.start("pg-1")
    await pair.until_role("pg-1", Role.PRIMARY)
    await pair.until_synchronous("pg-0", stretched(60))
    await pair.as_superuser("pg-1", "create table rows as select 1 as n")
    pair.die("pg-1")
    _set_back(pair, snapshot, "pg-1")
    pair.start("pg-1")
    await pair.until(lambda: pair.said("pg-1", "ITS DISK WAS SET BACK: pg-0 has replayed"), stretched(30))


async def test_another_timeline_says_nothing(tmp_path: Path) -> None:
    assert await OwnWal(settings(tmp_path), ControlFile(settings(tmp_path))).lacks({"pg-1": None}) == ""
