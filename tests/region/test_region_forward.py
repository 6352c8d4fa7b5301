"""Past the promotion a region's failover goes forward only: what is not done is listed, and a second start does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.client import Client

from activities.region.failover_models import RegionDetails
from activities.run.errors import Refusal, refuse
from activities.run.models.report import Vote
from activities.run.models.todo import Todo, kinds_of
from tests.azure.pair import AzurePair
from tests.fakes.faults import Fault
from tests.region.clusters import PODS, Clusters
from tests.region.failover_bench import RegionFailoverBench, leaving
from tests.region.traffic_stand_in import BROKEN
from tests.run.cancels import cancel
from workflows.region.children import TRAFFIC, traffic_lock_id
from workflows.run.child_runs import Child, run_child
from workflows.run.models import plan_id
from workflows.run.outcome import Summary


@pytest.mark.parametrize("step", ["region.apply_overlay", "region.await_ready"])
async def test_a_surviving_region_that_is_silent_for_a_while_is_waited_for(leave: RegionFailoverBench, step: str) -> None:
    held = leave.faults.order(step, Fault.HANGS)
    handle = await leave.approved()
    await held.reached.wait()
    relay = leave.clusters.relays[leave.surviving]
    await relay.refuse()
    leave.faults.release()
    await asyncio.wait({asyncio.ensure_future(leave.ending(handle))}, timeout=1.5)
    await relay.allow()
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("completed", ["PATCH 202"]), told


@pytest.mark.parametrize("step", ["region.apply_overlay", "region.await_ready"])
async def test_a_surviving_region_that_stays_silent_strands_the_run(leave: RegionFailoverBench, step: str) -> None:
    held = leave.faults.order(step, Fault.HANGS)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await leave.clusters.relays[leave.surviving].refuse()
    leave.faults.release()
    end, told = await leave.ending(handle)
    left = kinds_of(leave.report().left_to_do)
    assert (end, await leave.leads_there()) == ("Stranded", True), told
    overlay = {Todo.OVERLAY} if step == "region.apply_overlay" else set()
    assert left == {Todo.READY, Todo.TRAFFIC, Todo.CHECK} | overlay
    assert await leave.scales() == dict.fromkeys(PODS, 0)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("step", ["region.claim", "region.hold"])
async def test_a_surviving_region_that_is_silent_before_the_promotion_lets_all_be_put_back(
    leave: RegionFailoverBench, step: str
) -> None:
    held = leave.faults.order(step, Fault.HANGS)
    handle = await leave.approved()
    await held.reached.wait()
    await leave.clusters.relays[leave.surviving].refuse()
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("RolledBack", []), told
    assert "was not given back and expires" in told
    assert await leave.scales() == PODS


async def test_pods_that_are_not_ready_keep_traffic_where_it_is(leave: RegionFailoverBench) -> None:
    leave.clusters.plays = False
    leave.change_entry(ready={"within": "PT2S"})
    end, told = await leave.ending(await leave.lost_and_approved())
    assert end == "Stranded", told
    assert "Deployment api-deployment: 0 of 2 ready" in told
    report = leave.report()
    assert kinds_of(report.left_to_do) == {Todo.READY, Todo.TRAFFIC, Todo.CHECK}
    assert report.of(RegionDetails).traffic == ()


async def test_traffic_that_cannot_be_led_does_not_keep_the_rest_back(leave: RegionFailoverBench) -> None:
    leave.change_entry(traffic=[BROKEN, "api"])
    end, told = await leave.ending(await leave.approved())
    report = leave.report()
    assert (end, [one.subject for one in report.left_to_do if one.kind is Todo.TRAFFIC]) == ("Stranded", [BROKEN]), told
    assert await leave.scales() == PODS, "customers may still reach the region that is left"
    assert len(report.of(RegionDetails).traffic) == 1


@pytest.mark.parametrize("seconds", [1, 30])
async def test_traffic_waits_for_pods_that_are_ready_and_not_reached_yet(
    leave: RegionFailoverBench, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    asked: list[datetime] = []

    async def late(child: Child, votes: tuple[Vote, ...]) -> Summary | None:
        if child.workflow == TRAFFIC:
            asked.append(workflow.now())
            if workflow.now() - asked[0] < timedelta(seconds=seconds):
                raise refuse(Refusal.NOT_WHOLE, "nobody answers there yet")
        return await run_child(child, votes)

    monkeypatch.setattr("workflows.region.moving.run_child", late)
    end, told = await leave.ending(await leave.approved())
    assert (end, len(asked) > 1) == ("completed" if seconds == 1 else "Stranded", True), told


async def test_an_application_that_does_not_answer_is_said(leave: RegionFailoverBench) -> None:
    leave.application.healthy = False
    leave.change_entry(patience="PT2S")
    end, told = await leave.ending(await leave.approved())
    assert (end, kinds_of(leave.report().left_to_do)) == ("Stranded", {Todo.CHECK, Todo.SCALE}), told
    assert "GET /health/ready: 503" in told


async def test_a_cancel_that_comes_too_late_changes_nothing(leave: RegionFailoverBench) -> None:
    held = leave.faults.order("region.check_application", Fault.OUTLIVES)
    handle = await leave.approved()
    await held.reached.wait()
    await cancel(handle)
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, await leave.leads_there()) == ("completed", True), told


@pytest_asyncio.fixture(loop_scope="session")
async def brief(
    temporal: Client, shared: AzurePair, tmp_path: Path, clusters: Clusters
) -> AsyncIterator[RegionFailoverBench]:
    """Give people no time."""
    asked = {"roles": ["Manager", "DBA", "CTO"], "window": "PT0.3S"}
    async with leaving(temporal, shared, tmp_path, clusters, approvals={"planned": asked, "forced": asked}) as one:
        yield one


async def test_an_approval_that_does_not_come_changes_nothing(brief: RegionFailoverBench) -> None:
    before = await asyncio.to_thread(brief.clusters.versions)
    assert (await brief.ending(await brief.leave()))[0] == "ApprovalExpired"
    assert await asyncio.to_thread(brief.clusters.versions) == before


async def test_what_nobody_has_asked_is_not_said_to_serve(leave: RegionFailoverBench) -> None:
    leave.change_entry(traffic=[], checks=None)
    end, told = await leave.ending(await leave.approved())
    assert (end, "nobody asked the application, no traffic was led" in told) == ("completed", True), told
    assert leave.report().of(RegionDetails).recovery_seconds is None


async def test_a_colleague_s_plan_of_the_traffic_is_waited_for(leave: RegionFailoverBench) -> None:
    lock = plan_id(traffic_lock_id("api"))
    plan = await leave.client.start_workflow("dns-failover", {}, id=lock, task_queue="nobody serves it")
    handle = await leave.leave()
    await leave.until_phase(handle, "surveying")
    await asyncio.wait({asyncio.ensure_future(handle.result())}, timeout=1)
    await plan.terminate()
    await leave.until_phase(handle, "awaiting approval")
    await handle.cancel()
    assert (await leave.ending(handle))[0] == "cancelled"
