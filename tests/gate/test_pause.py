"""A pause in the record: what is down stays down and as it is, until it is over or a person asks for it."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.api import Command, ProblemKind, Role, ServerState
from gate.record import Mode
from tests.gate.harness import Cluster, RefusedError


async def test_a_former_primary_stays_as_it_is_until_the_pause_is_taken_off(pair: Cluster) -> None:
    before = await _returns_paused(pair)
    assert _contents(pair.directory("pg-0") / "pgdata") == before
    pair.api.write(paused_until="")
    await pair.until_synchronous("pg-0", 60)


async def test_a_former_primary_comes_back_although_paused_when_a_person_asks_for_it(pair: Cluster) -> None:
    await _returns_paused(pair)
    with pytest.raises(RefusedError) as late:
        await _ask(pair, pair.record.epoch - 1)
    assert late.value.problem.kind is ProblemKind.STALE_EPOCH
    await _ask(pair, pair.record.epoch)
    await pair.until_synchronous("pg-0", 60)
    assert pair.record.paused_because == "look at it first"


async def test_the_word_of_a_person_outlives_the_gate_and_counts_once(pair: Cluster) -> None:
    pair.environment["STARVED_AFTER"] = "1"
    await _returns_paused(pair)
    await _ask(pair, pair.record.epoch)
    pair.kill("pg-0", signal.SIGTERM)
    pair.start("pg-0")
    await pair.until_synchronous("pg-0", 60)
    await _starve(pair, leader="pg-1", standby="pg-0")
    async with asyncio.timeout(20):
        while not (status := await pair.status("pg-0")) or "STARVED" not in status.doing:
            await asyncio.sleep(0.1)
    assert "paused until" in status.doing
    assert not list((pair.directory("pg-0") / "gate" / "kept").glob("pgdata-*"))
    pair.api.write(paused_until="")
    await pair.until_synchronous("pg-0", 60)
    assert list((pair.directory("pg-0") / "gate" / "kept").glob("pgdata-*"))


def _pause(pair: Cluster) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    pair.api.write(paused_until=until.isoformat(), paused_by="mona", paused_because="look at it first")


async def _ask(pair: Cluster, epoch: int) -> None:
    await pair.call("pg-0", "rejoin", Command(epoch=epoch, run="test/1"))


async def _returns_paused(pair: Cluster) -> dict[str, int]:
    """Kill ``pg-0``, let ``pg-1`` lead, pause, and bring ``pg-0`` back; return its directory as it was when it died."""
    postmaster = pair.postmaster("pg-0")
    pair.kill("pg-0")
    os.kill(postmaster, signal.SIGKILL)
    epoch = pair.claim("pg-1", Mode.FORCED)
    await pair.promote("pg-1", epoch)
    pair.route("pg-1")
    _pause(pair)
    before = _contents(pair.directory("pg-0") / "pgdata")
    pair.start("pg-0")
    await pair.until(lambda: pair.said("pg-0", "does not follow pg-1 by itself: paused until"))
    await asyncio.sleep(1)
    status = await pair.status("pg-0")
    assert status is not None
    assert status.server is ServerState.STOPPED
    assert "by mona: look at it first" in status.doing
    return before


async def _starve(pair: Cluster, *, leader: str, standby: str) -> None:
    """Stop ``standby`` and remove the WAL that it will need."""
    pair.kill(standby, signal.SIGTERM)
    await pair.until(lambda: pair.record.sync == "none", 20)
    await pair.sql(leader, "create table later (n int)")
    for _ in range(3):
        await pair.sql(leader, "insert into later values (1)")
        await pair.as_superuser(leader, "select pg_switch_wal()")
    newest = (await pair.sql(leader, "select pg_walfile_name(pg_current_wal_lsn())", user="failover"))[0][0]
    for segment in (pair.directory(leader) / "pgdata" / "pg_wal").glob("0000*"):
        if segment.name < str(newest) and segment.suffix != ".history":
            segment.unlink()
    pair.start(standby)
    await pair.until_role(standby, Role.STANDBY)


def _contents(folder: Path) -> dict[str, int]:
    """Return file → time of its last change, but for the postmaster's own lock file."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "postmaster.pid")
    return {str(path): path.stat().st_mtime_ns for path in found}
