"""Traffic moves to another region: each lever once, and the end is what the edge and DNS answer, not what Azure says."""

from __future__ import annotations

import pytest

from activities.run.models.report import Outcome
from activities.traffic.models import TrafficDetails, TrafficPlan
from tests.traffic.bench import AWAY, COMPRESSION, DR_POOL, HOME, LAYOUTS, TrafficBench

_CHANGES = {
    "groups": ["PATCH 202 default-route"],
    "origins": ["PATCH 202 east"],
    "manager": ["PATCH 200 east"],
    "both": ["PATCH 200 east", "PATCH 202 default-route"],
}


@pytest.mark.parametrize("bench", LAYOUTS, indirect=True)
async def test_clients_are_served_from_the_other_region_and_azure_is_asked_once(bench: TrafficBench) -> None:
    assert bench.served_by() == HOME
    end, told = await bench.ending(await bench.start())
    assert (end, bench.served_by()) == ("completed", AWAY), told
    assert bench.changes() == _CHANGES[bench.layout]
    report = bench.report()
    assert report.outcome is Outcome.COMPLETED
    details = report.of(TrafficDetails)
    assert details.served is not None
    proofs = [details.served.edge, *([details.served.name] if details.served.name else [])]
    assert len(proofs) == 1 + ("traffic_manager" in LAYOUTS[bench.layout])
    for proof in proofs:
        assert details.azure_done_at is not None
        assert proof.all_from is not None
        assert proof.first_at is not None
        assert details.azure_done_at <= proof.first_at <= proof.all_from
        assert proof.answers >= 5
    if details.served.name is not None:
        assert details.served.name.ttl_seconds == 35


async def test_the_rest_of_the_route_stays(bench: TrafficBench) -> None:
    before = bench.route()
    await bench.ending(await bench.start())
    after = bench.route()
    assert after["originGroup"]["id"].endswith(DR_POOL)
    assert {**after, "originGroup": None} == {**before, "originGroup": None}
    assert after["cacheConfiguration"] == COMPRESSION
    assert bench.report().of(TrafficDetails).notes == ()


@pytest.mark.parametrize("bench", LAYOUTS, indirect=True)
async def test_there_and_back_and_there_again(bench: TrafficBench) -> None:
    for region in (AWAY, HOME, AWAY, HOME):
        end, told = await bench.ending(await bench.start(region))
        assert (end, bench.served_by()) == ("completed", region), told
    assert len(bench.changes()) == 4 * len(_CHANGES[bench.layout])


@pytest.mark.parametrize("bench", LAYOUTS, indirect=True)
async def test_a_dry_run_changes_nothing_and_says_what_would(bench: TrafficBench) -> None:
    before = bench.settings()
    end, told = await bench.ending(await bench.start(run="plan"))
    assert (end, "nothing was changed" in told) == ("completed", True), told
    assert (bench.settings(), bench.changes()) == (before, [])


async def test_a_second_start_does_not_move_it_again(bench: TrafficBench) -> None:
    await bench.ending(await bench.start())
    asked = bench.changes()
    end, told = await bench.ending(await bench.start())
    assert (end, bench.changes()) == ("MovedAlready", asked), told


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_the_plan_says_where_the_traffic_goes_by_each_source(bench: TrafficBench) -> None:
    await bench.ending(await bench.start())
    plan = bench.report().plan
    assert isinstance(plan, TrafficPlan)
    assert [str(one) for one in plan.changes] == [
        "Traffic Manager endpoint east: priority 1 → priority 3",
        "Front Door route default-route: origin group primary-region-backend-pool → origin group dr-region-backend-pool",
    ]
    assert plan.now == (
        f"Azure's settings of Traffic Manager prefer {HOME}",
        f"Azure's settings of Front Door prefer {HOME}",
        f"traffic goes to, by the edge: {HOME}",
        f"traffic goes to, by DNS: {HOME}, time to live 35 s",
    )
