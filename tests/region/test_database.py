"""A failover to the other region, on real PostgreSQL behind the emulated Azure: one request, nothing lost, no false word."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta

from activities.region.models import FlexibleDetails, FlexiblePlan
from activities.run.models.report import Outcome
from deploy.lab.azure.pair import WRITER
from deploy.lab.patience import stretched
from tests.region.bench import RegionBench

_BEHIND = "select pg_last_wal_replay_lsn() is distinct from (select latest_end_lsn from pg_stat_wal_receiver)"


async def test_a_planned_failover_loses_nothing_and_asks_azure_once(bench: RegionBench) -> None:
    before = await bench.leader()
    end, told = await bench.ending(await bench.start())
    after = bench.replica_of(before)
    assert (end, await bench.leader()) == ("completed", after), told
    assert bench.changes() == ["PATCH 202"]
    report = bench.report()
    assert report.outcome is Outcome.COMPLETED
    assert report.measurement is not None
    assert (report.measurement.lost, report.measurement.acknowledged > 5) == (0, True)
    details, measured = report.of(FlexibleDetails), report.measurement
    assert details.promotions_asked == 1
    assert details.routed is not None
    assert details.begun is not None
    assert measured.last_before is not None
    assert measured.first_after is not None
    assert measured.last_before < details.routed.at
    assert details.begun.at < measured.first_after
    assert (details.routed.leader, details.routed.ttl_seconds) == (after, 30)
    assert details.followed is not None
    assert details.followed.follows
    assert not await bench.is_primary(before)
    print(f"planned: outage {report.measurement.outage_seconds:.3f} s")


async def _lose(bench: RegionBench, primary: str) -> tuple[datetime, datetime]:
    """Have two payments acknowledged, of which the replica gets the first, and kill the primary; return their times."""
    servers, pay = bench.azure.servers, "insert into paid (id) values ({}) returning at"
    await servers.sql(primary, "create table paid (id int, at timestamptz default clock_timestamp())")
    ((kept,),) = await servers.sql(primary, pay.format(1))
    sent = "select bool_and(replay_lsn = pg_current_wal_lsn()), max(pid) from pg_stat_replication"
    while (row := (await servers.sql(primary, sent))[0])[0] is not True:
        await asyncio.sleep(0.05)
    os.kill(int(str(row[1])), signal.SIGSTOP)
    ((lost,),) = await servers.sql(primary, pay.format(2))
    await asyncio.to_thread(servers.kill, primary)
    assert isinstance(kept, datetime)
    assert isinstance(lost, datetime)
    return kept, lost


async def test_a_lost_region_is_left_and_its_primary_comes_back_as_a_replica(bench: RegionBench) -> None:
    before = await bench.leader()
    after = bench.replica_of(before)
    kept, lost = await _lose(bench, before)
    since = datetime.now(UTC).isoformat()
    end, told = await bench.ending(await bench.start("forced", to=after, down_since=since))
    assert (end, await bench.leader()) == ("completed", after), told
    assert bench.changes() == ["PATCH 202"]
    report = bench.report()
    assert isinstance(report.plan, FlexiblePlan)
    assert not report.plan.lossless
    assert report.plan.missing_seconds < 60
    details = report.of(FlexibleDetails)
    assert "NOT REDUNDANT" in " ".join(details.notes)
    assert await bench.azure.servers.sql(after, "select id from paid") == [(1,)]
    assert details.routed is not None
    assert details.routed.complete_until is not None
    assert kept <= details.routed.complete_until < lost, "it names the last commit that was not lost"
    await bench.azure.servers.sql(after, "drop table paid")
    await bench.azure.servers.heal(before)
    assert not await bench.is_primary(before)
    assert await bench.until_healthy() == after


async def test_a_dry_run_asks_azure_for_nothing(bench: RegionBench) -> None:
    end, told = await bench.ending(await bench.start(run="plan"))
    assert (end, "would lead" in told) == ("completed", True)
    assert bench.changes() == []


async def test_a_second_start_does_not_move_it_back(bench: RegionBench) -> None:
    leader = await bench.leader()
    end, told = await bench.ending(await bench.start(to=leader))
    assert (end, bench.changes()) == ("MovedAlready", []), told


async def test_a_planned_failover_of_a_dead_primary_is_refused(bench: RegionBench) -> None:
    leader = await bench.leader()
    bench.azure.servers.kill(leader)
    end, told = await bench.ending(await bench.start())
    await bench.azure.servers.heal(leader)
    assert (end, bench.changes()) == ("NoPrimary", []), told


async def test_a_forced_failover_of_a_living_primary_needs_a_persons_word(bench: RegionBench) -> None:
    leader = await bench.leader()
    end, told = await bench.ending(await bench.start("forced"))
    assert (end, bench.changes()) == ("PrimaryAlive", []), told
    end, told = await bench.ending(await bench.start("forced", attest=True))
    assert end == "completed", told
    async with asyncio.timeout(30):
        assert await bench.until_healthy() == bench.replica_of(leader)


async def test_a_replica_that_has_replayed_nothing_since_its_start_says_how_far_it_is(bench: RegionBench) -> None:
    leader = await bench.leader()
    replica = bench.replica_of(leader)
    began = datetime.now(UTC)
    async with asyncio.timeout(stretched(60)):
        while await _has_replayed_since_its_start(bench, leader, replica):  # somebody has written meanwhile
            await asyncio.sleep(0.1)
    replayed_at = (await bench.sql.facts(bench.target, replica)).replayed_at
    assert replayed_at is not None
    assert began - timedelta(minutes=1) < replayed_at <= datetime.now(UTC)


async def _has_replayed_since_its_start(bench: RegionBench, leader: str, replica: str) -> bool:
    """Restart the replica from a checkpoint behind which there is nothing to replay; return whether there was something."""
    servers = bench.azure.servers
    await servers.sql(leader, "checkpoint")
    while (await servers.sql(replica, _BEHIND))[0][0]:
        await asyncio.sleep(0.1)
    await servers.sql(replica, "checkpoint")
    servers.kill(replica)
    await servers.heal(replica)
    await bench.until_healthy()
    return await servers.sql(replica, "select pg_last_xact_replay_timestamp()") != [(None,)]


async def test_a_session_by_the_writer_name_is_tried_before_anybody_approves(bench: RegionBench) -> None:
    leader = await bench.leader()
    assert await bench.sql.serves(bench.target) == ""
    bench.azure.servers.kill(leader)
    assert WRITER in await bench.sql.serves(bench.target)
