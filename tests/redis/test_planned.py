"""A planned failover on real servers: nothing is lost, writers wait no longer than they must, and every way back is true."""

from __future__ import annotations

import asyncio

import pytest

from activities.clients.ports import RedisAnswerError
from activities.redis.models import RedisDetails, RedisRole
from activities.run.models.report import Outcome
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.redis.bench import RedisBench
from tests.redis.cluster import SENTINELS
from tests.run.cancels import cancel

_STEPS = (
    "estate.resolve_redis",
    "redis.settle",
    "redis.survey",
    "redis.quiesce",
    "redis.switch",
    "redis.verify",
    "redis.agree",
)
_BEFORE = _STEPS[:4]


async def must_be_sound(bench: RedisBench, leader: str) -> None:
    """Check that ``leader`` leads alone, takes writes, and lost nothing of what was measured."""
    assert await bench.leader() == leader
    assert [fact.name for fact in (await bench.survey()).servers if fact.is_master] == [leader]
    async with asyncio.timeout(10):
        while not await _takes_a_write(bench, leader):
            await asyncio.sleep(0.1)
    measured = bench.report().measurement
    assert measured is None or measured.lost == 0


async def _takes_a_write(bench: RedisBench, leader: str) -> bool:
    """On a busy machine a replica may be late, and a master that wants replicas refuses writes meanwhile."""
    try:
        await asyncio.wait_for(bench.redis.probe(bench.target, leader, "a-test"), 1)
    except RedisAnswerError as error:
        if "NOREPLICAS" not in str(error):
            raise
        return False
    return True


async def _until_measured(bench: RedisBench, handle: Handle, rows: int) -> None:
    """Wait until the run's measuring client has had ``rows`` writes acknowledged: a run may be quicker than that."""
    run, tried = f"{handle.id}/{handle.first_execution_run_id}", tuple(range(1_000))
    async with asyncio.timeout(30):
        while len(tried) - await bench.redis.missing_rows(bench.target, await bench.leader(), run, tried) < rows:
            await asyncio.sleep(0.05)


async def test_the_master_moves_and_nothing_is_lost(bench: RedisBench) -> None:
    before = await bench.leader()
    moved = bench.faults.order("redis.verify", Fault.HANGS)
    handle = await bench.start()
    await moved.reached.wait()
    await _until_measured(bench, handle, 21)
    moved.released.set()
    end, leader = await bench.ending(handle)
    assert (end, leader != before) == ("completed", True), leader
    report = bench.report()
    assert report.outcome is Outcome.COMPLETED
    details = report.of(RedisDetails)
    assert details.moved is not None
    assert details.moved.demoted
    assert report.measurement is not None
    assert report.measurement.acknowledged > 20
    assert report.measurement.outage_seconds is not None
    assert report.measurement.outage_seconds < 5
    assert details.verified is not None
    assert details.verified.replicas >= 1
    await must_be_sound(bench, leader)


async def test_a_plan_changes_nothing(bench: RedisBench) -> None:
    before = await bench.survey()
    assert (await bench.ending(await bench.start(run="plan")))[0] == "completed"
    after = await bench.survey()
    assert [fact.role for fact in after.servers] == [fact.role for fact in before.servers]
    assert [fact.config_epoch for fact in after.sentinels] == [fact.config_epoch for fact in before.sentinels]


@pytest.mark.parametrize("step", _STEPS)
async def test_a_step_that_is_done_but_not_reported_is_made_again(bench: RedisBench, step: str) -> None:
    before = await bench.leader()
    bench.faults.order(step, Fault.UNREPORTED)
    end, leader = await bench.ending(await bench.start())
    assert (end, leader != before) == ("completed", True), leader
    await must_be_sound(bench, leader)


@pytest.mark.parametrize("step", _BEFORE[1:])
async def test_a_refused_step_leaves_the_master_where_it_was(bench: RedisBench, step: str) -> None:
    before = await bench.leader()
    bench.faults.order(step, Fault.REFUSED)
    end, _ = await bench.ending(await bench.start())
    assert end in {"NotAvailable", "RolledBack"}
    await must_be_sound(bench, before)


async def test_a_switch_that_is_refused_before_it_acts_is_undone(bench: RedisBench) -> None:
    before = await bench.leader()
    bench.faults.order("redis.switch", Fault.REFUSED)
    end, words = await bench.ending(await bench.start())
    assert end == "RolledBack"
    assert f"writers go on at {before}" in words
    await must_be_sound(bench, before)


@pytest.mark.parametrize("step", _STEPS)
async def test_a_cancel_while_a_step_runs(bench: RedisBench, step: str) -> None:
    before = await bench.leader()
    outlives = bench.faults.order(step, Fault.OUTLIVES)
    handle = await bench.start()
    await outlives.reached.wait()
    await cancel(handle)
    outlives.released.set()
    end, leader = await bench.ending(handle)
    if step in _BEFORE:
        assert end == "cancelled"
        await must_be_sound(bench, before)
    else:
        assert (end, leader != before) == ("completed", True), leader
        await must_be_sound(bench, leader)


@pytest.mark.parametrize("step", ["redis.quiesce", "redis.switch"])
async def test_a_run_that_is_terminated_leaves_nothing_that_does_not_end_by_itself(bench: RedisBench, step: str) -> None:
    before = await bench.leader()
    outlives = bench.faults.order(step, Fault.OUTLIVES)
    handle = await bench.start()
    await outlives.reached.wait()
    await handle.terminate("by hand")
    outlives.released.set()
    await bench.until_whole()
    end, leader = await bench.ending(await bench.start())
    assert end == "completed", leader
    assert leader != before if step == "redis.quiesce" else leader != ""
    await must_be_sound(bench, leader)


async def test_without_a_quorum_it_is_refused(bench: RedisBench) -> None:
    before = await bench.leader()
    bench.cluster.kill(*SENTINELS[1:])
    try:
        end, words = await bench.ending(await bench.start())
        assert end == "NoQuorum"
        assert "no majority (2) of the Sentinels names one master" in words
        assert await bench.redis.probe(bench.target, before, "a-test") >= 1
    finally:
        bench.cluster.start(*SENTINELS[1:])
        await bench.until_whole()


async def test_a_server_that_wrongly_takes_itself_for_the_master_follows_first(bench: RedisBench) -> None:
    leader = await bench.leader()
    stray = next(fact.name for fact in (await bench.survey()).servers if fact.role is RedisRole.REPLICA)
    with bench.cluster.client(stray) as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
    end, new = await bench.ending(await bench.start())
    assert end in {"completed", "NoStandby", "CandidateBehind"}, new
    await bench.until_whole()
    details = bench.report().of(RedisDetails)
    assert details.strays == (stray,)
    assert leader
