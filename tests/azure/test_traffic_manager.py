"""What the SDK reads and changes of Traffic Manager, what the probes make of it, and what the name then leads to."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.trafficmanager import models as m

from deploy.lab.azure.traffic_profile import Endpoint
from tests.azure.pair import TOKEN
from tests.azure.traffic import EAST, GROUP, MANAGER, NAME, NETWORK, WEST, Traffic, until, word

_EXTERNAL = "ExternalEndpoints"
_PATH = f"{NETWORK}/trafficManagerProfiles/{MANAGER}/externalEndpoints"


async def _update(world: Traffic, name: str, **properties: Any) -> m.Endpoint:
    change = m.Endpoint(properties=m.EndpointProperties(**properties))
    async with world.traffic_manager() as azure:
        return await azure.endpoints.update(GROUP, MANAGER, _EXTERNAL, name, change)


async def _statuses(world: Traffic) -> tuple[str, dict[str, str]]:
    async with world.traffic_manager() as azure:
        profile = await azure.profiles.get(GROUP, MANAGER)
    assert profile.properties
    assert profile.properties.monitor_config
    endpoints = {one.name or "": one.properties for one in profile.properties.endpoints or []}
    shown = {name: word(one.endpoint_monitor_status) for name, one in endpoints.items() if one}
    return word(profile.properties.monitor_config.profile_monitor_status), shown


async def _send(world: Traffic, path: str, body: Any, version: str = "2026-09-01") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{world.emulator.url}{path}?api-version={version}"
    async with aiohttp.ClientSession(headers=headers) as session, session.patch(url, json=body) as answer:
        return answer.status, await answer.json()


def _alias(target: str, ttl: int = 35) -> tuple[str, list[str]]:
    return "NOERROR", [f"{NAME}. {ttl} IN CNAME {target}."]


async def _settled(world: Traffic) -> None:
    await until(lambda: min(world.hosts.count(EAST), world.hosts.count(WEST)) > 3)


async def test_reads_the_profile_and_an_endpoint(world: Traffic) -> None:
    async with world.traffic_manager() as azure:
        profile = await azure.profiles.get(GROUP.upper(), MANAGER.upper())
        endpoint = await azure.endpoints.get(GROUP, MANAGER, _EXTERNAL, "west")
        with pytest.raises(ResourceNotFoundError):
            await azure.endpoints.get(GROUP, MANAGER, "AzureEndpoints", "west")
        with pytest.raises(ResourceNotFoundError):
            await azure.profiles.get(GROUP, "other")
    assert profile.properties
    assert profile.properties.dns_config
    assert endpoint.properties
    assert (profile.properties.traffic_routing_method, profile.properties.dns_config.fqdn) == ("Priority", NAME)
    assert (endpoint.properties.target, endpoint.properties.priority) == (WEST, 2)


async def test_the_name_leads_to_the_first_by_priority_with_the_profiles_time_to_live(world: Traffic) -> None:
    assert await world.resolve(NAME) == _alias(EAST)
    assert await world.resolve(NAME, "AAAA") == _alias(EAST)
    assert (await world.resolve(NAME.upper()))[0] == "NOERROR"
    world.names.add_host(EAST, "10.9.8.7")
    assert (await world.resolve(NAME))[1][1] == f"{EAST}. 30 IN A 10.9.8.7"
    assert await world.resolve("other.trafficmanager.net") == ("NXDOMAIN", [])


async def test_disabling_an_endpoint_moves_the_name_at_once_and_may_be_repeated(world: Traffic) -> None:
    for _ in range(2):
        answer = await _update(world, "east", endpoint_status="Disabled")
        assert answer.properties
        assert (answer.properties.endpoint_status, answer.properties.endpoint_monitor_status) == ("Disabled", "Disabled")
        assert answer.properties.target == EAST, "what was not sent stays"
        assert await world.resolve(NAME) == _alias(WEST)
    await _update(world, "east", endpoint_status="Enabled")
    assert await world.resolve(NAME) == _alias(EAST)


async def test_a_changed_priority_and_weight(world: Traffic) -> None:
    answer = await _update(world, "west", priority=10, weight=7)
    assert answer.properties
    assert (answer.properties.priority, answer.properties.weight) == (10, 7)
    await _update(world, "east", priority=11)
    assert await world.resolve(NAME) == _alias(WEST)


async def test_what_was_read_may_be_sent_back(world: Traffic) -> None:
    async with world.traffic_manager() as azure:
        endpoint = await azure.endpoints.get(GROUP, MANAGER, _EXTERNAL, "west")
        assert endpoint.properties
        endpoint.properties.endpoint_status = "Disabled"
        again = await azure.endpoints.update(GROUP, MANAGER, _EXTERNAL, "west", endpoint)
    assert again.properties
    assert (again.properties.endpoint_status, again.properties.endpoint_monitor_status) == ("Disabled", "Disabled")


async def test_an_endpoint_is_degraded_after_more_bad_probes_than_are_tolerated(world: Traffic) -> None:
    await _settled(world)
    assert await _statuses(world) == ("Online", {"east": "Online", "west": "Online"})
    profile = world.manager.profile(MANAGER)
    check = profile.check(profile.endpoints[0])
    world.hosts.status[EAST] = 503
    tolerated = set()
    while profile.monitored(profile.endpoints[0], world.manager.prober) == "Online":
        tolerated.add(world.manager.prober.seen(check).failures({200}))
        await asyncio.sleep(0.001)
    assert (max(tolerated), check.path) == (2, "/readyz")
    assert await _statuses(world) == ("Degraded", {"east": "Degraded", "west": "Online"})
    assert await world.resolve(NAME) == _alias(WEST)
    world.hosts.status[EAST] = 200
    await until(lambda: profile.monitored(profile.endpoints[0], world.manager.prober) == "Online")
    assert await world.resolve(NAME) == _alias(EAST)


async def test_when_all_are_degraded_all_count_as_healthy(world: Traffic) -> None:
    world.hosts.status |= {EAST: 500, WEST: 500}
    profile = world.manager.profile(MANAGER)
    await until(lambda: {profile.monitored(one, world.manager.prober) for one in profile.endpoints} == {"Degraded"})
    assert await world.resolve(NAME) == _alias(EAST)


async def test_an_endpoint_that_is_not_probed_yet_gets_traffic(world: Traffic) -> None:
    world.manager.profile(MANAGER).endpoints.insert(0, Endpoint("new", "new.aiagent.example", 3))
    world.manager.profile(MANAGER).interval = 100_000
    world.hosts.silent |= {"new.aiagent.example", EAST, WEST}
    status, endpoints = await _statuses(world)
    assert (status, set(endpoints.values())) == ("CheckingEndpoints", {"CheckingEndpoint"})
    assert await world.resolve(NAME) == _alias(EAST)


async def test_without_an_enabled_endpoint_and_without_an_enabled_profile_there_is_no_name(world: Traffic) -> None:
    for name in ("east", "west"):
        await _update(world, name, endpoint_status="Disabled")
    assert await _statuses(world) == ("Inactive", {"east": "Disabled", "west": "Disabled"})
    assert await world.resolve(NAME) == ("NXDOMAIN", [])
    await _update(world, "east", endpoint_status="Enabled")
    world.manager.profile(MANAGER).status = "Disabled"
    assert await _statuses(world) == ("Disabled", {"east": "Inactive", "west": "Disabled"})
    assert await world.resolve(NAME) == ("NXDOMAIN", [])


async def test_an_endpoint_that_always_serves_is_not_probed(world: Traffic) -> None:
    await _settled(world)
    world.hosts.status[EAST] = 500
    await _update(world, "east", always_serve="Enabled")
    assert await _statuses(world) == ("Online", {"east": "Unmonitored", "west": "Online"})
    assert await world.resolve(NAME) == _alias(EAST)


async def test_other_statuses_are_good_if_the_profile_says_so(world: Traffic) -> None:
    world.manager.profile(MANAGER).good = [range(200, 300), range(401, 402)]
    world.hosts.status |= {EAST: 401, WEST: 202}
    profile = world.manager.profile(MANAGER)
    await until(lambda: {profile.monitored(one, world.manager.prober) for one in profile.endpoints} == {"Online"})


async def test_another_routing_than_by_priority_is_not_answered(world: Traffic) -> None:
    world.manager.profile(MANAGER).routing = "Weighted"
    assert await world.resolve(NAME) == ("NXDOMAIN", [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"priority": 2}, "BadRequest"),
        ({"priority": 0}, "BadRequest"),
        ({"weight": 1001}, "BadRequest"),
        ({"endpointStatus": "Off"}, "BadRequest"),
        ({"status": "Disabled"}, "InvalidRequestContent"),
    ],
)
async def test_refuses(world: Traffic, change: dict[str, Any], code: str) -> None:
    status, body = await _send(world, f"{_PATH}/east", {"properties": change})
    assert (status, body["error"]["code"]) == (400, code)
    assert world.manager.profile(MANAGER).endpoints[0] == Endpoint("east", EAST, 1, location="East US")


async def test_each_resource_type_of_the_namespace_has_its_own_versions(world: Traffic) -> None:
    status, body = await _send(world, f"{_PATH}/east", {}, "2026-03-01")
    assert (status, body["error"]["code"]) == (400, "NoRegisteredProviderFound")
    assert (await _send(world, f"{_PATH}/east", {}, "2022-04-01"))[0] == 200


def test_nested_profiles_are_not_emulated() -> None:
    with pytest.raises(ValueError, match="not emulated"):
        Endpoint("one", "two.trafficmanager.net", kind="nestedEndpoints")
