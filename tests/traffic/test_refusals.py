"""What is not known, or would lead nowhere, is refused, and nothing was changed; what an ended run left is finished."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.traffic.run_models import TrafficDetails
from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.traffic.bench import AWAY, HOME, NAME, TrafficBench, serving
from workflows.run.automatic import handed_on
from workflows.run.phases import Phase
from workflows.traffic.models import traffic_lock_id

_APPROVED: dict[str, Any] = {"approvals": {"planned": {"roles": ["Manager"], "window": "PT1M"}}}


async def _refused(bench: TrafficBench, kind: str, fragment: str, **request: Any) -> None:
    before = bench.settings()
    end, told = await bench.ending(await bench.start(**request))
    assert (end, bench.changes(), bench.settings()) == (kind, [], before), told
    assert fragment in told


async def test_a_region_that_the_entry_does_not_have(bench: TrafficBench) -> None:
    await _refused(bench, "BadInput", "northeurope is no region of aiagent; there is eastus, westus2", to="northeurope")


async def test_a_name_that_the_estate_does_not_list(bench: TrafficBench) -> None:
    handle = await bench.client.start_workflow(
        "dns-failover", {"traffic": "shop", "to": AWAY, "run": "real", "by": "omar"},
        id=traffic_lock_id("shop"), task_queue=bench.queue,
    )  # fmt: skip
    bench.started.append(handle)
    end, told = await bench.ending(handle)
    assert (end, "the estate does not list 'shop'; it lists aiagent" in told) == ("BadInput", True), told


async def test_a_region_that_is_not_healthy(bench: TrafficBench) -> None:
    bench.site.lost.add(AWAY)
    await _refused(bench, "NotWhole", "westus2 (West US 2) is not healthy: ")


async def test_only_a_plan_may_be_made_for_a_region_that_serves_later(bench: TrafficBench) -> None:
    bench.site.lost.add(AWAY)
    await _refused(bench, "BadInput", "serves_later: only with run plan", serves_later=True)
    end, told = await bench.ending(await bench.start(run="plan", serves_later=True))
    assert (end, "1 change would lead aiagent to westus2" in told) == ("completed", True), told


async def test_azure_that_may_not_be_read(bench: TrafficBench) -> None:
    bench.world.emulator.faults.order(
        Azure(method="GET", path="*/routes/*", times=0, status=403, code="AuthorizationFailed")
    )
    await _refused(bench, "Unreachable", "grant the worker Microsoft.Cdn/profiles/afdendpoints/routes/read")


@pytest.mark.parametrize("bench", ["manager"], indirect=True)
async def test_another_routing_than_by_priority(bench: TrafficBench) -> None:
    bench.world.manager.profile("aiagent-tm").routing = "Weighted"
    await _refused(bench, "NotAvailable", "Traffic Manager routes by Weighted")


@pytest.mark.parametrize("bench", ["manager"], indirect=True)
async def test_a_profile_that_is_disabled(bench: TrafficBench) -> None:
    bench.world.manager.profile("aiagent-tm").status = "Disabled"
    await _refused(bench, "NotWhole", "profile aiagent-tm is disabled")


async def test_a_group_without_an_enabled_origin(bench: TrafficBench) -> None:
    path = ("profiles", "aiagent-frontdoor", "origingroups", "dr-region-backend-pool", "origins", "west")
    bench.world.front.state.resources[path].properties["enabledState"] = "Disabled"
    await _refused(bench, "NotWhole", "the origin group of westus2 (West US 2) has no enabled origin")


async def test_an_edge_that_never_follows_is_no_success(temporal: Client, tmp_path: Path) -> None:
    limits = {"ask_every": "PT0.02S", "answers_in_a_row": 5, "edge_within": "PT1S"}
    async with serving(temporal, tmp_path, propagation=100_000, thresholds=limits) as bench:
        before = bench.settings()
        end, told = await bench.ending(await bench.start())
        assert (end, bench.settings()) == ("RolledBack", before), told
        assert "the edge has not answered from westus2 5 times in a row within 0:00:01" in told
        assert "it came from eastus" in told


async def test_answers_that_name_no_region_prove_nothing(bench: TrafficBench) -> None:
    bench.site.header = False
    bench.write_estate(thresholds={"ask_every": "PT0.02S", "answers_in_a_row": 5, "edge_within": "PT1S"})
    end, told = await bench.ending(await bench.start())
    assert (end, "does not tell a region" in told) == ("RolledBack", True), told


async def test_the_body_can_tell_the_region(bench: TrafficBench) -> None:
    bench.site.header = False
    bench.write_estate(edge={"url": f"{bench.site.url}/edge", "header": ""})
    end, told = await bench.ending(await bench.start())
    assert (end, bench.served_by()) == ("completed", AWAY), told


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_a_half_moved_state_is_finished(bench: TrafficBench) -> None:
    held = bench.faults.order("traffic.await_change", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    await handle.terminate("the operator has ended it")
    end, told = await bench.ending(await bench.start())
    assert (end, bench.served_by()) == ("completed", AWAY), told
    assert bench.changes() == ["PATCH 200 east", "PATCH 202 default-route"]


async def test_where_only_the_edge_is_behind_nothing_is_changed_and_the_proof_is_awaited(
    temporal: Client, tmp_path: Path
) -> None:
    async with serving(temporal, tmp_path, propagation=1_000_000) as bench:
        held = bench.faults.order("traffic.await_served", Fault.HANGS)
        handle = await bench.start()
        await held.reached.wait()
        await handle.terminate("the operator has ended it")
        handle = await bench.start()
        await bench.until_phase(handle, Phase.SPREADING)
        bench.world.front.edge.know_all()
        end, told = await bench.ending(handle)
        assert (end, bench.served_by(), len(bench.changes())) == ("completed", AWAY, 1), told
        assert bench.report().of(TrafficDetails).asked == 0


async def test_two_operators_at_once(bench: TrafficBench) -> None:
    bench.faults.order("traffic.survey", Fault.HANGS)
    await bench.start()
    with pytest.raises(WorkflowAlreadyStartedError):
        await bench.start(HOME)


async def _asked(bench: TrafficBench, handle: WorkflowHandle[Any, Any], *, approve: bool) -> None:
    status = await bench.until_phase(handle, Phase.AWAITING_APPROVAL)
    assert status.plan is not None
    vote = {"by": "mona", "plan": status.plan.digest, "approve": approve}
    await handle.execute_update("decide", vote)


@pytest.mark.parametrize("approve", [True, False])
async def test_people_are_asked(temporal: Client, tmp_path: Path, *, approve: bool) -> None:
    async with serving(temporal, tmp_path, **_APPROVED) as bench:
        handle = await bench.start()
        await _asked(bench, handle, approve=approve)
        end, told = await bench.ending(handle)
        assert (end, len(bench.changes())) == (("completed", 1) if approve else ("ApprovalRejected", 0)), told


async def test_another_plan_after_the_approval_voids_it(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, "manager", **_APPROVED) as bench:
        handle = await bench.start()
        await bench.until_phase(handle, Phase.AWAITING_APPROVAL)
        bench.world.manager.profile("aiagent-tm").endpoints[0].priority = 7
        bench.world.manager.profile("aiagent-tm").endpoints[1].priority = 9
        await _asked(bench, handle, approve=True)
        end, told = await bench.ending(handle)
        assert (end, bench.changes()) == ("PlanChanged", []), told


@workflow.defn(name="region-of-a-test")
class _Parent:
    @workflow.run
    async def run(self, queue: str) -> Any:
        return await workflow.execute_child_workflow(
            "dns-failover",
            {"traffic": NAME, "to": AWAY, "run": "real", "by": "omar", "reason": "region-failover eastus: a test"},
            id=traffic_lock_id(NAME),
            task_queue=queue,
            memo=handed_on(),
        )


async def test_a_region_s_run_starts_it_as_a_child_and_it_asks_its_own_people(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, **_APPROVED) as bench:
        queue = f"{bench.queue}-parent"
        async with Worker(temporal, task_queue=queue, workflows=[_Parent], workflow_runner=UnsandboxedWorkflowRunner()):
            parent = await temporal.start_workflow("region-of-a-test", bench.queue, id=queue, task_queue=queue)
            child = temporal.get_workflow_handle(traffic_lock_id(NAME))
            async with asyncio.timeout(20):
                while not bench.world.emulator.log:
                    await asyncio.sleep(0.02)
            await _asked(bench, child, approve=True)
            assert (await parent.result())["outcome"] == "completed"
        assert bench.served_by() == AWAY
