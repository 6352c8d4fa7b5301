"""People control a region's failover: it is held where that keeps nobody out, and steps are skipped or forced."""

from __future__ import annotations

import asyncio

from temporalio.client import WorkflowExecutionStatus

from activities.region.failover_models import RegionDetails
from deploy.lab.patience import stretched
from starters.history.model import facts_of
from starters.history.parse import chronicle_of
from starters.render.words import exit_of, headline
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.region.clusters import PODS
from tests.region.failover_bench import RegionFailoverBench
from tests.region.traffic_stand_in import SLOW
from workflows.region.children import traffic_lock_id

_WHY = {"by": "dana", "reason": "no time"}


async def _at_the_fence(bench: RegionFailoverBench) -> Handle:
    """Begin a forced failover that everybody has approved, and wait until its fence hangs."""
    hanging = bench.faults.order("region.fence", Fault.HANGS)
    handle = await bench.approved("forced")
    async with asyncio.timeout(stretched(40)):
        await hanging.reached.wait()
    return handle


async def test_a_hold_after_the_fence_keeps_nobody_out_and_one_before_it_is_undone_by_a_cancel(
    leave: RegionFailoverBench,
) -> None:
    await leave.lose_database()
    handle = await _at_the_fence(leave)
    answer = await handle.execute_update("hold", {**_WHY, "anyway": True})
    assert [one["step"] for one in answer["can_skip"]] == ["ready", "traffic/api", "check"]
    leave.faults.release()
    status = await leave.until_phase(handle, "held")
    assert status.explanation.startswith("held by dana since ")
    assert (await leave.scales(), bool(await leave.holder())) == (dict.fromkeys(PODS, 0), True)
    await handle.cancel()
    assert (await leave.ending(handle))[0] == "cancelled"
    assert await leave.is_as_before()

    handle = await _at_the_fence(leave)
    await handle.execute_update("hold", _WHY)
    leave.faults.release()
    status = await leave.until_phase(handle, "held")
    assert await leave.leads_there()
    assert status.left_to_do[-1].kind == "check"
    assert status.forward_only is True
    await handle.execute_update("release", {"by": "mona"})
    end, told = await leave.ending(handle)
    assert (end, leave.changes()) == ("completed", ["PATCH 202"]), told
    report = leave.report()
    assert report.of(RegionDetails).people_seconds > 0
    assert [one.what.value for one in report.control] == ["hold", "release"]


async def test_ready_and_a_traffic_entry_that_goes_on_are_skipped_and_stay_listed(leave: RegionFailoverBench) -> None:
    leave.change_entry(traffic=[SLOW, "api"], ready={"within": "PT2M"})
    leave.clusters.plays = False
    handle = await leave.approved()
    await leave.until_phase(handle, "waiting for replacements")
    await handle.execute_update("skip", {**_WHY, "step": "ready"})
    await leave.until_phase(handle, "routing")
    child = leave.client.get_workflow_handle(traffic_lock_id(SLOW))
    leave.started.append(child)
    await handle.execute_update("skip", {**_WHY, "step": f"traffic/{SLOW}"})
    end, told = await leave.ending(handle)
    skipped = f"; ready skipped by dana: no time; traffic/{SLOW} skipped by dana: no time"
    assert (end, told.endswith(f" can serve, and not all traffic is known to lead there{skipped}")) == ("completed", True)
    report = leave.report()
    assert [one.message for one in report.left_to_do] == [
        f"traffic {SLOW} leads to {leave.surviving}; its own run goes on: failover status {SLOW} (skipped by dana: no time)",
        f"scale {', '.join(PODS)} in {leave.lost} to zero",
        f"pods app=api in {leave.surviving} are Ready (skipped by dana: no time)",
    ]
    assert await leave.scales() == PODS, "who is not led elsewhere is served still"
    details = report.of(RegionDetails)
    assert ([one.partition(":")[0] for one in details.traffic], details.recovery_seconds) == (["api"], None)
    assert (await child.describe()).status is WorkflowExecutionStatus.RUNNING
    facts = facts_of(chronicle_of((await handle.fetch_history()).events))
    assert (headline(facts), int(exit_of(facts))) == ("Done, but for what was skipped", 1)


async def test_with_one_pod_ready_a_forced_wait_goes_on_and_without_one_it_does_not(leave: RegionFailoverBench) -> None:
    leave.change_entry(ready={"within": "PT2M"})
    leave.clusters.plays = False
    handle = await leave.approved()
    await leave.until_phase(handle, "waiting for replacements")
    before = leave.faults.calls.count("region.await_ready")
    await handle.execute_update("force", {**_WHY, "step": "ready"})
    async with asyncio.timeout(stretched(40)):
        while leave.faults.calls.count("region.await_ready") == before:
            await asyncio.sleep(0.02)
    assert (await leave.status(handle)).phase == "waiting for replacements"
    await asyncio.to_thread(leave.clusters.make_one_ready, leave.surviving, "api-deployment-0", {"app": "api"})
    end, told = await leave.ending(handle)
    assert end == "completed", told
    assert told.endswith("; ready forced by dana: no time")
    (left,) = leave.report().left_to_do
    assert (left.kind, "(forced by dana: no time)" in left.message) == ("ready", True)
    assert leave.application.submitted == ["failover-check"]
