"""A forced failover on real servers: Sentinel elects where it can, else a person decides; the old master follows."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import pytest

from activities.clients.ports import RedisAnswerError
from activities.redis.models import RedisDetails, RedisLook
from activities.redis.post_promotion import RedisAftermathActivities
from tests.fakes.faults import Fault
from tests.redis.bench import RedisBench
from tests.redis.cluster import SENTINELS, SERVERS

_NOTICED_SECONDS = 2.0
"""After which the Sentinels here take a silent master for dead."""


async def test_a_dead_master_is_replaced_and_follows_when_it_comes_back(bench: RedisBench) -> None:
    old = await bench.leader()
    bench.cluster.kill(old)
    end, leader = await bench.ending(await bench.start("forced"))
    assert (end, leader != old) == ("completed", True), leader
    report = bench.report()
    details = report.of(RedisDetails)
    assert details.moved is not None
    assert details.moved.note.startswith("Sentinel elected it")
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


async def test_a_word_that_names_nobody_does_not_give_up_a_master_that_lives(bench: RedisBench) -> None:
    """Sentinel may have made it the master after the person had looked."""
    old = await bench.leader()
    end, words = await bench.ending(await bench.start("forced", attest=True))
    assert (end, f"name it: --attest --member {old}" in words) == ("PrimaryAlive", True), words
    assert await bench.leader() == old


@pytest.mark.parametrize("mode", ["forced", "planned"])
async def test_a_master_that_has_moved_already_is_left_where_it_is(bench: RedisBench, mode: str) -> None:
    leader = await bench.leader()
    other = next(name for name in SERVERS if name != leader)
    more = {"attest": True} if mode == "forced" else {}
    end, words = await bench.ending(await bench.start(mode, member=other, **more))
    assert (end, f"{other} is not the master of mymaster any more, {leader} at " in words) == ("MovedAlready", True), words
    assert await bench.leader() == leader


async def test_a_master_that_lives_goes_when_a_person_names_it(bench: RedisBench) -> None:
    old = await bench.leader()
    end, leader = await bench.ending(await bench.start("forced", attest=True, member=old))
    assert (end, leader != old) == ("completed", True), leader
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


@pytest.mark.parametrize("seconds", [0.5, 2.5])
async def test_sentinels_that_can_elect_are_left_alone_whatever_a_person_says(bench: RedisBench, seconds: float) -> None:
    """One that is asked to act beside an election replaces the master that the others have just made."""
    old, before = await bench.leader(), await _epochs(bench)
    bench.cluster.kill(old)
    await asyncio.sleep(seconds)
    end, leader = await bench.ending(await bench.start("forced", attest=True))
    bench.cluster.start(old)
    await bench.until_whole()
    assert await _epochs(bench) == {epoch + 1 for epoch in before}
    assert await bench.leader() != old
    if end == "PrimaryAlive" and seconds > _NOTICED_SECONDS:
        return  # the Sentinels were through before the run looked
    assert (end, await bench.leader()) == ("completed", leader)
    report = bench.report()
    details = report.of(RedisDetails)
    assert details.moved is not None
    assert details.moved.note.startswith("Sentinel elected it")


async def _epochs(bench: RedisBench) -> set[int]:
    return {fact.config_epoch for fact in (await bench.survey()).sentinels}


async def test_nobody_is_promoted_in_place_of_a_master_that_is_not_meant(bench: RedisBench) -> None:
    leader, before = await bench.leader(), await _epochs(bench)
    with pytest.raises(RedisAnswerError, match=r"names .* as the master by now, not 192\.0\.2\.1:6379") as caught:
        await bench.redis.elect(bench.target, SENTINELS[0], "192.0.2.1:6379")
    assert caught.value.code == "MOVED"
    await asyncio.sleep(1)
    assert (await bench.leader(), await _epochs(bench)) == (leader, before)


async def test_the_last_word_is_the_sentinels_where_they_elect_once_more(bench: RedisBench) -> None:
    old = await bench.leader()
    bench.cluster.kill(old)
    hanging = bench.faults.order("redis.verify", Fault.HANGS)
    handle = await bench.start("forced")
    await hanging.reached.wait()
    async with asyncio.timeout(30):
        while not (survey := await bench.survey()).is_led or not survey.followers(survey.named):
            await asyncio.sleep(0.1)
        first = await bench.leader()
        while (second := await bench.leader()) in {first, ""}:
            with contextlib.suppress(RedisAnswerError):  # it does already, or has not looked at the replica since
                await bench.redis.elect(bench.target, SENTINELS[0], survey.named)
            await asyncio.sleep(0.1)
    hanging.released.set()
    end, leader = await bench.ending(handle)
    assert (end, leader) == ("completed", second)
    report = bench.report()
    details = report.of(RedisDetails)
    assert details.moved is not None
    assert details.moved.note.startswith(f"{first} led for a moment")
    bench.cluster.start(old)
    await bench.until_whole()


async def test_an_election_that_was_seen_and_not_reported_is_seen_again(bench: RedisBench) -> None:
    old = await bench.leader()
    bench.cluster.kill(old)
    bench.faults.order("redis.force_election", Fault.UNREPORTED)
    end, leader = await bench.ending(await bench.start("forced"))
    assert (end, leader != old) == ("completed", True), leader
    bench.cluster.start(old)
    await bench.until_whole()
