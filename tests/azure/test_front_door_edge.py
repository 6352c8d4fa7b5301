"""The two clocks of the edge: what configuration takes, and what health takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from azure.mgmt.cdn import models as m

from tests.azure.traffic import APP, EAST, ENDPOINT, GROUP, LEGACY, OLD, PROFILE, ROUTE, WEST, Traffic, traffic, until

_PACE = 0.001
_PROPAGATION, _INTERVAL = 600 * _PACE, 30 * _PACE
"""Shorter than Azure's 20 minutes, and still ten times as long as an operation."""


@pytest_asyncio.fixture(loop_scope="session")
async def edge() -> AsyncIterator[Traffic]:
    async with traffic(pace=_PACE, propagation=600) as running:
        await until(lambda: running.hosts.count(WEST) > 4)
        yield running


def _goes_to(world: Traffic) -> str | None:
    return world.edge.origin_for(ENDPOINT)


async def _changed(world: Traffic, origin: str, **properties: Any) -> float:
    """Change an origin of the application's group; return when the operation was seen to have ended."""
    change = m.AFDOriginUpdateParameters(properties=m.AFDOriginUpdatePropertiesParameters(**properties))
    async with world.cdn() as azure:
        await (await azure.afd_origins.begin_update(GROUP, PROFILE, APP, origin, change)).result()
    return time.monotonic()


async def test_sends_to_the_first_by_priority_under_the_endpoints_name_and_its_host_name(edge: Traffic) -> None:
    assert _goes_to(edge) == EAST
    assert edge.edge.origin_for("WEB-0123456789abcdef.z01.azurefd.net") == EAST
    assert edge.edge.origin_for("other") is None


async def test_a_region_that_turns_bad_loses_its_traffic_long_before_a_route_could_have_moved_it(edge: Traffic) -> None:
    begun = time.monotonic()
    edge.hosts.status[EAST] = 503
    await until(lambda: _goes_to(edge) == WEST)
    assert time.monotonic() - begun < _PROPAGATION / 2
    assert (EAST, "/readyz") in edge.hosts.asked
    edge.hosts.status[EAST] = 200
    await until(lambda: _goes_to(edge) == EAST)


@pytest.mark.parametrize("status", [204, 301, 404, 500])
async def test_only_200_is_healthy(edge: Traffic, status: int) -> None:
    edge.hosts.status[EAST] = status
    await until(lambda: _goes_to(edge) == WEST)


async def test_a_single_bad_answer_is_not_enough_and_two_are(edge: Traffic) -> None:
    check = edge.edge.check_of(EAST)
    edge.hosts.status[EAST] = 503
    enough = set()
    while _goes_to(edge) == EAST:
        enough.add(edge.edge.prober.seen(check).failures({200}))
        await asyncio.sleep(0.001)
    assert (max(enough), check.seconds) == (1, 30)


async def test_a_silent_origin_is_unhealthy(edge: Traffic) -> None:
    edge.hosts.silent.add(EAST)
    await until(lambda: _goes_to(edge) == WEST)


async def test_when_none_is_healthy_all_take_turns(edge: Traffic) -> None:
    edge.hosts.status |= {EAST: 500, WEST: 500}
    await until(lambda: {_goes_to(edge) for _ in range(4)} == {EAST, WEST})
    assert [_goes_to(edge) for _ in range(4)] in ([EAST, WEST] * 2, [WEST, EAST] * 2)


async def test_a_changed_priority_is_at_the_edge_only_when_it_has_spread(edge: Traffic) -> None:
    ended = await _changed(edge, "east", priority=5)
    assert _goes_to(edge) == EAST
    assert edge.front.edge.is_spreading
    await until(lambda: _goes_to(edge) == WEST)
    assert _PROPAGATION / 2 < time.monotonic() - ended < 3 * _PROPAGATION


async def test_a_disabled_origin_gets_requests_until_that_has_spread_and_is_not_probed_afterwards(edge: Traffic) -> None:
    await _changed(edge, "east", enabled_state="Disabled")
    assert _goes_to(edge) == EAST
    await until(lambda: _goes_to(edge) == WEST)
    await until(lambda: {one.host for one in edge.edge.prober._due} == {WEST, OLD})


async def test_a_route_leads_to_another_group_only_when_that_has_spread(edge: Traffic) -> None:
    group = m.ResourceReference(id=edge.front.profile(PROFILE, GROUP).group_id(LEGACY))
    change = m.RouteUpdateParameters(properties=m.RouteUpdatePropertiesParameters(origin_group=group))
    async with edge.cdn() as azure:
        await (await azure.routes.begin_update(GROUP, PROFILE, ENDPOINT, ROUTE, change)).result()
        ended = time.monotonic()
        shown = await azure.routes.get(GROUP, PROFILE, ENDPOINT, ROUTE)
    assert shown.properties
    assert shown.properties.origin_group == group
    assert _goes_to(edge) == EAST
    await until(lambda: _goes_to(edge) == OLD)
    assert time.monotonic() - ended > _PROPAGATION / 2


async def test_a_change_behind_another_waits_for_it(edge: Traffic) -> None:
    await _changed(edge, "east", priority=5)
    ended = await _changed(edge, "west", priority=4)
    third = await _changed(edge, "east", priority=3)
    await until(lambda: _goes_to(edge) == WEST)
    await until(lambda: not edge.front.edge.is_spreading)
    took = time.monotonic() - ended
    assert 1.4 * _PROPAGATION < took < 3 * _PROPAGATION, "one that is on its way, then both others together"
    assert third > ended
    assert _goes_to(edge) == EAST


async def test_weight_and_then_the_name_decide_among_equals(edge: Traffic) -> None:
    for priority, weight, expected in ((1, 1000, EAST), (1, 1, EAST)):
        origins = [one for path, one in edge.front.state.resources.items() if path[-1] in {"east", "west"}]
        for origin in origins:
            origin.properties |= {"priority": priority, "weight": weight}
        edge.front.edge.know_all()
        assert _goes_to(edge) == expected
        origins[1].properties["weight"] = weight + 1
        edge.front.edge.know_all()
        assert _goes_to(edge) == WEST


@pytest.mark.parametrize(
    ("ending", "change"),
    [("web", {"enabledState": "Disabled"}), (ROUTE, {"enabledState": "Disabled"}), (ROUTE, {"patternsToMatch": ["/a"]})],
)
async def test_without_a_route_nobody_gets_a_request(edge: Traffic, ending: str, change: dict[str, Any]) -> None:
    next(one for path, one in edge.front.state.resources.items() if path[-1] == ending).properties |= change
    edge.front.edge.know_all()
    assert _goes_to(edge) is None


async def test_a_group_without_probes_is_always_healthy(edge: Traffic) -> None:
    for path, one in edge.front.state.resources.items():
        if path[-2] == "origingroups":
            one.properties["healthProbeSettings"] = None
    edge.front.edge.know_all()
    edge.hosts.status[EAST] = 500
    await until(lambda: not edge.edge.prober._due)
    assert _goes_to(edge) == EAST
