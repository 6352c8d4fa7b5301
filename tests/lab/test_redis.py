"""Redis on the real platform: moved under load, and replaced when it dies."""

from __future__ import annotations

import asyncio

import pytest

from activities.redis.models import RedisDetails
from activities.run.models.report import Outcome
from deploy.lab.measuring import load
from deploy.lab.processes import wait_until
from deploy.lab.sentinels import redis_is_redundant, redis_master
from deploy.lab.switching import ending, start_redis
from tests.lab.invariants import must_hold
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_OBJECTIVE_SECONDS = 10


def _settle(platform: Platform) -> str:
    """Wait until everybody could fail over again; return who is master."""
    lab, binaries = platform.lab, platform.binaries
    wait_until("Redis redundant", lambda: redis_is_redundant(lab, binaries), 90)
    return redis_master(lab, binaries)


async def test_a_planned_failover_loses_nothing(platform: Platform) -> None:
    before = _settle(platform)
    with load(platform.lab, platform.binaries) as running:
        await asyncio.sleep(1)
        facts = await ending(await start_redis(platform.client))
        await asyncio.sleep(3)
        seen = await asyncio.to_thread(running.stop)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    details = facts.known.of(RedisDetails)
    assert details.moved is not None
    assert details.moved.leader != before
    assert facts.known.measurement is not None
    must_hold("no row lost", holds=facts.known.measurement.lost == 0)
    assert facts.verdict.met
    assert _settle(platform) == details.moved.leader
    redis = seen["redis"]
    must_hold("no write lost", holds=redis["lost"] == 0)
    must_hold("never two writers", holds=redis["two_writers"] == [])
    assert redis["outage_seconds"] < _OBJECTIVE_SECONDS


async def test_a_dead_master_is_replaced_and_comes_back_as_a_replica(platform: Platform) -> None:
    before = _settle(platform)
    with load(platform.lab, platform.binaries) as running:
        await asyncio.sleep(1)
        platform.break_it("redis-master")
        facts = await ending(await start_redis(platform.client, mode="forced", attest=True, member=before))
        await asyncio.sleep(3)
        seen = await asyncio.to_thread(running.stop)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    details = facts.known.of(RedisDetails)
    assert details.moved is not None
    after = _settle(platform)
    assert after == details.moved.leader != before
    redis = seen["redis"]
    must_hold("never two writers", holds=redis["two_writers"] == [])
    assert min(redis["members"], redis["writes"], *redis["checks"].values()) > 0
    assert redis["outage_seconds"] < _OBJECTIVE_SECONDS
