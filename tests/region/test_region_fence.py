"""A region that was left returns: nothing may write there. Real API servers, real PostgreSQL behind the emulated Azure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.testing import ActivityEnvironment

from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.regions import RegionsClient
from activities.region.changing import ServerActivities
from activities.region.failover_models import RegionDetails, RegionOrder
from activities.region.returning import ReturningActivities
from activities.region.returning_models import Goal, Old, RegionFenceDetails, ServerOrder
from activities.run.models.wire import RunId
from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.patience import stretched
from estate.loader import load_estate
from estate.resolving import resolve_region
from tests.fakes.faults import Fault
from tests.region.clusters import PODS
from tests.region.failover_bench import RegionFailoverBench
from tests.region.returning_bench import (
    ask_fence,
    ask_recovery,
    failover_of,
    give_back,
    new_of,
    old_of,
    writing_to_the_old,
)
from workflows.region.fence_models import fence_lock_id

_ZERO = dict.fromkeys(PODS, 0)


async def test_a_region_that_returns_is_fenced_at_first_contact(left: RegionFailoverBench) -> None:
    note = left.report().of(RegionDetails).notes
    assert any(fence_lock_id(left.lost) in one for one in note), note
    async with writing_to_the_old(left) as writer:
        await left.until_phase(left.fence, "waiting for the lost region")
        assert await left.scales() == PODS
        await give_back(left)
        end, told = await left.ending(left.fence)
    assert (end, await left.scales(), await left.leads_there()) == ("completed", _ZERO, True), told
    assert (writer.acknowledged, writer.tried > 3) == (0, True)
    assert left.changes() == ["PATCH 202"], "a replica is left alone"
    details = left.report().of(RegionFenceDetails)
    assert details.returned is not None
    assert [one.old for one in details.returned.databases] == [Old.FOLLOWS]
    assert not details.returned.words


async def test_an_old_primary_that_takes_writes_is_stopped_by_one_request(left: RegionFailoverBench) -> None:
    async with writing_to_the_old(left) as writer:
        await give_back(left, forgets=True)
        end, told = await left.ending(left.fence)
        assert (end, await left.azure.servers.is_up(old_of(left))) == ("completed", False), told
        taken, tried = writer.acknowledged, writer.tried
        async with asyncio.timeout(stretched(20)):
            while writer.tried < tried + 5:
                await asyncio.sleep(0.01)
        assert writer.acknowledged == taken, "a server that is stopped takes no write"
    print(f"an old primary that forgot took {taken} writes before Azure had stopped it")
    assert left.changes() == ["PATCH 202", "POST 202"]
    assert (await left.scales(), await left.is_primary(new_of(left))) == (_ZERO, True)
    report = left.report()
    [changed] = report.of(RegionFenceDetails).changed
    assert (changed.server, changed.goal, changed.done, changed.requests) == (old_of(left), Goal.STOPPED, True, 1)
    assert "region-recovery" in " ".join(report.of(RegionFenceDetails).notes)
    assert [one.by for one in report.votes] == ["mona", "dana", "carl"], "it goes on from what people have approved"


async def test_a_stop_whose_answer_is_lost_is_asked_for_once(left: RegionFailoverBench) -> None:
    left.faults.order("region.change_server", Fault.UNREPORTED)
    left.azure.emulator.faults.order(Azure(method="POST", path="*/stop", drop="after"))
    await give_back(left, forgets=True)
    end, told = await left.ending(left.fence)
    assert (end, await left.azure.servers.is_up(old_of(left))) == ("completed", False), told
    assert left.changes() == ["PATCH 202", "POST 0"]


async def test_where_nobody_knows_who_leads_nothing_is_changed(left: RegionFailoverBench) -> None:
    silent: dict[str, Any] = {"method": "GET", "path": "*/virtualendpoints/*", "times": 0}
    left.azure.emulator.faults.order(Azure(**silent, status=500))
    await give_back(left, forgets=True)
    await asyncio.wait({asyncio.ensure_future(left.fence.result())}, timeout=2)
    assert (await left.scales(), await left.azure.servers.is_up(old_of(left))) == (PODS, True)
    assert left.changes() == ["PATCH 202"]
    left.azure.emulator.faults.clear()
    assert (await left.ending(left.fence))[0] == "completed"
    assert (await left.scales(), await left.azure.servers.is_up(old_of(left))) == (_ZERO, False)


async def test_a_failback_ends_the_wait_and_nothing_is_fenced(left: RegionFailoverBench) -> None:
    failover = await failover_of(left)
    await left.azure.servers.heal(old_of(left))
    await left.until_healthy()
    back = await left.start(to=old_of(left))
    plan = (await left.until_phase(back, "awaiting approval")).plan
    assert plan is not None
    await back.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
    assert (await left.ending(back))[0] == "completed"
    await left.clusters.relays[left.lost].allow()
    end, told = await left.ending(left.fence)
    assert (end, await left.scales()) == ("Superseded", PODS), told
    assert "leads again" in told
    assert left.changes() == ["PATCH 202", "PATCH 202"]
    assert (await left.ending(await ask_recovery(left, failover)))[0] == "MovedAlready"


async def test_a_second_start_begins_no_second_wait_and_a_cancel_leaves_what_is_fenced(left: RegionFailoverBench) -> None:
    first = (await left.fence.describe()).run_id
    end, told = await left.ending(await left.approved("forced"))
    assert (end, (await left.fence.describe()).run_id) == ("completed", first), told
    with pytest.raises(WorkflowAlreadyStartedError):
        await ask_fence(left)
    await left.clusters.relays[left.lost].allow()
    async with asyncio.timeout(stretched(20)):
        while await left.scales() != _ZERO:
            await asyncio.sleep(0.05)
    await left.until_phase(left.fence, "waiting for the lost region")
    await left.fence.cancel()
    assert (await left.ending(left.fence), await left.scales()) == (("cancelled", ""), _ZERO)
    assert "stays fenced" in left.report().reason


async def test_a_region_that_leads_is_not_fenced(leave: RegionFailoverBench) -> None:
    before = await asyncio.to_thread(leave.clusters.versions)
    for run in ("plan", "real"):
        end, told = await leave.ending(await ask_fence(leave, run))
        assert (end, "nothing is fenced there" in told) == ("MovedAlready", True), told
    assert (await asyncio.to_thread(leave.clusters.versions), leave.changes()) == (before, [])


async def test_the_step_itself_asks_who_leads_before_it_scales(leave: RegionFailoverBench) -> None:
    nobody: Any = None
    steps = ReturningActivities((leave.servers, leave.sql), (RegionsClient(KubernetesClient()), nobody, nobody))
    target = resolve_region(load_estate(leave.estate), leave.lost)
    order = RegionOrder(target=target, run=RunId(workflow_id=fence_lock_id(leave.lost), run_id="1"))
    fenced = await ActivityEnvironment().run(steps.fence, order)
    assert [bool(one.error) and one.untouched for one in fenced.applications] == [True, True]
    assert await leave.scales() == PODS
    server = ServerOrder(
        target=target.databases[0], server=old_of(leave), leader=new_of(leave), goal=Goal.STOPPED, run=order.run
    )
    asked = await ActivityEnvironment().run(ServerActivities(leave.servers, leave.sql).change, server)
    assert (f"not known that {new_of(leave)} leads" in asked.refused, leave.changes()) == (True, [])
