"""A repair writes the record that the gates bear out, and nothing in doubt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.postgres.models.upkeep import Repaired
from activities.run.models.wire import read
from gate.api import Role
from gate.record import Intent, Mode
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import Bench, Handle, serving


async def _repair(bench: Bench, **more: Any) -> Handle:
    request = {"cluster": bench.cluster, "by": "mona", "reason": "a restored copy", **more}
    return await bench.start(request, workflow="postgres-repair", id=f"repair/{bench.lock}")


async def _repaired(bench: Bench, **more: Any) -> Repaired:
    return read(Repaired, await (await _repair(bench, **more)).result())


def _put_back(world: World) -> None:
    """Put the record back that named A, after a failover to B."""
    world.write(leader=A, epoch=5, sync=B, previous="")


async def _failed_over(bench: Bench) -> None:
    assert (await bench.finished(await bench.switch())).leader == B
    await bench.until_consistent()


async def test_a_record_that_was_put_back_is_repaired_and_moves_nobody(bench: Bench) -> None:
    await _failed_over(bench)
    _put_back(bench.world)
    bench.world.tick()
    assert bench.world.writers == [B]
    assert (await bench.refused(await bench.switch())).type in {"RecordDisagrees", "TwoPrimaries"}
    before = bench.world.record
    shown = await _repaired(bench, dry_run=True, by="", reason="")
    assert (bench.world.record, shown.written) == (before, False)
    assert shown.changes == (
        f"leader: {A} → {B}", "epoch: 5 → 7", f"sync: {B} → none", f"previous: none → {A}", f"writes: to {A} → to {B}"
    )  # fmt: skip
    done = await _repaired(bench)
    assert (done.changes, done.written, done.leader, done.epoch) == (shown.changes, True, B, 7)
    await bench.until_consistent()
    assert (bench.world.writers, bench.world.violations) == ([B], [])
    again = await _repaired(bench)
    assert (again.changes, again.written) == ((), False)


async def test_a_gate_that_is_ahead_is_caught_up_with(bench: Bench) -> None:
    bench.world.members[B].remember(epoch=29)
    assert (await _repaired(bench)).epoch == 30
    assert (await bench.finished(await bench.switch())).leader == B


@pytest.mark.parametrize("with_ours", [False, True])
async def test_a_foreign_selector_is_taken_out(bench: Bench, *, with_ours: bool) -> None:
    bench.world.send_writes_to_all()
    if with_ours:
        bench.world.point_service_at(A)
    done = await _repaired(bench)
    words = "selector: app=ledger is taken out" if with_ours else f"writes: to every pod with app=ledger → to {A}"
    assert (done.changes, done.epoch) == ((words,), 5)
    assert (bench.world.record.selector, bench.world.record.foreign) == (A, "")


@pytest.mark.parametrize("fault", [Fault.UNREPORTED, Fault.SILENT])
async def test_a_repair_that_is_not_reported_is_written_once(bench: Bench, fault: Fault) -> None:
    bench.world.members[B].remember(epoch=9)
    bench.world.faults.order("postgres.repair", fault)
    assert (await _repaired(bench)).epoch == 10
    assert (len(bench.world.changed), bench.world.record.epoch) == (1, 10)


async def test_a_claim_in_between_is_seen(bench: Bench) -> None:
    bench.world.members[B].remember(epoch=9)
    bench.world.before_patch.append(lambda: bench.world.write(epoch=9, unfinished="postgres/orders/1"))
    refusal = await bench.refused(await _repair(bench))
    assert (refusal.type, "postgres/orders/1" in refusal.message) == ("ClaimedElsewhere", True)
    assert bench.world.record.epoch == 9


@pytest.mark.parametrize(
    "left",
    [{"unfinished": "postgres/orders/old"}, {"intent": Intent(candidate=B, mode=Mode.FORCED, run="postgres/orders/old")}],
)
async def test_a_switch_of_the_past_in_an_older_record_goes(bench: Bench, left: dict[str, Any]) -> None:
    await _failed_over(bench)
    _put_back(bench.world)
    bench.world.write(**left)
    done = await _repaired(bench)
    assert "unfinished switch: postgres/orders/old → none; it is stale, see failover report old" in done.changes
    await bench.until_consistent()
    assert (bench.world.record.intent, bench.world.record.unfinished, bench.world.writers) == (None, "", [B])
    assert (await bench.finished(await bench.switch())).leader == A


def _two(world: World) -> None:
    world.members[B].role = Role.PRIMARY


def _none(world: World) -> None:
    world.members[A].stop()


def _silent_stranger(world: World) -> None:
    world.lease.holder = B
    world.members[B].alive = False


def _none_and_silent(world: World) -> None:
    _none(world)
    world.members[B].alive = False


def _none_and_later(world: World) -> None:
    _none(world)
    world.members[B].timeline = 4


def _left_behind(world: World) -> None:
    """Let A have slept through a promotion, and go on under a record as old as itself."""
    world.members[B].timeline = 4


@pytest.mark.parametrize(
    ("harm", "more", "kind", "words"),
    [
        (_two, {}, "TwoPrimaries", f"{A} and {B} run as primary"),
        (_none, {}, "NoPrimary", "say who has led last, --leader MEMBER"),
        (_none, {"leader": "stranger"}, "BadInput", "has no stranger"),
        (_none_and_silent, {"leader": A}, "Unreachable", f"the gate of {B} is silent"),
        (_none_and_later, {"leader": A}, "WrongTimeline", f"{B} is on a later timeline (4) than {A} (1)"),
        (_left_behind, {}, "WrongTimeline", f"{A} runs as primary on timeline 1, and {B} is on 4, which led since: stop it"),
        (_silent_stranger, {}, "Unreachable", "another primary may run there"),
        (lambda _: None, {"leader": B}, "BadInput", f"{A} runs as primary, not {B}"),
        (lambda _: None, {"by": ""}, "BadInput", "by: missing"),
        (lambda _: None, {"reason": ""}, "BadInput", "reason: missing"),
    ],
)
async def test_in_doubt_nothing_is_written(  # noqa: PLR0913, PLR0917 - what a case is made of
    temporal: Client, tmp_path: Path, harm: Callable[[World], None], more: dict[str, Any], kind: str, words: str
) -> None:
    world = World()
    harm(world)
    async with serving(temporal, tmp_path, world, live=False) as bench:
        before = world.record
        refusal = await bench.refused(await _repair(bench, **more))
        assert (refusal.type, words in refusal.message) == (kind, True), refusal.message
        assert (world.record, world.changed) == (before, [])
        world.violations.clear()  # two primaries were put there


async def test_where_nobody_leads_a_person_names_the_member_that_led_last(bench: Bench) -> None:
    await _failed_over(bench)
    for member in bench.world.members.values():
        member.die()
    _put_back(bench.world)
    for member in bench.world.members.values():
        member.alive = True
    bench.world.tick()
    assert bench.world.writers == []
    assert (await bench.refused(await _repair(bench))).type == "NoPrimary"
    done = await _repaired(bench, leader=B)
    assert (done.leader, done.written) == (B, True)
    await bench.until_consistent()
    assert (bench.world.writers, bench.world.violations) == ([B], [])


async def test_runs_under_its_own_id(bench: Bench) -> None:
    request = {"cluster": bench.cluster, "dry_run": True}
    refusal = await bench.refused(await bench.start(request, workflow="postgres-repair", id="repair/other"))
    assert (refusal.type, f"repair/{bench.lock}" in refusal.message) == ("WrongWorkflowId", True)
