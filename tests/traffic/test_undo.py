"""Until clients are served from the new region every failure and every cancel puts the levers back exactly, or says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from activities.run.models.report import Outcome
from activities.traffic.models import HealthFact
from deploy.lab.azure.faults import Fault as Azure
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.run.cancels import cancel
from tests.traffic.bench import AWAY, DR_POOL, HOME, POOL, PROFILE, SHARED, TrafficBench
from tests.traffic.samples import TARGET, survey
from workflows.traffic.models import DnsFailoverRequest
from workflows.traffic.planning import make_traffic_plan
from workflows.traffic.undoing import sick_before

_STEPS = ["traffic.survey", "traffic.change", "traffic.await_change", "traffic.await_served"]
_THERE = ["PATCH 200 east", "PATCH 202 default-route"]


@pytest.mark.parametrize("bench", ["both", "origins"], indirect=True)
@pytest.mark.parametrize("step", _STEPS)
async def test_a_step_that_fails(bench: TrafficBench, step: str) -> None:
    before = bench.settings()
    bench.faults.order(step, Fault.REFUSED)
    end, told = await bench.ending(await bench.start())
    assert bench.settings() == before, told
    await bench.until_served_by(HOME)
    assert end == ("RolledBack" if step in _STEPS[2:] else "NotAvailable"), told


@pytest.mark.parametrize("bench", ["both"], indirect=True)
@pytest.mark.parametrize("step", _STEPS)
@pytest.mark.parametrize("how", [Fault.HANGS, Fault.OUTLIVES])
async def test_a_cancel(bench: TrafficBench, step: str, how: Fault) -> None:
    before = bench.settings()
    held = bench.faults.order(step, how)
    handle = await bench.start()
    await held.reached.wait()
    await cancel(handle)
    bench.faults.release() if how is Fault.OUTLIVES else None
    end, told = await bench.ending(handle)
    if (step, how) == ("traffic.await_served", Fault.OUTLIVES):  # the proof came before the cancel was heard
        assert (end, bench.served_by()) == ("completed", AWAY), told
        return
    assert (end, bench.settings()) == ("cancelled", before)
    await bench.until_served_by(HOME)
    expected = Outcome.CANCELLED if not bench.changes() else Outcome.ROLLED_BACK
    assert bench.report().outcome is expected
    assert bench.changes() == _THERE[: len(bench.changes()) // 2] + _THERE[: len(bench.changes()) // 2][::-1]


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_an_undo_whose_answer_is_lost_puts_back_once(bench: TrafficBench) -> None:
    before = bench.settings()
    bench.faults.order("traffic.await_served", Fault.REFUSED)
    bench.faults.order("traffic.restore", Fault.UNREPORTED)
    end, told = await bench.ending(await bench.start())
    assert (end, bench.settings()) == ("RolledBack", before), told
    assert bench.changes() == [*_THERE, *reversed(_THERE)]


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_an_undo_that_fails_is_said_and_the_others_go_on(bench: TrafficBench) -> None:
    bench.world.emulator.faults.order(
        Azure(method="PATCH", path="*/routes/*", nth=2, times=0, status=403, code="AuthorizationFailed")
    )
    bench.faults.order("traffic.await_served", Fault.REFUSED)
    end, told = await bench.ending(await bench.start())
    assert (end, bench.route()["originGroup"]["id"].endswith(DR_POOL)) == ("RollbackIncomplete", True), told
    assert bench.settings()["east"] == (1, "Enabled")
    assert "AuthorizationFailed" in told
    assert "put back: Traffic Manager endpoint east: priority 1" in told


def _third_party(bench: TrafficBench) -> None:
    """Let somebody else lead the route elsewhere."""
    group = bench.world.front.profile(PROFILE, "aiagent-prod-rg").group_id(SHARED)
    bench.route()["originGroup"] = {"id": group}


async def _meanwhile(bench: TrafficBench, step: str, how: Fault, act: Callable[[TrafficBench], None]) -> Handle:
    held = bench.faults.order(step, how)
    handle = await bench.start()
    await held.reached.wait()
    act(bench)
    return handle


async def test_a_change_by_somebody_else_between_plan_and_change_is_not_overwritten(bench: TrafficBench) -> None:
    handle = await _meanwhile(bench, "traffic.change", Fault.HANGS, _third_party)
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert (end, bench.changes()) == ("ChangedByAnother", []), told
    assert f"was origin group {POOL}, and is origin group {SHARED} now" in told


async def test_a_change_by_somebody_else_right_after_ours_is_seen_and_kept(bench: TrafficBench) -> None:
    handle = await _meanwhile(bench, "traffic.change", Fault.OUTLIVES, _third_party)
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert (end, len(bench.changes())) == ("RollbackIncomplete", 1), told
    assert bench.route()["originGroup"]["id"].endswith(SHARED)


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_a_later_change_by_somebody_else_is_not_put_back(bench: TrafficBench) -> None:
    handle = await _meanwhile(bench, "traffic.await_served", Fault.HANGS, _third_party)
    await handle.cancel()
    end, told = await bench.ending(handle)
    assert end == "RollbackIncomplete", told
    assert bench.route()["originGroup"]["id"].endswith(SHARED)
    assert bench.settings()["east"] == (1, "Enabled"), "what is still ours is put back"
    assert bench.report().outcome is Outcome.ROLLBACK_INCOMPLETE


async def test_what_was_so_already_is_not_ours_to_put_back(bench: TrafficBench) -> None:
    def moved_by_hand(bench: TrafficBench) -> None:
        group = bench.world.front.profile(PROFILE, "aiagent-prod-rg").group_id(DR_POOL)
        bench.route()["originGroup"] = {"id": group}

    handle = await _meanwhile(bench, "traffic.change", Fault.HANGS, moved_by_hand)
    bench.faults.order("traffic.await_served", Fault.REFUSED)
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert (end, bench.changes()) == ("NotAvailable", []), told
    assert bench.route()["originGroup"]["id"].endswith(DR_POOL)


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_a_failure_does_not_lead_back_to_a_region_that_cannot_serve(bench: TrafficBench) -> None:
    held = bench.faults.order("traffic.await_served", Fault.REFUSED)
    bench.site.lost.add(HOME)
    end, told = await bench.ending(await bench.start())
    assert (end, bench.changes(), held.reached.is_set()) == ("Stranded", _THERE, True), told
    assert "nothing was put back, since eastus (East US) is not healthy" in told
    report = bench.report()
    assert report.outcome is Outcome.STRANDED
    assert [one.subject for one in report.left_to_do] == ["default-route", "east"]
    assert "failover start dns-failover aiagent --to eastus" in told


async def test_a_cancel_leads_back_to_a_region_that_cannot_serve(bench: TrafficBench) -> None:
    before, held = bench.settings(), bench.faults.order("traffic.await_served", Fault.HANGS)
    bench.site.lost.add(HOME)
    handle = await bench.start()
    await held.reached.wait()
    await handle.cancel()
    assert (await bench.ending(handle))[0] == "cancelled"
    assert bench.settings() == before
    assert bench.report().outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize(
    ("here", "there", "stays"), [(False, True, True), (True, True, False), (False, False, False), (True, False, False)]
)
def test_levers_stay_moved_only_where_the_old_region_is_lost_and_the_new_one_serves(
    *, here: bool, there: bool, stays: bool
) -> None:
    health = (HealthFact(region=HOME, healthy=here), HealthFact(region=AWAY, healthy=there))
    plan = make_traffic_plan(DnsFailoverRequest(traffic="aiagent", to=AWAY), TARGET, survey())
    assert bool(sick_before(plan.changes, survey(), survey(health=health), AWAY)) is stays
    assert sick_before(plan.changes, survey(), survey(health=()), AWAY) is None, "nobody knows that it is lost"
