"""A leader that is asked to end: its witnesses say so, and the watch has it relieved without asking anybody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.detection.models import Look
from activities.detection.probes.postgres import PostgresEye
from estate.watching import Policy, PostgresWatching
from gate.api import WATCH, WORKER, ServerState
from tests.detection.bench import QUICK, WELL, WatchBench, watching
from tests.fakes.clients import systems_of
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.samples import target

LEAVING = Look(leaving=(A,))


@pytest.mark.parametrize("policy", ["ask", "automatic"])
async def test_a_planned_failover_begins_without_anybody_s_approval_and_no_cool_down_follows(
    temporal: Client, tmp_path: Path, policy: str
) -> None:
    async with watching(temporal, tmp_path, policy) as one:
        await one.watch()
        one.let(LEAVING, "east", "west")
        summary = await one.bench.finished(await one.run())
        assert summary.leader == B
        one.let(WELL)
        status = await one.until_said("completed")
        assert (status.cooling, status.gone, status.open) == (None, (), ())


async def test_one_witness_of_three_has_nobody_relieved(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        one.let(LEAVING, "east")
        await one.bench.until(lambda: _says(one, "east: postgresql-primary-0 is asked to end"))
        with pytest.raises(RPCError):
            await one.bench.client.get_workflow_handle(one.bench.lock).describe()


async def test_where_no_standby_has_everything_it_is_tried_again(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as one:
        await one.watch()
        one.bench.world.members[B].asynchronous = True
        one.let(LEAVING)
        refusal = await one.bench.refused(await one.run())
        assert refusal.type == "StandbyAsynchronous"
        one.bench.world.members[B].asynchronous = False
        one.let(LEAVING, "east")  # another word of theirs
        await one.until_said("completed")
        assert one.bench.world.record.leader == B


async def test_nobody_is_moved_back_when_the_one_that_is_asked_to_end_does_not_lead_any_more(
    temporal: Client, tmp_path: Path
) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        await one.watch()
        one.let(Look(leaving=(B,)))
        refusal = await one.bench.refused(await one.run())
        assert refusal.type == "MovedAlready"
        assert refusal.message == f"{A} leads, and {B} is asked to end: nothing is to be done"
        assert one.bench.world.changed == []


@pytest.mark.parametrize("policy", ["ask", "automatic"])
async def test_where_the_estate_says_no_by_now_nobody_is_moved_or_asked(
    temporal: Client, tmp_path: Path, policy: str
) -> None:
    async with watching(temporal, tmp_path, policy, watch={**QUICK, "policy": policy, "hand_over": False}) as one:
        await one.watch()
        one.let(LEAVING)
        refusal = await one.bench.refused(await one.run())
        assert (refusal.type, "watch.hand_over" in refusal.message) == ("NotAvailable", True)
        assert one.bench.world.changed == []


async def test_one_that_was_undone_is_not_tried_again_since_it_stops_writes(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "ask") as one:
        await one.watch()
        one.bench.world.faults.order("postgres.promote", Fault.REFUSED)
        one.let(LEAVING)
        await one.bench.refused(await one.run())
        await asyncio.sleep(5)
        begun = [run async for run in one.bench.client.list_workflows(f"WorkflowId = '{one.bench.lock}'")]
        assert len(begun) == 1


async def test_a_detection_that_is_started_again_finds_no_cool_down_after_a_hand_over(
    temporal: Client, tmp_path: Path
) -> None:
    async with watching(temporal, tmp_path, "automatic") as one:
        watch = await one.watch()
        one.let(LEAVING)
        await one.bench.finished(await one.run())
        one.let(WELL)
        await one.until_said("completed")
        await watch.terminate("it is started again")
        await one.watch()
        assert (await one.status()).cooling is None


@pytest.mark.parametrize(
    ("policy", "hand_over", "asks"),
    [("ask", True, WATCH), ("automatic", True, WATCH), ("ask", False, WORKER), ("notify", True, WORKER)],
)
async def test_an_eye_says_to_the_gate_whether_a_planned_failover_would_begin(
    policy: str, asks: str, *, hand_over: bool
) -> None:
    world, given = World(), target()
    watch = PostgresWatching(policy=Policy(policy), hand_over=hand_over)
    cluster = given.cluster.model_copy(update={"watch": watch})
    eye = PostgresEye(systems_of(world), given.model_copy(update={"cluster": cluster}))
    await eye.look()
    assert world.asked_as == [asks]
    world.members[A].hands_over = True
    assert await eye.look() == LEAVING
    world.members[A].server = ServerState.STOPPED
    assert (await eye.look()).leaving == ()


async def _says(one: WatchBench, words: str) -> bool:
    return any(words in line for line in (await one.status()).witnesses)
