"""A promotion that is given up: the former primary leads again as it is, on a timeline that nobody has used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psycopg
import pytest

from gate.api import GateStatus, ProblemKind, Role, ServerState
from gate.postgres.lsn import parse_lsn
from gate.record import Mode
from tests.gate.harness import Cluster, RefusedError, running_cluster

_FAR = "2999-01-01T00:00:00+00:00"


async def _promoted_badly(cluster: Cluster, *, clean: bool = True) -> GateStatus:
    """Let ``pg-1`` lead with a row of its own, and ``pg-0`` be back, held as it was; return the status of ``pg-1``."""
    for member in ("pg-0", "pg-1"):  # it takes transaction IDs too, and these tests count them
        await cluster.as_superuser(member, "alter system set autovacuum = off")
        await cluster.as_superuser(member, "select pg_reload_conf()")
    await cluster.sql("pg-0", "create table rows (name text)")
    await cluster.sql("pg-0", "insert into rows values ('before')")
    postmaster = cluster.postmaster("pg-0")
    cluster.kill("pg-0", signal.SIGTERM if clean else signal.SIGKILL)
    if not clean:
        os.kill(postmaster, signal.SIGKILL)
    epoch = cluster.claim("pg-1", Mode.FORCED)
    await cluster.promote("pg-1", epoch)
    cluster.route("pg-1")
    await cluster.until_role("pg-1", Role.PRIMARY)
    await cluster.sql("pg-1", "insert into rows values ('after')")
    cluster.api.write(paused_until=_FAR)
    cluster.start("pg-0")
    await _until(cluster, "pg-0", lambda status: status.untouched)
    return await _until(cluster, "pg-1", lambda status: status.next_xid != status.promoted_xid)


async def _until(cluster: Cluster, member: str, holds: Callable[[GateStatus], bool], seconds: float = 30) -> GateStatus:
    async with asyncio.timeout(seconds):
        while not (status := await cluster.status(member)) or not holds(status):
            await asyncio.sleep(0.05)
    return status


def _route_back(cluster: Cluster, **changes: int) -> None:
    cluster.api.write(leader="pg-0", intent=None, sync="none", paused_until="", **changes)


def _kept(cluster: Cluster, member: str) -> list[Path]:
    return list((cluster.directory(member) / "gate" / "kept").glob("pgdata-*"))


async def _rows(cluster: Cluster, member: str) -> list[tuple[object, ...]]:
    """Return the rows as an application reads them; a former primary turns it away for some seconds."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                return await cluster.sql(member, "select name from rows")
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("clean", [True, False])
async def test_what_was_written_since_the_promotion_is_given_up_and_kept_aside(pair: Cluster, *, clean: bool) -> None:
    bad = await _promoted_badly(pair, clean=clean)
    assert bad.timeline == 2
    assert bad.promoted_xid is not None
    epoch = pair.claim("pg-0", Mode.DISCARD)
    fenced = await pair.fence("pg-1", epoch)
    assert fenced.next_xid is not None
    assert fenced.next_xid - bad.promoted_xid == 1
    assert parse_lsn(fenced.end_lsn) > parse_lsn(bad.fork_lsn or "")
    first = await pair.revert("pg-0", epoch, bad)
    again = await pair.revert("pg-0", epoch, bad)
    assert (first.timeline, again.timeline, again.epoch) == (3, 3, epoch)
    _route_back(pair)
    await pair.until_synchronous("pg-1", 60)
    assert (await pair.until_role("pg-1", Role.STANDBY)).timeline == 3
    assert await pair.sql("pg-0", "select name from rows") == await _rows(pair, "pg-1") == [("before",)]
    [kept] = _kept(pair, "pg-1")
    assert (kept / "pg_wal" / "00000002.history").exists()
    leader = await pair.until_role("pg-0", Role.PRIMARY)
    assert [number for number, _ in leader.history] == [1]


