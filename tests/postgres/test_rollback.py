"""A promotion that turned out bad: back without loss, or back to the old primary as it was, within caps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from gate.api import ServerState
from tests.fakes.faults import Fault
from tests.fakes.member import RECORD_BYTES
from tests.fakes.world import A, B, C, World
from tests.postgres.bench import Bench, Handle, serving

FAR = "2999-01-01T00:00:00+00:00"
CAPS = {"max_bytes": 64 * RECORD_BYTES, "max_transactions": 64}


def promoted_badly(world: World, rows: int = 3) -> None:
    """Let B lead with ``rows`` of its own, while A is held as it was when its pod went."""
    for row in range(5):
        assert world.insert(("before", row))
    old, new = world.members[A], world.members[B]
    old.stop()
    new.remember(promoted_xid=new.xid)
    world.promote(new)
    world.write(leader=B, previous=A, epoch=6, sync="none", paused_until=FAR)
    for row in range(rows):
        assert world.insert(("after", row))


@pytest_asyncio.fixture
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    world = World()
    promoted_badly(world)
    async with serving(temporal, tmp_path, world) as one:
        yield one


async def roll_back(bench: Bench, mode: str = "discard", run: str = "real", **more: Any) -> Handle:
    """Start a rollback."""
    request = {"cluster": bench.cluster, "mode": mode, "run": run, "by": "omar", "reason": "a test"}
    caps = CAPS if mode == "discard" else {}
    id_ = f"plan/{bench.lock}" if run == "plan" else bench.lock
    return await bench.start({**request, **caps, **more}, workflow="postgres-rollback", id=id_)


async def test_what_was_written_since_is_given_up_and_kept_aside(bench: Bench) -> None:
    world = bench.world
    handle = await roll_back(bench)
    result = await bench.finished(handle)
    plan = await bench.plan(handle)
    assert (result.outcome, result.leader, world.record.leader) == ("completed", A, A)
    assert plan.give_up is not None
    assert (plan.give_up.so_far.transactions, plan.give_up.so_far.bytes) == (3, 3 * RECORD_BYTES)
    await bench.until_consistent()
    old, new = world.members[A], world.members[B]
    assert (old.timeline, new.timeline, world.record.paused_until) == (3, 3, "")
    assert world.given_up == {("after", row) for row in range(3)}
    assert old.rows >= {("before", row) for row in range(5)}
    assert not old.rows & world.given_up
    assert [kept >= world.given_up for kept in new.kept] == [True]


async def test_what_failover_itself_has_written_is_no_loss(bench: Bench) -> None:
    bench.world.own_transactions = 2
    handle = await roll_back(bench, max_transactions=1)
    assert (await bench.finished(handle)).outcome == "completed"
    plan = await bench.plan(handle)
    assert plan.give_up is not None
    assert (plan.give_up.so_far.transactions, plan.give_up.own) == (1, 2)
    assert "not in that loss: 2 transactions of failover itself (it measured, and verified)" in plan.about()
    assert bench.world.given_up == {("after", row) for row in range(3)}


async def test_a_plan_says_what_would_be_lost_and_changes_nothing(bench: Bench) -> None:
    bench.world.untouchable = True
    before = bench.world.snapshot
    handle = await roll_back(bench, run="plan", max_bytes="1MiB")
    assert (await bench.finished(handle)).outcome == "dry run"
    plan = await bench.plan(handle)
    assert plan.give_up is not None
    assert plan.give_up.at_most.bytes == 2**20
    assert "3 transactions" in plan.loss
    assert B in plan.give_up.kept
    assert bench.world.snapshot == before


async def test_more_than_was_allowed_is_undone_and_the_figures_are_said(bench: Bench) -> None:
    world = bench.world
    hanging = world.faults.order("postgres.checkpoint", Fault.HANGS)
    handle = await roll_back(bench, max_transactions=5)
    await hanging.reached.wait()
    for row in range(10, 20):
        world.insert(("late", row))
    hanging.released.set()
    refusal = await bench.refused(handle)
    assert (refusal.type, "13 transactions" in refusal.message, "ask again" in refusal.message) == ("RolledBack", True, True)
    assert (world.writers, world.record.leader, world.record.intent, world.record.epoch) == ([B], B, None, 8)
    assert world.members[A].server is ServerState.STOPPED
    assert (await bench.finished(await roll_back(bench))).leader == A
    await bench.until_consistent()


@pytest.mark.parametrize("caps", [{"max_bytes": RECORD_BYTES}, {"max_transactions": 2}])
async def test_a_loss_that_is_too_large_already_is_refused_before_anything_changes(
    bench: Bench, caps: dict[str, Any]
) -> None:
    before = bench.world.snapshot
    refusal = await bench.refused(await roll_back(bench, **caps))
    assert (refusal.type, "768 bytes" in refusal.message) == ("LossTooLarge", True)
    assert bench.world.snapshot == before


async def test_a_member_that_has_been_brought_back_is_not_given_the_writes_as_it_was(bench: Bench) -> None:
    bench.world.write(paused_until="")
    await bench.until_consistent()
    before = bench.world.snapshot
    refusal = await bench.refused(await roll_back(bench))
    assert (refusal.type, "mode lossless" in refusal.message) == ("NotUntouched", True)
    assert bench.world.snapshot == before


async def test_one_that_is_brought_back_between_plan_and_claim_is_noticed_and_undone(bench: Bench) -> None:
    hanging = bench.world.faults.order("postgres.claim", Fault.HANGS)
    handle = await roll_back(bench)
    await hanging.reached.wait()
    bench.world.write(paused_until="")
    await bench.until_consistent()
    hanging.released.set()
    assert (await bench.refused(handle)).type in {"RolledBack", "RecordChanged"}
    assert bench.world.writers == [B]
    assert bench.world.given_up == set()
    await bench.until_consistent()


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        ({"alive": False}, "Unreachable"),
        ({"timeline": 7}, "WrongTimeline"),
        ({"system": "1"}, "NoStandby"),
        ({"disk_free": 0}, "DiskTooFull"),
    ],
)
async def test_in_doubt_nothing_is_given_up(bench: Bench, harm: dict[str, Any], kind: str) -> None:
    for name, value in harm.items():
        setattr(bench.world.members[A], name, value)
    before = bench.world.snapshot
    assert (await bench.refused(await roll_back(bench))).type == kind
    assert bench.world.snapshot == before


async def test_a_loss_that_cannot_be_told_is_refused(bench: Bench) -> None:
    bench.world.members[B].remember(promoted_xid=None)
    assert (await bench.refused(await roll_back(bench))).type == "LossUnknown"


async def test_a_new_primary_without_room_for_a_copy_beside_is_refused(bench: Bench) -> None:
    bench.world.members[B].disk_free = 2**20
    refusal = await bench.refused(await roll_back(bench))
    assert (refusal.type, B in refusal.message) == ("DiskTooFull", True)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"max_bytes": None}, "needs both"),
        ({"mode": "lossless"}, "only for mode discard"),
        ({"max_bytes": -1}, "max_bytes"),
        ({"mode": "gently"}, "mode"),
        ({"run": "drill"}, "not available"),
    ],
)
async def test_bad_input_is_refused(bench: Bench, request_: dict[str, Any], complaint: str) -> None:
    before = bench.world.snapshot
    request = {"cluster": bench.cluster, "mode": "discard", "run": "real", "by": "omar", **CAPS, **request_}
    refusal = await bench.refused(await bench.start(request, workflow="postgres-rollback"))
    assert complaint in refusal.message
    assert bench.world.snapshot == before


async def test_a_failover_has_no_mode_discard(bench: Bench) -> None:
    refusal = await bench.refused(await bench.switch(mode="discard"))
    assert (refusal.type, "'planned' or 'forced'" in refusal.message) == ("BadInput", True)


async def test_lossless_moves_back_to_the_member_that_led_before(bench: Bench) -> None:
    bench.world.write(paused_until="")
    await bench.until_consistent()
    result = await bench.finished(await roll_back(bench, "lossless"))
    assert (result.outcome, result.leader, result.lost, bench.world.given_up) == ("completed", A, 0, set())
    await bench.until_consistent()


async def test_lossless_waits_until_it_is_a_synchronous_standby(bench: Bench) -> None:
    bench.world.write(paused_until="")
    bench.world.members[A].alive = False
    handle = await roll_back(bench, "lossless")
    await bench.until(lambda: "postgres.await_redundancy" in bench.world.faults.calls)
    bench.world.members[A].alive = True
    assert (await bench.finished(handle)).leader == A
    await bench.until_consistent()


async def test_lossless_does_not_wait_for_ever(temporal: Client, tmp_path: Path) -> None:
    world = World()
    promoted_badly(world)
    world.write(paused_until="")
    async with serving(temporal, tmp_path, world, rollback={"back_within": "PT0.3S"}) as bench:
        world.members[A].alive = False
        refusal = await bench.refused(await roll_back(bench, "lossless"))
        assert (refusal.type, "back_within" in refusal.message) == ("NoStandby", True)
        world.members[A].alive = True


async def test_lossless_does_not_wait_for_a_member_that_is_held(bench: Bench) -> None:
    refusal = await bench.refused(await roll_back(bench, "lossless"))
    assert (refusal.type, "paused" in refusal.message) == ("NoStandby", True)


async def test_lossless_needs_somebody_who_led_before(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World()) as bench:
        refusal = await bench.refused(await roll_back(bench, "lossless"))
        assert (refusal.type, A in refusal.message) == ("NoStandby", True)


async def test_the_caps_are_part_of_what_is_approved(temporal: Client, tmp_path: Path) -> None:
    world = World()
    promoted_badly(world)
    async with serving(temporal, tmp_path, world, approvals={"rollback": {"roles": ["DBA"], "window": "PT1M"}}) as bench:
        digests = []
        for most in (8, 9):
            planning = await roll_back(bench, run="plan", max_transactions=most)
            await bench.finished(planning)
            plan = (await bench.status(planning)).plan
            digests.append(plan.digest if plan else "")
        assert digests[0] != digests[1]
        handle = await roll_back(bench, max_transactions=9)
        plan = (await bench.until_phase(handle, "awaiting approval")).plan
        assert plan is not None
        world.insert(("while people decide", 1))
        await handle.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
        assert (await bench.finished(handle)).leader == A
        await bench.until_consistent()


async def test_another_standby_of_what_is_given_up_follows_too(temporal: Client, tmp_path: Path) -> None:
    world = World((A, B, C))
    promoted_badly(world)
    async with serving(temporal, tmp_path, world) as bench:
        assert (await bench.finished(await roll_back(bench))).leader == A
        await bench.until_consistent()
        assert world.members[C].timeline == 3
