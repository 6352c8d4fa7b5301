"""A region's failover end to end: real API servers, real PostgreSQL behind the emulated Azure, three people who approve."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from temporalio.client import WorkflowExecutionStatus

from activities.region.failover_models import RegionDetails, RegionPlan
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo, kinds_of
from tests.fakes.faults import Fault
from tests.region.bench import DATABASE
from tests.region.clusters import PODS
from tests.region.failover_bench import RegionFailoverBench
from workflows.region.models import flexible_lock_id


async def test_three_people_approve_and_the_other_region_serves(leave: RegionFailoverBench) -> None:
    end, told = await leave.ending(await leave.approved())
    assert (end, await leave.leads_there()) == ("completed", True), told
    assert leave.changes() == ["PATCH 202"]
    report = leave.report()
    details, plan = report.of(RegionDetails), report.plan
    assert isinstance(plan, RegionPlan)
    assert (report.outcome, details.moved[0].lost, details.healthy) == (Outcome.COMPLETED, 0, True)
    assert details.notes == (), "a region that was fenced, and whose servers follow, needs nobody to wait for it"
    assert await leave.scales() == dict.fromkeys(PODS, 0)
    assert await leave.holder() == ""
    assert await leave.there() == (2, "api:dr")
    assert details.ready is not None
    assert details.ready.ready >= 2
    assert leave.application.submitted == ["failover-check"]
    assert details.traffic == (f"api: leads to {leave.surviving}, approved by mona (Manager), dana (DBA), carl (CTO)",)


async def test_the_database_s_own_run_asks_nobody_and_has_the_votes_in_its_report(leave: RegionFailoverBench) -> None:
    handle = await leave.approved()
    assert (await leave.ending(handle))[0] == "completed"
    child = leave.client.get_workflow_handle(flexible_lock_id(DATABASE))
    status = await child.query("status")
    assert status["approval"] is None
    assert (await child.describe()).parent_id == handle.id
    paths = sorted((leave.folder / "records").rglob("report.json"), key=lambda path: path.stat().st_mtime)
    assert '"by":"dana"' in paths[0].read_text(encoding="utf-8").replace(" ", "")


async def test_a_lost_region_is_left_without_a_word_from_it(leave: RegionFailoverBench) -> None:
    await leave.lose_database()
    since = datetime.now(UTC).isoformat()
    await leave.clusters.relays[leave.lost].refuse()
    end, told = await leave.ending(await leave.approved("forced", down_since=since))
    assert (end, await leave.leads_there()) == ("completed", True), told
    report = leave.report()
    details, plan = report.of(RegionDetails), report.plan
    assert isinstance(plan, RegionPlan)
    assert not plan.lossless
    assert 0 < plan.missing_seconds < 90
    assert details.fenced is not None
    assert [one.untouched for one in details.fenced.applications] == [True, True]
    assert await leave.scales() == PODS


async def test_the_plan_names_what_has_no_replica_and_what_may_be_missing(leave: RegionFailoverBench) -> None:
    handle = await leave.leave()
    plan = (await leave.until_phase(handle, "awaiting approval")).plan
    assert plan is not None
    told = "\n".join(plan.remarks)
    assert "LOST OR MISSING: Redis mymaster has no replica" in told
    assert f"loss of {DATABASE}: none: Azure stops writes first" in told
    await handle.cancel()
    assert (await leave.ending(handle))[0] == "cancelled"


async def test_a_plan_changes_nothing(leave: RegionFailoverBench) -> None:
    before = await asyncio.to_thread(leave.clusters.versions)
    handle = await leave.leave(run="plan", confirm=None)
    end, told = await leave.ending(handle)
    assert (end, "would serve instead" in told) == ("completed", True), told
    assert await asyncio.to_thread(leave.clusters.versions) == before
    assert leave.changes() == []
    events = [event async for event in handle.fetch_history_events()]
    text = "".join(str(event) for event in events)
    assert "+ Secret keys" in text
    assert "very secret" not in text
    for image in ("api:1", "api:dr"):
        assert image in text, "the API server's own dry run shows what it would change"


async def test_a_second_start_goes_on_where_a_stranded_run_stands(leave: RegionFailoverBench) -> None:
    leave.faults.order("region.check_application", Fault.REFUSED)
    end, told = await leave.ending(await leave.approved())
    assert (end, await leave.leads_there()) == ("Stranded", True), told
    assert kinds_of(leave.report().left_to_do) == {Todo.CHECK, Todo.SCALE}
    assert await leave.scales() == PODS, "the region that is left serves until the new one is known to"
    end, told = await leave.ending(await leave.approved())
    assert (end, leave.changes()) == ("completed", ["PATCH 202"]), told
    assert await leave.there() == (2, "api:dr")
    plan = leave.report().plan
    assert plan is not None
    assert f"no way back from here: a database leads in {leave.surviving} already" in plan.steps[0]
    assert await leave.scales() == dict.fromkeys(PODS, 0)
    assert await leave.holder() == ""


async def test_a_terminated_run_leaves_a_lease_that_the_next_one_takes(leave: RegionFailoverBench) -> None:
    held = leave.faults.order("region.fence", Fault.OUTLIVES)
    handle = await leave.lost_and_approved()
    await held.reached.wait()
    await handle.terminate()
    leave.faults.release()
    assert str(handle.first_execution_run_id) in (await leave.holder())
    assert await leave.scales() == dict.fromkeys(PODS, 0)
    end, told = await leave.ending(await leave.approved("forced"))
    assert end == "completed", told
    plan = leave.report().plan
    assert isinstance(plan, RegionPlan)
    assert f"the run {handle.id}/{handle.first_execution_run_id} has scaled it down from 3 pods" in " ".join(plan.warnings)
    assert await leave.holder() == ""


async def test_a_run_whose_child_is_terminated_does_not_say_that_all_is_back(leave: RegionFailoverBench) -> None:
    held = leave.faults.order("region.promote", Fault.OUTLIVES)
    handle = await leave.approved()
    await held.reached.wait()
    child = leave.client.get_workflow_handle(flexible_lock_id(DATABASE))
    await child.terminate()
    leave.faults.release()
    end, told = await leave.ending(handle)
    assert (end, (await child.describe()).status) == ("Stranded", WorkflowExecutionStatus.TERMINATED), told
    assert "leads aiagent-db" in told
    assert (await leave.scales(), await leave.there()) == (PODS, (2, "api:dr"))
