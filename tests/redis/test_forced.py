"""A forced failover on real servers: Sentinel elects where it can, else a person decides; the old master follows."""

from __future__ import annotations

import asyncio
import signal

from activities.models.redis import RedisLook
from activities.redis_aftermath import RedisAftermathActivities
from tests.fakes.faults import Fault
from tests.redis.bench import RedisBench
from tests.redis.cluster import SENTINELS


async def test_a_dead_master_is_replaced_and_follows_when_it_comes_back(bench: RedisBench) -> None:
    old = await bench.leader()
    bench.cluster.kill(old)
    end, leader = await bench.ending(await bench.start("forced"))
    assert (end, leader != old) == ("completed", True), leader
    report = bench.report()
    assert report.moved is not None
    assert report.moved.note.startswith("Sentinel elected it")
    assert report.plan is not None
    assert report.plan.primary == old
    assert not report.plan.lossless
    bench.cluster.start(old)
    await bench.until_whole()
    assert await bench.leader() == leader


async def test_a_replica_that_a_sentinel_has_just_promoted_is_not_sent_back(bench: RedisBench) -> None:
    """For up to a second it leads while the Sentinels still name the dead one; every run settles first, at any moment."""
    old = await bench.leader()
    bench.cluster.kill(old)
    aftermath, request = RedisAftermathActivities(bench.redis), RedisLook(target=bench.target)
    async with asyncio.timeout(20):
        while not (new := await bench.leader()):
            assert await aftermath.settle(request) == ()
    assert new != old
    bench.cluster.start(old)
    await bench.until_whole()
    assert await bench.leader() == new


async def test_a_master_that_lives_is_not_given_up_without_a_word(bench: RedisBench) -> None:
    old = await bench.leader()
    end, words = await bench.ending(await bench.start("forced"))
    assert end == "PrimaryAlive"
    assert "mode planned loses nothing" in words
    assert await bench.leader() == old


async def test_a_frozen_master_that_thaws_takes_no_write_and_follows(bench: RedisBench) -> None:
    old = await bench.leader()
    bench.cluster.signal(old, signal.SIGSTOP)
    try:
        end, leader = await bench.ending(await bench.start("forced"))
        assert (end, leader != old) == ("completed", True), leader
    finally:
        bench.cluster.signal(old, signal.SIGCONT)
    await bench.until_whole()
    assert await bench.leader() == leader


async def test_without_a_quorum_a_person_decides(bench: RedisBench) -> None:
    old = await bench.leader()
    bench.cluster.kill(old, *SENTINELS[1:])
    try:
        handle = await bench.start("forced")
        async with asyncio.timeout(15):
            while (await bench.status(handle)).phase != "awaiting proof":
                await asyncio.sleep(0.05)
        assert (await bench.status(handle)).waits_for_attestation == old
        await handle.execute_update("attest", {"by": "dana", "member": old})
        end, leader = await bench.ending(handle)
        assert (end, leader != old) == ("completed", True), leader
    finally:
        bench.cluster.start(*SENTINELS[1:], old)
        await bench.until_whole()
    assert await bench.leader() != old


async def test_an_election_that_was_seen_and_not_reported_is_seen_again(bench: RedisBench) -> None:
    old = await bench.leader()
    bench.cluster.kill(old)
    bench.faults.order("redis.elected", Fault.UNREPORTED)
    end, leader = await bench.ending(await bench.start("forced"))
    assert (end, leader != old) == ("completed", True), leader
    bench.cluster.start(old)
    await bench.until_whole()
