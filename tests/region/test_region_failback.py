"""A region that was left serves again: everything moves back as a planned move, and the other region goes dark again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.region.failover_models import RegionDetails, RegionPlan
from activities.run.models.todo import Todo, kinds_of
from deploy.lab.azure.faults import Fault as Azure
from estate.base import Region
from tests.fakes.faults import Fault
from tests.region.clusters import API, PODS
from tests.region.failover_bench import RegionFailoverBench, hold_lease
from tests.run.cancels import cancel

_SLEEPING = dict.fromkeys(PODS, 0)
_PATCH: dict[str, Any] = {"method": "PATCH", "path": "*/flexibleServers/*"}


async def _as_before(bench: RegionFailoverBench) -> bool:
    """Whether nothing is left of a failback that did not come about."""
    seen = (await bench.scales(), await bench.there(), await bench.holder(), await bench.leads_there())
    print(seen)
    return seen == (_SLEEPING, (2, "api:dr"), "", True)


async def test_everything_moves_back_and_nothing_is_lost(away: RegionFailoverBench) -> None:
    end, told = await away.ending(await away.back_and_approved())
    assert (end, await away.leads_there(), away.changes()) == ("completed", False, ["PATCH 202"]), told
    report = away.report()
    details, plan = report.of(RegionDetails), report.plan
    assert isinstance(plan, RegionPlan)
    assert (plan.asleep, plan.lossless, details.moved[0].lost, details.healthy) == (tuple(PODS), True, 0, True)
    assert await away.scales() == PODS
    assert (await away.there(), await away.holder()) == ((PODS[API], "api:1"), "")
    assert details.traffic == (f"api: leads to {away.lost}, approved by mona (Manager), dana (DBA), carl (CTO)",)
    notes = await asyncio.to_thread(away.clusters.notes, away.lost)
    assert notes == {name: set() for name in PODS}, "what a failover has noted is done with"


async def test_a_plan_changes_nothing_and_shows_what_would(away: RegionFailoverBench) -> None:
    before = await asyncio.to_thread(away.clusters.versions)
    handle = await away.back(run="plan")
    end, told = await away.ending(handle)
    assert (end, f"{away.lost} would serve instead of {away.surviving}" in told) == ("completed", True), told
    assert await asyncio.to_thread(away.clusters.versions) == before
    text = "".join([str(event) async for event in handle.fetch_history_events()])
    assert f"start: api-deployment (3 pods), agents-deployment (2 pods) in {away.lost}" in text


async def test_applications_that_have_pods_keep_them(away: RegionFailoverBench) -> None:
    await asyncio.to_thread(away.clusters.scale_to, away.lost, API, 7)
    end, told = await away.ending(await away.back_and_approved())
    assert (end, await away.scales()) == ("completed", {**PODS, API: 7}), told


@pytest.mark.parametrize("step", ["region.claim", "region.start_applications", "region.await_ready"])
async def test_a_cancel_puts_everything_back(away: RegionFailoverBench, step: str) -> None:
    held = away.faults.order(step, Fault.OUTLIVES)
    handle = await away.back_and_approved()
    await held.reached.wait()
    await cancel(handle)
    away.faults.release()
    end, told = await away.ending(handle)
    assert (end, away.changes()) == ("cancelled", []), told
    assert await _as_before(away)


async def test_a_database_that_azure_refuses_puts_everything_back(away: RegionFailoverBench) -> None:
    away.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    end, told = await away.ending(await away.back_and_approved())
    assert end == "RolledBack", told
    assert "Deployment api-deployment asks for no pods again" in told
    assert await _as_before(away)
    end, told = await away.ending(await away.back_and_approved())
    assert (end, await away.scales()) == ("completed", PODS), f"the numbers are kept: {told}"


@pytest.mark.parametrize("step", ["region.start_applications", "region.apply_overlay"])
async def test_a_step_that_is_done_and_not_reported_is_done_once(away: RegionFailoverBench, step: str) -> None:
    away.faults.order(step, Fault.UNREPORTED)
    end, told = await away.ending(await away.back_and_approved())
    assert (end, away.changes(), await away.scales()) == ("completed", ["PATCH 202"], PODS), told


async def test_a_second_start_goes_on_where_a_stranded_run_stands(away: RegionFailoverBench) -> None:
    away.faults.order("region.apply_overlay", Fault.REFUSED)
    end, told = await away.ending(await away.back_and_approved())
    assert (end, await away.leads_there()) == ("Stranded", False), told
    assert kinds_of(away.report().left_to_do) == {Todo.OVERLAY}
    assert f"apply {away.light} in {away.surviving}" in told
    end, told = await away.ending(await away.back_and_approved())
    assert (end, away.changes(), await away.there()) == ("completed", ["PATCH 202"], (PODS[API], "api:1")), told


async def test_pods_that_another_run_may_count_on_are_not_taken_away(away: RegionFailoverBench) -> None:
    away.azure.emulator.faults.order(Azure(**_PATCH, status=403, code="AuthorizationFailed"))
    held = away.faults.order("region.await_ready", Fault.HANGS)
    handle = await away.back_and_approved()
    await held.reached.wait()
    await hold_lease(away, "region/elsewhere/break-glass", datetime.now(UTC))
    away.faults.release()
    end, told = await away.ending(handle)
    assert (end, away.changes(), await away.scales()) == ("RollbackIncomplete", [], PODS), told
    assert f"the applications of {away.lost} keep their pods: the run region/elsewhere" in told


async def test_without_a_pilot_light_the_other_region_keeps_its_pods_and_that_is_said(away: RegionFailoverBench) -> None:
    away.change_entry(pilot_light=None)
    handle = await away.back()
    plan = (await away.until_phase(handle, "awaiting approval")).plan
    assert plan is not None
    assert f"{away.surviving} keeps what {away.overlay} has applied" in " ".join(plan.remarks)
    await away.vote(handle)
    end, told = await away.ending(handle)
    assert (end, await away.there()) == ("completed", (2, "api:dr")), told


async def _silent(bench: RegionFailoverBench) -> None:
    await bench.clusters.relays[bench.lost].refuse()


async def _no_note(bench: RegionFailoverBench) -> None:
    await asyncio.to_thread(bench.clusters.forget, bench.lost, API)


async def _cordoned(bench: RegionFailoverBench) -> None:
    async def nodes(region: Region) -> tuple[int, int]:  # noqa: ARG001
        return 0, 1

    bench.regions.nodes = nodes  # type: ignore[method-assign]  # the real one is shared


async def _no_right(bench: RegionFailoverBench) -> None:
    kubectl = bench.clusters.servers[bench.lost].kubectl
    for role in ("failover-region", "failover-region-fence"):
        await asyncio.to_thread(kubectl, "delete", "rolebinding", role, "-n", bench.clusters.space)


async def _broken_light(bench: RegionFailoverBench) -> None:
    bench.light.write_text("{apiVersion: v1, kind: Volcano, metadata: {name: etna}}", encoding="utf-8")


async def _replica_is_gone(bench: RegionFailoverBench) -> None:
    bench.azure.servers.kill(bench.replica_of(await bench.leader()))


_UNMET: dict[str, tuple[Callable[[RegionFailoverBench], Awaitable[None]], str, str]] = {
    "the region is silent": (_silent, "Unreachable", "does not answer"),
    "nothing says how many pods": (_no_note, "NotWhole", "it asks for no pods, and nothing says how many it had"),
    "no node takes pods": (_cordoned, "NodeNotReady", "0 of 1 are Ready and take pods"),
    "a right is missing": (_no_right, "NotAvailable", "we may not "),
    "the pilot light is refused": (_broken_light, "NotWhole", "Volcano etna: the cluster knows no v1 Volcano"),
    "the replica is gone": (_replica_is_gone, "Unreachable", "database aiagent-db"),
}


@pytest.mark.parametrize("what", _UNMET)
async def test_a_precondition_that_does_not_hold_is_named(away: RegionFailoverBench, what: str) -> None:
    make, kind, words = _UNMET[what]
    await make(away)
    end, told = await away.ending(await away.back())
    assert (end, words in told, away.changes()) == (kind, True, []), told
    assert await away.scales() == _SLEEPING


_BAD: dict[str, tuple[dict[str, Any], str]] = {
    "confirm of the other way": ({"confirm": "ACTIVATE DR"}, "confirm: type 'FAIL BACK', as it stands here"),
    "confirm missing": ({"confirm": None}, "confirm: type 'FAIL BACK', as it stands here; got nothing"),
    "a mode": ({"down_since": "2026-11-29T02:00:00Z"}, "down_since: unknown key; known keys are region, confirm"),
}


@pytest.mark.parametrize("what", _BAD)
async def test_bad_input_gets_one_sentence(away: RegionFailoverBench, what: str) -> None:
    request, words = _BAD[what]
    end, told = await away.ending(await away.back(**request))
    assert (end, words in told) == ("BadInput", True), told
