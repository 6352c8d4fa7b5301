"""A planned failover on real servers: nothing is lost, writers wait no longer than they must."""

from __future__ import annotations

from activities.models.report import Outcome
from tests.redis.bench import RedisBench


async def test_the_master_moves_and_nothing_is_lost(bench: RedisBench) -> None:
    before = await bench.leader()
    end, leader = await bench.ending(await bench.start())
    assert end == "completed", leader
    report = bench.report()
    assert leader != before
    assert await bench.leader() == leader
    assert report.outcome is Outcome.COMPLETED
    assert report.moved is not None
    assert report.moved.demoted
    assert report.measurement is not None
    assert report.measurement.lost == 0
    assert report.measurement.acknowledged > 20
    assert report.redis_verified is not None
    assert report.redis_verified.replicas >= 1
    print(report.measurement.outage_seconds, report.moved, report.quiesced, report.agreed)