async def test_an_undo_gives_the_writes_back_to_the_new_primary(pair: Cluster) -> None:
    await _promoted_badly(pair)
    epoch = pair.claim("pg-0", Mode.DISCARD)
    await pair.fence("pg-1", epoch)
    assert not (await pair.seal("pg-0", epoch + 1)).promoted
    pair.api.write(epoch=epoch + 1, intent=None)
    await pair.unfence("pg-1", epoch + 1)
    assert await pair.sql("pg-1", "select name from rows order by 1") == [("after",), ("before",)]
    assert (await _until(pair, "pg-0", lambda status: status.untouched)).timeline == 1
    pair.api.write(paused_until="")
    await pair.until_synchronous("pg-0", 60)
    assert _kept(pair, "pg-0") == []


@pytest.mark.parametrize("routed", [False, True])
async def test_a_gate_that_dies_inside_goes_on_where_it_was(pair: Cluster, *, routed: bool) -> None:
    bad = await _promoted_badly(pair)
    epoch = pair.claim("pg-0", Mode.DISCARD)
    await pair.fence("pg-1", epoch)
    asking = asyncio.create_task(pair.revert("pg-0", epoch, bad))
    await pair.until(lambda: pair.said("pg-0", '"revert"'))
    pair.kill("pg-0")
    with pytest.raises(aiohttp.ClientError):
        await asking
    if routed:
        _route_back(pair)
    pair.start("pg-0")
    if not routed:
        await _until(pair, "pg-0", lambda status: status.promoted_at_epoch == epoch)
        assert (await pair.revert("pg-0", epoch, bad)).timeline == 3
        assert (await pair.seal("pg-0", epoch + 1)).promoted
        _route_back(pair, epoch=epoch + 1)
    await pair.until_synchronous("pg-1", 60)
    assert (await pair.until_role("pg-0", Role.PRIMARY)).timeline == 3
    assert await pair.sql("pg-0", "select name from rows") == [("before",)]


async def test_it_is_refused_at_a_wrong_epoch_or_while_the_other_one_still_leads(pair: Cluster) -> None:
    bad = await _promoted_badly(pair)
    epoch = pair.claim("pg-0", Mode.DISCARD)
    await _refused(pair, epoch, bad, ProblemKind.RECORD_FORBIDS)
    await pair.fence("pg-1", epoch)
    await _refused(pair, epoch - 1, bad, ProblemKind.STALE_EPOCH)
    await _refused(pair, epoch, bad.model_copy(update={"history": ((2, "0/1"),), "timeline": 3}), ProblemKind.NOT_UNTOUCHED)
    await _refused(pair, epoch + 1, bad, ProblemKind.RECORD_FORBIDS)
    assert (await _until(pair, "pg-0", lambda _: True)).untouched


async def _refused(cluster: Cluster, epoch: int, bad: GateStatus, kind: ProblemKind) -> None:
    with pytest.raises(RefusedError) as refused:
        await cluster.revert("pg-0", epoch, bad)
    assert refused.value.problem.kind is kind


async def test_a_directory_that_was_brought_back_does_not_lead_again_as_it_was(pair: Cluster) -> None:
    bad = await _promoted_badly(pair)
    pair.api.write(paused_until="")
    await pair.until_synchronous("pg-0", 60)
    epoch = pair.claim("pg-0", Mode.DISCARD)
    await pair.fence("pg-1", epoch)
    await _refused(pair, epoch, bad, ProblemKind.NOT_UNTOUCHED)
    pair.kill("pg-0", signal.SIGTERM)
    pair.start("pg-0")
    await _until(pair, "pg-0", lambda status: status.server is ServerState.STOPPED)
    await _refused(pair, epoch, bad, ProblemKind.NOT_UNTOUCHED)


async def test_a_third_member_that_followed_what_is_given_up_is_copied_anew(settled: Path) -> None:
    async with running_cluster(settled, 3, STARVED_AFTER="1") as trio:
        await _until(trio, "pg-1", lambda status: status.upstream == "pg-0")
        bad = await _promoted_badly(trio)
        await _until(trio, "pg-2", lambda status: status.timeline == 2, 60)
        epoch = trio.claim("pg-0", Mode.DISCARD)
        await trio.fence("pg-1", epoch)
        await trio.revert("pg-0", epoch, bad)
        _route_back(trio)
        await _until(trio, "pg-2", lambda status: status.timeline == 3 and status.upstream == "pg-0", 90)
        assert len(_kept(trio, "pg-2")) == 1
        assert await trio.sql("pg-2", "select name from rows") == [("before",)]
