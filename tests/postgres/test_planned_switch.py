"""A planned switch that goes well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.postgres.models.plan import PostgresPlan
from tests.fakes.world import A, B, C, World
from tests.postgres.bench import Bench, serving
from workflows.run.outcome import Summary


async def test_moves_writes_to_the_standby_and_makes_the_old_primary_follow(bench: Bench) -> None:
    result = await bench.finished(await bench.switch())
    record = bench.world.record
    assert (result.outcome, result.leader, result.lost) == ("completed", B, 0)
    assert (record.leader, record.selector, record.epoch, record.previous) == (B, B, 6, A)
    assert (record.intent, record.unfinished, record.sync) == (None, "", A)
    assert bench.world.writers == [B]
    assert bench.world.members[A].following == B
    assert bench.world.deployments["api-deployment"].restarts == 1
    assert bench.world.deployments["worker-deployment"].restarts == 0


async def test_keeps_report_and_history_with_every_figure(bench: Bench) -> None:
    result = await bench.finished(await bench.switch())
    report, history = (json.loads(text) for text in _kept(result))
    assert history["events"]
    assert (report["outcome"], report["by"], report["details"]["epoch"]) == ("completed", "omar", 6)
    assert report["measurement"]["outage_seconds"] == result.outage_seconds != 0
    assert report["plan"]
    for part in ("survey", "fenced", "promoted", "routed", "verified", "redundancy"):
        assert report["details"][part], part
    assert report["details"]["reconnected"][0]["deployment"] == "api-deployment"
    assert report["left_to_do"] == []


async def test_a_plan_changes_nothing_and_says_what_would_change(bench: Bench) -> None:
    bench.world.untouchable = True
    before = bench.world.snapshot
    handle = await bench.switch(run="plan")
    result = await bench.finished(handle)
    status = await bench.status(handle)
    assert (result.outcome, status.phase) == ("dry run", "completed")
    assert isinstance(status.plan, PostgresPlan)
    assert (status.plan.primary, status.plan.candidate, status.plan.epoch) == (A, B, 5)
    assert [step.partition(":")[0] for step in status.plan.steps] == [
        "checkpoint", "claim", "fence", "promote", "route", "verify", "evict", "reconnect", "restore redundancy"
    ]  # fmt: skip
    assert bench.world.changed == []
    assert bench.world.snapshot == before
    assert result.records == ()


async def test_a_world_that_refuses_changes_fails_a_real_run(bench: Bench) -> None:
    bench.world.untouchable = True
    before = bench.world.snapshot
    assert (await bench.refused(await bench.switch())).type == "NotAvailable"
    assert bench.world.snapshot == before


async def test_moves_writes_back_and_forth_under_the_same_lock(bench: Bench) -> None:
    await bench.finished(await bench.switch())
    result = await bench.finished(await bench.switch())
    assert (result.leader, bench.world.record.epoch, bench.world.writers) == (A, 7, [A])


async def test_prefers_the_member_that_was_asked_for(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World((A, B, C))) as bench:
        result = await bench.finished(await bench.switch(to=C))
        assert (result.leader, bench.world.writers) == (C, [C])
        assert bench.world.members[B].following == C


async def test_is_not_over_before_commits_wait_for_a_standby_again(bench: Bench) -> None:
    bench.world.members[A].asynchronous = True
    handle = await bench.switch()
    await bench.until_phase(handle, "restoring redundancy")
    await bench.until(lambda: bench.world.members[A].following == B)
    calls = len(bench.world.faults.calls)
    await bench.until(lambda: bench.world.faults.calls[calls:].count("kubernetes.read_record") > 3)
    assert (await bench.status(handle)).phase == "restoring redundancy"
    bench.world.members[A].asynchronous = False
    assert (await bench.finished(handle)).outcome == "completed"


@pytest.mark.parametrize("endpoints", [(A,), (A, B), ()])
async def test_is_not_verified_before_the_endpoints_have_followed(bench: Bench, endpoints: tuple[str, ...]) -> None:
    bench.world.endpoints = endpoints
    handle = await bench.switch()
    await bench.until(lambda: bench.world.faults.calls.count("kubernetes.endpoints") > 3)
    assert (await bench.status(handle)).phase == "verifying"
    bench.world.endpoints = None
    assert (await bench.finished(handle)).outcome == "completed"


async def test_a_new_leader_that_refuses_our_own_write_is_an_answer_and_holds_nothing_up(bench: Bench) -> None:
    bench.world.refuses_writes = "DDL is frozen: ask the release team (SQLSTATE P0001)"
    handle = await bench.switch()
    failed = await bench.refused(handle)
    assert failed.type == "Stranded"
    status = await bench.status(handle)
    (left,) = status.left_to_do
    assert (left.kind, left.subject, "ask the release team (SQLSTATE P0001)" in left.message) == ("verify", B, True)
    assert (bench.world.record.leader, bench.world.record.unfinished, bench.world.record.sync) == (B, "", A)
    assert bench.world.deployments["api-deployment"].restarts == 1


def _kept(result: Summary) -> list[str]:
    return [Path(path).read_text(encoding="utf-8") for path in result.records]
