"""A switch that must not happen: the reason in one sentence, and nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from gate.api import Role
from gate.record import Intent, Mode
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import Bench, serving

Break = Callable[[World], Any]


def _lags(world: World) -> None:
    world.members[B].lag_bytes = 2**30


def _lag_is_unknown(world: World) -> None:
    world.members[B].lag_bytes = None


def _asynchronous(world: World) -> None:
    world.members[B].asynchronous = True
    world.write(sync="none")


def _other_timeline(world: World) -> None:
    world.members[B].timeline = 2


def _not_streaming(world: World) -> None:
    world.members[B].streams = False


def _no_disk(world: World) -> None:
    world.members[B].disk_free = 1024


def _standby_dead(world: World) -> None:
    world.members[B].alive = False


def _primary_dead(world: World) -> None:
    world.members[A].alive = False


def _older_record(world: World) -> None:
    world.members[B].remember(epoch=9)


def _foreign_selector(world: World) -> None:
    world.send_writes_to_all()


def _foreign_standby(world: World) -> None:
    world.members[B].system = "42"


def _foreign_primary(world: World) -> None:
    world.members[A].system = "42"


def _unaware(world: World) -> None:
    world.members[B].unaware = True


def _second_primary(world: World) -> None:
    world.members[B].role = Role.PRIMARY


def _no_service(world: World) -> None:
    world.service = None


def _no_record(world: World) -> None:
    assert world.service is not None
    world.service["metadata"]["annotations"] = {}


def _unreadable_record(world: World) -> None:
    world.relabel("failover/epoch", "five")


def _selector_moved(world: World) -> None:
    world.point_service_at(B)


def _leader_not_in_estate(world: World) -> None:
    world.write(leader="stranger-0")


def _claimed_elsewhere(world: World) -> None:
    world.write(epoch=6, intent=Intent(candidate=B, mode=Mode.PLANNED, run="region/eastus/1"), run="region/eastus/1")


def _unfinished_elsewhere(world: World) -> None:
    world.write(unfinished="region/eastus/1")


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (_lags, "LagTooLarge", f"{B} lags 1073741824 bytes, the limit is 16777216"),
        (_lag_is_unknown, "LagUnknown", f"the lag of {B} is unknown"),
        (_asynchronous, "StandbyAsynchronous", f"{B} is async, the record says sync=none"),
        (_other_timeline, "WrongTimeline", f"{B} is on timeline 2, {A} on 1"),
        (_not_streaming, "NoStandby", f"{B} does not stream from {A}"),
        (_unaware, "NoStandby", f"{A} says that {B} streams from it, the gate of {B} does not see it yet; start again"),
        (_no_disk, "DiskTooFull", f"{B} has 1024 bytes free, the limit is 268435456"),
        (_standby_dead, "Unreachable", f"the gate of {B} does not answer"),
        (_primary_dead, "Unreachable", f"the gate of {A} does not answer"),
        (_foreign_standby, "NoStandby", f"{B} belongs to another system, 42"),
        (_foreign_primary, "RecordDisagrees", f"{A} has system identifier 42"),
        (_second_primary, "TwoPrimaries", B),
        (_no_service, "NoRecord", "postgresql-primary"),
        (_no_record, "NoRecord", "postgresql-primary"),
        (_unreadable_record, "RecordDisagrees", "failover/*"),
        (_selector_moved, "RecordDisagrees", f"sends writes to {B}, but its record names {A}"),
        (_foreign_selector, "RecordDisagrees", "sends writes to every pod with app=ledger, but its record names"),
        (_older_record, "RecordDisagrees", f"names {A} at epoch 5, and {B} has seen epoch 9; a person must decide"),
        (_leader_not_in_estate, "RecordDisagrees", "stranger-0"),
        (_claimed_elsewhere, "ClaimedElsewhere", "region/eastus/1"),
        (_unfinished_elsewhere, "ClaimedElsewhere", "region/eastus/1"),
    ],
)
async def test_refuses_and_changes_nothing(
    temporal: Client, tmp_path: Path, harm: Break, kind: str, words: str
) -> None:  # fmt: skip
    world = World()
    harm(world)
    async with serving(temporal, tmp_path, world, live=False) as bench:
        before = world.snapshot
        handle = await bench.switch()
        refusal = await bench.refused(handle)
        status = await bench.status(handle)
        assert (refusal.type, words in refusal.message) == (kind, True), refusal.message
        assert (status.phase, status.outcome) == ("refused", "refused")
        assert (world.snapshot, world.changed) == (before, [])


async def test_refuses_without_a_standby_in_the_estate(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World((A,))) as bench:
        before = bench.world.snapshot
        assert (await bench.refused(await bench.switch())).type == "NoStandby"
        assert bench.world.snapshot == before


@pytest.mark.parametrize(("wanted", "words"), [(A, "leads already"), ("stranger-0", "is no standby")])
async def test_refuses_a_member_that_cannot_be_the_candidate(bench: Bench, wanted: str, words: str) -> None:
    before = bench.world.snapshot
    refusal = await bench.refused(await bench.switch(to=wanted))
    assert (refusal.type, words in refusal.message) == ("BadInput", True)
    assert bench.world.snapshot == before


async def test_a_plan_is_refused_where_the_real_run_would_be(bench: Bench) -> None:
    bench.world.untouchable = True
    bench.world.members[B].lag_bytes = 2**30
    assert (await bench.refused(await bench.switch(run="plan"))).type == "LagTooLarge"


async def test_a_plan_over_an_unfinished_switch_is_refused(bench: Bench) -> None:
    bench.world.untouchable = True
    _claimed_elsewhere(bench.world)
    assert (await bench.refused(await bench.switch(run="plan"))).type == "ClaimedElsewhere"


@pytest.mark.parametrize(
    ("run", "wrong", "right"),
    [("real", "by-hand", "postgres/"), ("real", "plan/postgres/x", "postgres/"), ("plan", "postgres/x", "plan/postgres/")],
)
async def test_refuses_an_id_that_is_not_the_lock(bench: Bench, run: str, wrong: str, right: str) -> None:
    before = bench.world.snapshot
    request = {"cluster": bench.cluster, "mode": "planned", "run": run, "by": "omar"}
    refusal = await bench.refused(await bench.start(request, id=f"{wrong}-{bench.queue}"))
    assert (refusal.type, f"{right}{bench.cluster}" in refusal.message) == ("WrongWorkflowId", True)
    assert bench.world.snapshot == before


async def test_refuses_a_second_switch_while_one_runs(bench: Bench) -> None:
    bench.world.faults.order("postgres.checkpoint", Fault.HANGS)
    first = await bench.switch()
    with pytest.raises(WorkflowAlreadyStartedError):
        await bench.switch()
    bench.world.faults.release()
    assert (await bench.finished(first)).outcome == "completed"


async def test_a_harmless_edit_of_the_service_is_tried_again(bench: Bench) -> None:
    for number in range(3):
        bench.world.before_patch.append(lambda number=number: bench.world.relabel("team", str(number)))  # type: ignore[misc]
    result = await bench.finished(await bench.switch())
    assert (result.outcome, bench.world.record.leader, bench.world.before_patch) == ("completed", B, [])


async def test_a_record_that_changes_before_the_claim_is_refused(bench: Bench) -> None:
    bench.world.before_patch.append(lambda: bench.world.write(epoch=9, run="gate/other"))
    refusal = await bench.refused(await bench.switch())
    assert (refusal.type, "epoch 9" in refusal.message) == ("RecordChanged", True)
    record = bench.world.record
    assert (record.leader, record.epoch, record.intent) == (A, 9, None)
    assert (bench.world.writers, bench.world.members[A].state.fenced_at) == ([A], None)


async def test_a_secret_that_is_missing_is_named(bench: Bench) -> None:
    before = bench.world.snapshot
    bench.world.secret_missing = "file:/run/secrets/gate/token"
    refusal = await bench.refused(await bench.switch())
    assert (refusal.type, "file:/run/secrets/gate/token" in refusal.message) == ("SecretMissing", True)
    assert bench.world.snapshot == before


@pytest.mark.parametrize("call", ["kubernetes.read_record", "kubernetes.write_record"])
async def test_a_missing_permission_is_said_at_once(bench: Bench, call: str) -> None:
    before = bench.world.snapshot
    bench.world.faults.order(call, Fault.FORBIDDEN)
    refusal = await bench.refused(await bench.switch())
    assert (refusal.type, "see the worker's Role" in refusal.message) == ("Unreachable", True)
    assert bench.world.snapshot == before
