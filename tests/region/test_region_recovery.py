"""A region that was left becomes the standby of the one that serves; real PostgreSQL behind the emulated Azure."""

from __future__ import annotations

import asyncio

from activities.region.recovery_models import RegionRecoveryDetails, RegionRecoveryPlan
from activities.region.returning_models import Goal
from activities.run.models.todo import Todo, kinds_of
from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.patience import stretched
from tests.region.bench import DATABASE
from tests.region.clusters import PODS
from tests.region.failover_bench import RegionFailoverBench
from tests.region.returning_bench import ask_recovery, failover_of, give_back, new_of, old_of, recovered
from workflows.region.models import flexible_lock_id

_ZERO = dict.fromkeys(PODS, 0)
_FORGOTTEN = "0198d3c6-0000-7000-8000-000000000001"


def _standby(bench: RegionFailoverBench) -> str:
    return bench.azure.flexible.server(new_of(bench)).ha_mode


async def test_the_pair_is_whole_again(left: RegionFailoverBench) -> None:
    failover = await failover_of(left)
    await give_back(left)
    assert (await left.ending(left.fence))[0] == "completed"
    end, told = await left.ending(await recovered(left, failover))
    assert (end, _standby(left), await left.until_healthy()) == ("completed", "ZoneRedundant", new_of(left)), told
    assert left.changes() == ["PATCH 202", "PATCH 202"], "one promotion, one standby"
    report = left.report()
    details, plan = report.of(RegionRecoveryDetails), report.plan
    assert isinstance(plan, RegionRecoveryPlan)
    assert (plan.repairs, plan.standbys) == (failover, (f"{new_of(left)}: ZoneRedundant",))
    [follower] = details.followers
    assert [one.witness for one in follower.lags] == [new_of(left), old_of(left)]
    assert all(one.behind_bytes is not None and one.behind_seconds is not None for one in follower.lags)
    assert report.left_to_do == ()
    end, told = await left.ending(await recovered(left, failover))
    assert (end, left.changes()) == ("completed", ["PATCH 202", "PATCH 202"]), "what is whole is not changed again"


async def test_it_gives_the_standby_first_and_waits_for_a_region_that_is_silent(left: RegionFailoverBench) -> None:
    handle = await recovered(left, await failover_of(left))
    await left.until_phase(handle, "waiting for the lost region")
    assert (_standby(left), await left.scales()) == ("ZoneRedundant", PODS)
    await give_back(left)
    end, told = await left.ending(handle)
    assert (end, await left.scales()) == ("completed", _ZERO), told
    assert (await left.ending(left.fence))[0] == "completed", "the run that waited has fenced it"


async def test_without_a_run_that_fences_it_fences_itself(left: RegionFailoverBench) -> None:
    await left.fence.cancel()
    await left.ending(left.fence)
    handle = await recovered(left, await failover_of(left))
    await give_back(left)
    end, told = await left.ending(handle)
    assert (end, await left.scales()) == ("completed", _ZERO), told


async def test_a_replica_that_is_stopped_is_started_by_one_request_and_a_lost_answer_is_none(
    left: RegionFailoverBench,
) -> None:
    failover = await failover_of(left)
    await give_back(left)
    assert (await left.ending(left.fence))[0] == "completed"
    await left.until_healthy()
    await left.servers.stop(left.target, old_of(left))
    async with asyncio.timeout(stretched(20)):
        while left.azure.flexible.server(old_of(left)).state != "Stopped":
            await asyncio.sleep(0.05)
    for method, path in (("POST", "*/start"), ("PATCH", "*/flexibleServers/*")):
        left.azure.emulator.faults.order(Azure(method=method, path=path, drop="after"))
    end, told = await left.ending(await recovered(left, failover))
    assert (end, _standby(left), await left.until_healthy()) == ("completed", "ZoneRedundant", new_of(left)), told
    assert left.changes() == ["PATCH 202", "POST 202", "PATCH 0", "POST 0"]
    goals = [one.goal for one in left.report().of(RegionRecoveryDetails).changed]
    assert goals == [Goal.HIGHLY_AVAILABLE, Goal.STARTED]


async def test_a_server_that_stands_alone_is_left_to_a_person_with_the_commands(left: RegionFailoverBench) -> None:
    failover = await failover_of(left)
    await give_back(left, forgets=True)
    assert (await left.ending(left.fence))[0] == "completed"
    end, told = await left.ending(await recovered(left, failover))
    old, new = old_of(left), new_of(left)
    assert end == "Stranded", told
    assert f"az postgres flexible-server delete --subscription {left.target.database.subscription}" in told
    assert f"--name {old} --source-server /subscriptions/" in told
    assert f"--server-name {new} --name aiagent --endpoint-type ReadWrite --members {old}" in told
    assert left.changes() == ["PATCH 202", "POST 202", "PATCH 202"], "nothing is deleted or started"
    report = left.report()
    assert (kinds_of(report.left_to_do), [one.subject for one in report.left_to_do]) == ({Todo.REDUNDANCY}, [old])


async def _refused(bench: RegionFailoverBench, repairs: str) -> str:
    end, told = await bench.ending(await ask_recovery(bench, repairs, "plan"))
    assert end == "BadInput", told
    assert told.startswith("repairs: "), told
    return told


async def test_what_is_repaired_must_be_a_failover_that_has_promoted(left: RegionFailoverBench) -> None:
    failover = await failover_of(left)
    database = await left.client.get_workflow_handle(flexible_lock_id(DATABASE)).describe()
    for unknown in ("nonsense", "0198d3c6-0000-7000-8000-000000000000", str(database.run_id)):
        assert "neither Temporal nor the records know" in await _refused(left, unknown)
    handle = await left.leave("forced")
    assert "goes on still" in await _refused(left, str(handle.first_execution_run_id))
    await left.until_phase(handle, "awaiting approval")
    await handle.cancel()
    await left.ending(handle)
    assert "has promoted nothing" in await _refused(left, str(handle.first_execution_run_id))
    recovery = await ask_recovery(left, failover)
    await left.until_phase(recovery, "awaiting approval")
    await recovery.cancel()
    await left.ending(recovery)
    assert "is a region-recovery" in await _refused(left, str(recovery.first_execution_run_id))
    _forget(left, failover)
    end, told = await left.ending(await ask_recovery(left, _FORGOTTEN, "plan"))
    assert (end, "would follow" in told, left.changes()) == ("completed", True, ["PATCH 202"]), told


def _forget(bench: RegionFailoverBench, failover: str) -> None:
    """Let the records, and not Temporal, know the failover under another run ID."""
    records = bench.folder / "records" / f"region-{bench.lost}"
    texts = [path.read_text(encoding="utf-8") for path in records.glob("*/report.json")]
    [text] = [one for one in texts if f'"run_id": "{failover}"' in one and '"workflow": "region-failover"' in one]
    kept = records / f"2026-11-29T000000Z-{_FORGOTTEN[:8]}" / "report.json"
    kept.parent.mkdir()
    kept.write_text(text.replace(failover, _FORGOTTEN), encoding="utf-8")
