"""Passes in front of a cluster in memory: what they find, since when, and what they leave alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError

from tests.fakes.faults import Fault
from tests.fakes.world import A, B, C, World
from tests.postgres.bench import Bench, serving
from tests.postgres.gone import Gone, take_away
from tests.readiness.bench import Passes, checking, of
from workflows.readiness.models import Readiness


@pytest_asyncio.fixture(loop_scope="session")
async def checked(temporal: Client, tmp_path: Path) -> AsyncIterator[tuple[Bench, Passes]]:
    """Check one healthy cluster."""
    async with serving(temporal, tmp_path, World()) as bench, checking(temporal, bench.queue) as passes:
        yield bench, passes


async def test_a_healthy_cluster_is_ready_and_untouched(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    said = await passes.until(lambda one: one.passes == 1)
    assert said.counts == {"ready": 2, "warning": 0, "blocked": 0, "unknown": 0}
    assert {(one.procedure, one.target, one.variant) for one in said.checks} == {
        ("postgres-failover", bench.lock, "planned"),
        ("postgres-failover", bench.lock, "forced"),
    }
    assert bench.world.changed == []
    assert said.checked_at is not None
    assert said.next_at is not None
    assert (said.next_at - said.checked_at).total_seconds() == 1800


async def test_it_tells_since_when_and_keeps_what_has_changed(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    first = await passes.until(lambda one: one.passes == 1)
    bench.world.members[B].asynchronous = True
    second = await passes.another()
    blocked = of(second, "postgres-failover", "planned")
    assert (blocked.readiness, blocked.reasons[0].refusal) == (Readiness.BLOCKED, "StandbyAsynchronous")
    assert B in blocked.reasons[0].message
    assert blocked.since == second.checked_at
    third = await passes.another()
    assert of(third, "postgres-failover", "planned").since == second.checked_at
    assert of(third, "postgres-failover", "forced").since == first.checked_at
    bench.world.members[B].asynchronous = False
    last = await passes.another()
    assert of(last, "postgres-failover", "planned").readiness is Readiness.READY
    assert [(one.variant, one.before.value, one.after.value) for one in last.changes] == [
        ("planned", "blocked", "ready"),
        ("planned", "ready", "blocked"),
    ]


async def test_an_unfit_second_standby_and_a_lag_near_the_limit_are_warnings(temporal: Client, tmp_path: Path) -> None:
    world = World((A, B, C))
    async with serving(temporal, tmp_path, world) as bench, checking(temporal, bench.queue) as passes:
        await passes.until(lambda one: one.counts.get("ready") == 2)
        world.members[C].disk_free = 5
        world.members[B].lag_bytes = 9 * 2**20
        said = await passes.another()
    found = of(said, "postgres-failover", "planned")
    assert found.readiness is Readiness.WARNING
    assert [one.refusal for one in found.reasons] == ["", ""]
    assert f"{C} could not lead: {C} has 5 bytes free" in found.reasons[0].message
    assert f"{B} lags {9 * 2**20} bytes, more than half of the limit of {16 * 2**20}" in found.reasons[1].message
    assert of(said, "postgres-failover", "forced").readiness is Readiness.READY


async def test_a_pass_that_cannot_be_made_says_unknown_and_the_next_one_reads_the_estate(
    checked: tuple[Bench, Passes],
) -> None:
    bench, passes = checked
    first = await passes.until(lambda one: one.passes == 1)
    good = bench.estate.read_text(encoding="utf-8")
    bench.estate.write_text("postgres: [", encoding="utf-8")
    lost = await passes.another()
    assert (lost.counts["ready"], lost.counts["unknown"]) == (0, 2)
    assert "estate" in lost.unknown
    assert lost.unknown_since == lost.checked_at
    assert lost.unknown_since != first.checked_at
    assert (await passes.memo()).unknown == lost.unknown
    bench.estate.write_text(good.replace(f"{bench.cluster}:", "another:") + "readiness: {every: PT1H}\n", encoding="utf-8")
    again = await passes.another()
    assert {one.target for one in again.checks} == {"postgres/another"}
    assert (again.unknown, again.counts["ready"]) == ("", 2)
    assert again.next_at is not None
    assert again.checked_at is not None
    assert (again.next_at - again.checked_at).total_seconds() == 3600


async def test_a_dead_primary_leaves_the_forced_way_ready(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    await passes.until(lambda one: one.passes == 1)
    take_away(bench.world, Gone.DEAD)
    said = await passes.another()
    planned, forced = (of(said, "postgres-failover", mode) for mode in ("planned", "forced"))
    assert (planned.readiness, planned.reasons[0].refusal) == (Readiness.UNKNOWN, "Unreachable")
    assert forced.readiness is Readiness.READY


async def test_a_colleagues_plan_goes_on_beside_a_pass(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    await passes.until(lambda one: one.passes == 1)
    hanging = bench.world.faults.order("postgres.survey", Fault.HANGS)
    plan = await bench.switch(run="plan")
    await hanging.reached.wait()
    said = await passes.another()
    assert said.counts["ready"] == 2
    hanging.released.set()
    assert await bench.ending(plan) == "completed"


async def test_a_dry_run_that_somebody_ends_is_unknown_and_the_pass_goes_on(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    await passes.until(lambda one: one.passes == 1)
    hanging = bench.world.faults.order("postgres.survey", Fault.HANGS)
    await passes.handle.signal("look_now")
    await hanging.reached.wait()
    ended = [f"plan/readiness/postgres-failover/{bench.lock}/{mode}" for mode in ("planned", "forced")]
    for one in ended:
        with suppress(RPCError):  # one of them has ended
            await bench.client.get_workflow_handle(one).terminate("somebody")
    said = await passes.until(lambda one: one.passes == 2)
    hanging.released.set()
    assert said.counts["unknown"] >= 1
    assert said.counts["blocked"] == 0


async def test_a_pass_survives_its_worker(checked: tuple[Bench, Passes]) -> None:
    bench, passes = checked
    await passes.until(lambda one: one.passes == 1)
    hanging = bench.world.faults.order("postgres.survey", Fault.HANGS)
    await passes.handle.signal("look_now")
    await hanging.reached.wait()
    hanging.released.set()
    await bench.stop_worker()
    bench.start_worker()
    said = await passes.until(lambda one: one.passes == 2)
    assert said.counts["ready"] == 2


async def test_another_workflow_id_is_refused(checked: tuple[Bench, Passes]) -> None:
    bench, _ = checked
    refusal = await bench.refused(await bench.start({}, workflow="failover-readiness", id="readiness-2026-11-30"))
    assert (refusal.type, "start it as readiness" in refusal.message) == ("WrongWorkflowId", True)
