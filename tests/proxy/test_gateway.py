"""The application gateway as HAProxy: what it tells is what happens to requests, and as the tests' gateway would tell it."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.mgmt.network import models as m
from temporalio.client import Client

from deploy.lab.azure.application_gateway_health import members
from deploy.lab.azure.application_gateway_proxy import GatewayProxies
from deploy.lab.haproxy import Haproxy
from deploy.lab.patience import stretched
from deploy.lab.ports import free_port
from tests.azure.imagined_gateways import ImaginedGateways
from tests.gateways.bench import serving
from tests.gateways.world import (
    ADDRESSES,
    DECLARED,
    GATEWAY,
    GROUP,
    ID,
    PATH,
    POOL,
    SETTINGS,
    A,
    B,
    C,
    GatewayWorld,
    gateway_world,
)
from tests.proxy.origins import Customers, answer, until

pytestmark = pytest.mark.usefixtures("_real_servers")
_PACE = 0.002
_PLACE = f"{POOL}.{SETTINGS}.1"


class Bench:
    """The gateway of ``tests.gateways``, with a listener on the loopback."""

    def __init__(self, world: GatewayWorld, proxies: GatewayProxies, address: str) -> None:
        self.world, self._proxies, self.url = world, proxies, f"http://{address}"

    @property
    def proxy(self) -> Haproxy:
        return self._proxies.proxies[GATEWAY]

    async def served(self, count: int = 12) -> set[tuple[int, str]]:
        return {await answer(self.url, PATH) for _ in range(count)}

    async def until_served_by(self, *hosts: str) -> None:
        async def served() -> bool:
            return await self.served() == {(200, host) for host in hosts}

        await until(served)

    async def put(self, backends: tuple[str, ...], **probe: Any) -> None:
        """Change the gateway as its client does, and wait for the operation."""
        self.world.gateway.properties = copy.deepcopy(self.world.gateway.properties)
        async with self.world.traffic.network() as azure:
            gateway = await azure.application_gateways.get(GROUP, GATEWAY)
            assert gateway.properties
            for pool in gateway.properties.backend_address_pools or []:
                if pool.name == POOL and pool.properties:
                    pool.properties.backend_addresses = [
                        m.ApplicationGatewayBackendAddress(ip_address=one) for one in backends
                    ]
            for one in gateway.properties.probes or []:
                if one.properties and one.name != "another":
                    for name, value in probe.items():
                        setattr(one.properties, name, value)
            await (await azure.application_gateways.begin_create_or_update(GROUP, GATEWAY, gateway)).result()
        await self.proxy.settled()


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    proxies = GatewayProxies({GATEWAY: {"http": address}})
    async with gateway_world(_PACE, proxies) as world:
        found = Bench(world, proxies, address)
        await found.proxy.settled()
        await world.until_up()
        yield found


async def test_who_is_down_gets_no_requests_and_the_gateway_says_so(bench: Bench) -> None:
    await bench.until_served_by(*ADDRESSES)
    bench.world.hosts.status[B] = 204
    await bench.world.until_told(B, "Down")
    assert await bench.world.health() == {A: "Up", B: "Down", C: "Up"}
    await bench.until_served_by(A, C)
    del bench.world.hosts.status[B]
    await bench.world.until_told(B, "Up")
    await bench.until_served_by(*ADDRESSES)
    bench.world.hosts.status |= dict.fromkeys(ADDRESSES, 503)
    await until(lambda: _is(bench, {(502, "")}))


async def _is(bench: Bench, expected: set[tuple[int, str]]) -> bool:
    return await bench.served(4) == expected


async def test_a_backend_that_a_put_takes_out_is_gone_and_no_request_fails(bench: Bench) -> None:
    before = bench.proxy.pid
    async with Customers().asking(f"{bench.url}{PATH}", "GET") as customers:
        await bench.put((A, C))
        assert {place for place in await bench.proxy.servers() if place[1] != "BACKEND"} == {(_PLACE, A), (_PLACE, C)}
        assert await bench.served() == {(200, A), (200, C)}
        assert set(await bench.world.health()) == {A, C}
        await bench.put(ADDRESSES)
        await bench.until_served_by(*ADDRESSES)
    assert (set(customers.statuses), bench.proxy.pid) == ({200}, before)


async def test_another_probe_is_used_and_no_request_fails(bench: Bench) -> None:
    before = bench.proxy.pid
    async with Customers().asking(f"{bench.url}{PATH}", "GET") as customers:
        await bench.put(ADDRESSES, interval=20)
        assert bench.proxy.pid != before
        await bench.until_served_by(*ADDRESSES)
    assert set(customers.statuses) == {200}, Counter(customers.statuses)
    await bench.put(ADDRESSES, path="/wrong", unhealthy_threshold=1)
    async with asyncio.timeout(stretched(10)):
        while "Received:404" not in str(await bench.world.gateway.backends.told(bench.world.gateway.running, ID)):
            await asyncio.sleep(0.01)


async def test_tells_what_the_gateway_of_the_other_tests_tells(bench: Bench) -> None:
    """The contract, by the declared probe: statuses, silence, and back again."""
    imagined = ImaginedGateways(bench.world.hosts.probe)
    imagined.work(GATEWAY, bench.world.gateway.running)
    await imagined.begin(bench.world.emulator.operations)
    hosts = bench.world.hosts
    try:
        for status, silent, health in (
            (503, False, "Down"),
            (200, False, "Up"),
            (302, False, "Down"),
            (200, True, "Down"),
            (200, False, "Up"),
        ):
            hosts.status[B], hosts.silent = status, {B} if silent else set()
            async with asyncio.timeout(stretched(10)):
                while True:
                    seen = await imagined.seen(GATEWAY)
                    told = {one[2]: "Up" if seen[one].up else "Down" for one, _ in members(bench.world.gateway.running)}
                    if told == await bench.world.health() == {A: "Up", B: health, C: "Up"}:
                        break
                    await asyncio.sleep(0.01)
    finally:
        await imagined.end()


async def test_a_killed_gateway_works_again_as_its_last_put_says(bench: Bench) -> None:
    await bench.put((A, B))
    before = bench.proxy.pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: bench.proxy.pid != before)
    await bench.proxy.settled()
    await bench.until_served_by(A, B)


async def test_gateway_failover_takes_an_unhealthy_backend_out_of_the_real_one(
    bench: Bench, temporal: Client, tmp_path: Path
) -> None:
    async with serving(temporal, bench.world, tmp_path) as operator:
        bench.world.hosts.status[B] = 503
        await bench.world.until_told(B, "Down")
        end, told = await operator.run()
        assert (end, bench.world.pool()) == ("completed", [A, C]), told
        await bench.proxy.settled()
        assert (_PLACE, B) not in await bench.proxy.servers()
    assert DECLARED["path"] == PATH
