"""What an application gateway says of the servers behind it: by its own probes, by the default one, and on demand."""

from __future__ import annotations

import asyncio
import copy

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.network import models as m

from deploy.lab.azure.application_gateway_health import Rule, rule_of
from deploy.lab.azure.faults import Fault
from tests.azure.pair import TOKEN
from tests.azure.test_application_gateway import put, read_gateway, send, with_probe
from tests.azure.traffic import GATEWAY, GATEWAY_ID, GATEWAY_SERVERS, GROUP, Traffic, until, word

_FIRST, _SECOND = GATEWAY_SERVERS
_POOL, _PLAIN = f"{GATEWAY_ID}/backendAddressPools/servers", f"{GATEWAY_ID}/backendHttpSettingsCollection/plain"


async def _health(world: Traffic) -> dict[str | None, str | None]:
    async with world.network() as azure:
        found = await (await azure.application_gateways.begin_backend_health(GROUP, GATEWAY)).result()
    [pool] = found.backend_address_pools or []
    [settings] = pool.backend_http_settings_collection or []
    assert pool.backend_address_pool
    assert settings.backend_http_settings
    assert (pool.backend_address_pool.id, settings.backend_http_settings.id) == (_POOL, _PLAIN)
    return {one.address: word(one.health) for one in settings.servers or []}


async def test_tells_who_is_up_and_who_is_down_by_its_own_probe(world: Traffic) -> None:
    await put(
        world,
        with_probe(await read_gateway(world), match=m.ApplicationGatewayProbeHealthResponseMatch(status_codes=["200"])),
    )
    rule = rule_of(world.gateways.gateway(GATEWAY).running, "plain")
    assert rule == Rule("/readyz", interval=5, timeout=5, threshold=2, match=("200",))
    world.hosts.status[_SECOND] = 204
    world.hosts.asked.clear()
    await until(lambda: world.hosts.count(_SECOND) > 4)
    assert await _health(world) == {_FIRST: "Up", _SECOND: "Down"}
    assert (_SECOND, "/readyz") in world.hosts.asked


async def test_the_default_probe_takes_more_for_good_and_gives_more_time(world: Traffic) -> None:
    world.hosts.status[_FIRST] = 302
    await until(lambda: world.hosts.count(_FIRST) > 0)
    assert await _health(world) == {_FIRST: "Up", _SECOND: "Up"}
    gateway = world.gateways.gateway(GATEWAY)
    [check] = [one for one in world.servers.prober._due if one.host == _FIRST]
    assert (check.path, check.seconds) == ("/", 30)
    world.hosts.silent.add(_FIRST)
    seen = world.servers.prober.seen(check)
    await until(lambda: seen.failures({200, 302}) == 2)
    told = await gateway.backends.told(gateway.running, GATEWAY_ID)
    assert told["backendAddressPools"][0]["backendHttpSettingsCollection"][0]["servers"][0]["health"] == "Up"
    await until(lambda: seen.failures({200, 302}) > 2)
    assert await _health(world) == {_FIRST: "Down", _SECOND: "Up"}


async def test_says_unknown_before_it_knows_and_other_words_if_a_test_wants_them(world: Traffic) -> None:
    gateway = world.gateways.gateway(GATEWAY)
    changed = copy.deepcopy(gateway.running)
    pool = changed["backendAddressPools"][0]["properties"]
    world.hosts.silent.add("10.1.0.9")
    pool["backendAddresses"] = [{"fqdn": "10.1.0.9"}, {"ipAddress": _FIRST}, {"ipAddress": _SECOND}]
    world.gateways.run(gateway, changed)
    gateway.backends.shows = {_FIRST: "Draining", _SECOND: "Partial"}
    assert await _health(world) == {"10.1.0.9": "Unknown", _FIRST: "Draining", _SECOND: "Partial"}


async def test_a_question_answers_202_until_there_is_an_answer(world: Traffic) -> None:
    world.emulator.operations.pace = 0.02
    status, body, headers = await send(world, "POST", f"{GATEWAY_ID}/backendhealth")
    assert (status, body, "azure-asyncoperation" in headers) == (202, None, False)
    assert "/providers/Microsoft.Network/locations/eastus/operationResults/" in headers["location"]
    statuses: list[int] = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        while not statuses or statuses[-1] == 202:
            async with session.get(headers["location"]) as answer:
                statuses.append(answer.status)
            await asyncio.sleep(0.01)
    assert (statuses[0], statuses[-1]) == (202, 200)


async def test_a_question_may_fail(world: Traffic) -> None:
    world.emulator.faults.order(Fault(method="POST", ends="Failed", code="InternalServerError"))
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        await _health(world)


async def test_probes_on_demand(world: Traffic) -> None:
    world.hosts.status[_SECOND] = 503
    asked = m.ApplicationGatewayOnDemandProbe(
        protocol="Http", path="/deep", timeout=30, pick_host_name_from_backend_http_settings=True,
        backend_address_pool=m.SubResource(id=_POOL), backend_http_settings=m.SubResource(id=_PLAIN),
    )  # fmt: skip
    async with world.network() as azure:
        gateways = azure.application_gateways
        found = await (await gateways.begin_backend_health_on_demand(GROUP, GATEWAY, asked)).result()
        asked.backend_address_pool = m.SubResource(id=_POOL + "x")
        with pytest.raises(HttpResponseError, match="InvalidResourceReference"):
            await gateways.begin_backend_health_on_demand(GROUP, GATEWAY, asked)
    assert found.backend_health_http_settings
    servers = {one.address: word(one.health) for one in found.backend_health_http_settings.servers or []}
    assert servers == {_FIRST: "Up", _SECOND: "Down"}
    assert (_FIRST, "/deep") in world.hosts.asked
