"""The public edge: HAProxy does what the emulated Front Door was told, by both clocks, and as the tests' edge would."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from deploy.lab.azure.server import Emulator
from deploy.lab.patience import stretched
from deploy.lab.regions.edge import PublicEdge
from tests.azure.imagined_edge import ImaginedEdge
from tests.azure.pair import EMULATOR_HOST, SUBSCRIPTION, TOKEN
from tests.azure.traffic import APP, EAST, ENDPOINT, GROUP, LEGACY, OLD, PROFILE, ROUTE, WEST, lay_out
from tests.proxy.origins import Customers, Origin, answer, origins, until, until_served_by

pytestmark = pytest.mark.usefixtures("_real_servers")
_PACE, _PROPAGATION = 0.002, 300
_ADDRESSES = {EAST: "127.0.85.11", WEST: "127.0.85.12", OLD: "127.0.85.13"}


@dataclass
class World:
    """A Front Door with two regions in one group, a second group with one origin, and real servers for all three."""

    edge: PublicEdge
    emulator: Emulator
    servers: dict[str, Origin]

    @property
    def pid(self) -> int:
        assert self.edge.proxy
        return self.edge.proxy.pid

    def change(self, name: str, **properties: Any) -> None:
        """Change a resource by name, as an operation does."""
        [one] = [one for path, one in self.edge.front.state.resources.items() if path[-1] == name]
        one.properties |= properties

    async def known(self) -> None:
        """Let everything be at the edge, and wait for HAProxy."""
        assert self.edge.proxy
        self.edge.front.edge.know_all()
        await self.edge.proxy.settled()

    async def probe(self, host: str, _: str) -> int:
        return self.servers[_ADDRESSES[host]].status

    async def answers(self, count: int) -> set[str | None]:
        """Return which hosts have answered; None: 503."""
        hosts: dict[tuple[int, str], str | None] = {(200, address): host for host, address in _ADDRESSES.items()}
        return {{**hosts, (503, ""): None}[await answer(self.edge.url)] for _ in range(count)}

    async def edge_thinks_down(self, origin: str) -> bool:
        assert self.edge.proxy
        seen = await self.edge.proxy.servers()
        return seen[f"{PROFILE}.{APP}.1", origin].is_up is False

    async def served_by(self, host: str) -> None:
        await until_served_by(self.edge.url, _ADDRESSES[host])


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with origins(*_ADDRESSES.values()) as servers:
        edge = PublicEdge(SUBSCRIPTION, {name: servers[host].address for name, host in _ADDRESSES.items()}, _PROPAGATION)
        lay_out(edge.front)
        emulator = Emulator(SUBSCRIPTION, TOKEN, pace=_PACE)
        emulator.serve(edge.front)
        await emulator.start(EMULATOR_HOST)
        found = World(edge, emulator, servers)
        found.change(APP, healthProbeSettings={"probePath": "/health/ready", "probeIntervalInSeconds": 30})
        found.change(LEGACY, healthProbeSettings={"probePath": "/health/ready", "probeIntervalInSeconds": 30})
        edge.front.edge.know_all()
        try:
            await edge.start(ENDPOINT)
            yield found
        finally:
            await edge.stop()
            await emulator.stop()


async def test_health_moves_traffic_within_the_probes_time_and_without_the_control_plane(world: World) -> None:
    await world.served_by(EAST)
    await world.emulator.stop()
    east = world.servers[_ADDRESSES[EAST]]
    east.status, before = 503, east.probed
    await until(lambda: world.edge_thinks_down("east"))
    assert 2 <= east.probed - before <= 3, "two bad answers; one more may be under way"
    assert await world.answers(5) == {WEST}


async def test_the_route_moves_when_it_has_spread_and_no_request_fails(world: World) -> None:
    await world.served_by(EAST)
    before, propagation = world.pid, _PROPAGATION * _PACE
    async with Customers().asking(world.edge.url) as customers:
        world.change(ROUTE, originGroup={"id": world.edge.front.profile(PROFILE, GROUP).group_id(LEGACY)})
        world.edge.front.edge.changed()
        began = time.monotonic()
        await world.served_by(OLD)
        assert time.monotonic() - began > propagation / 2, "configuration is at the edge only when it has spread"
        await until(lambda: _ADDRESSES[OLD] in customers.by)
    assert (set(customers.statuses), world.pid) == ({200}, before), Counter(customers.statuses)
    assert set(customers.by) == {_ADDRESSES[EAST], _ADDRESSES[OLD]}


async def test_a_killed_edge_serves_again_as_it_was_told_last(world: World) -> None:
    world.change("east", priority=5)
    await world.known()
    before = world.pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: world.pid != before)
    assert world.edge.proxy
    await world.edge.proxy.settled()
    assert await answer(world.edge.url) == (200, _ADDRESSES[WEST])


def _steps(legacy: str) -> list[tuple[dict[str, Any], str | None]]:
    """Return changes of settings and of health, and whom a request is sent to after each of them."""
    return [
        ({}, EAST), ({EAST: 503}, WEST), ({EAST: 200}, EAST), ({EAST: 204}, WEST), ({EAST: 200}, EAST),
        ({WEST: 503}, EAST), ({EAST: 503, WEST: 200}, WEST), ({"east": {"priority": 3}, EAST: 200}, WEST),
        ({"west": {"priority": 5}}, EAST), ({"east": {"enabledState": "Disabled"}}, WEST),
        ({"east": {"enabledState": "Enabled", "priority": 1}}, EAST), ({ROUTE: {"originGroup": {"id": legacy}}}, OLD),
        ({ROUTE: {"enabledState": "Disabled"}}, None), ({ROUTE: {"enabledState": "Enabled"}}, OLD),
        ({ENDPOINT: {"enabledState": "Disabled"}}, None), ({ENDPOINT: {"enabledState": "Enabled"}}, OLD),
        ({OLD: 503, LEGACY: {"healthProbeSettings": None}}, OLD),
    ]  # fmt: skip


async def test_does_what_the_edge_of_the_other_tests_does(world: World) -> None:
    """The contract: every setting that traffic is moved by, and health, at both."""
    imagined = ImaginedEdge(world.probe)
    imagined.begin(world.emulator.operations)
    try:
        for step, host in _steps(world.edge.front.profile(PROFILE, GROUP).group_id(LEGACY)):
            for name, what in step.items():
                if name in _ADDRESSES:
                    world.servers[_ADDRESSES[name]].status = what
                else:
                    world.change(name, **what)
            await world.known()
            imagined.deploy(world.edge.front.state.snapshot())
            async with asyncio.timeout(stretched(5)):
                while await world.answers(6) != {host} or {imagined.origin_for(ENDPOINT) for _ in range(6)} != {host}:
                    await asyncio.sleep(0.01)
    finally:
        await imagined.end()


async def test_when_no_origin_is_healthy_all_take_turns(world: World) -> None:
    for host in (EAST, WEST):
        world.servers[_ADDRESSES[host]].status = 503
    await until(lambda: _both(world))


async def _both(world: World) -> bool:
    return await world.answers(4) == {EAST, WEST}
