"""What the SDK reads and changes of Front Door, what is refused, and how its operations are told."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.cdn import models as m

from deploy.lab.azure.faults import Fault
from tests.azure.pair import SUBSCRIPTION, TOKEN
from tests.azure.traffic import APP, ENDPOINT, GROUP, LEGACY, PROFILE, ROUTE, Traffic, lay_out

_PROFILES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Cdn/profiles"
_ROUTE = f"{_PROFILES}/{PROFILE}/afdEndpoints/{ENDPOINT}/routes/{ROUTE}"
_ORIGIN = f"{_PROFILES}/{PROFILE}/originGroups/{APP}/origins"


async def _send(
    world: Traffic, method: str, path: str, properties: Any = None, version: str = "2026-10-01"
) -> tuple[int, Any, Any]:
    body = None if properties is None else properties if "contentPaths" in properties else {"properties": properties}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{world.emulator.url}{path}?api-version={version}"
    async with aiohttp.ClientSession(headers=headers) as session, session.request(method, url, json=body) as answer:
        return answer.status, await answer.json() if answer.content_length else None, answer.headers


def _group_id(world: Traffic, name: str) -> str:
    return world.front.profile(PROFILE, GROUP).group_id(name)


async def test_reads_everything(world: Traffic) -> None:
    async with world.cdn() as azure:
        endpoint = await azure.afd_endpoints.get(GROUP, PROFILE, ENDPOINT)
        route = await azure.routes.get(GROUP, PROFILE.upper(), ENDPOINT, ROUTE)
        routes = [one.name async for one in azure.routes.list_by_endpoint(GROUP, PROFILE, ENDPOINT)]
        groups = [one.name async for one in azure.afd_origin_groups.list_by_profile(GROUP, PROFILE)]
        group = await azure.afd_origin_groups.get(GROUP, PROFILE, APP)
        origins = [one async for one in azure.afd_origins.list_by_origin_group(GROUP, PROFILE, APP)]
    assert endpoint.properties
    assert route.properties
    assert group.properties
    assert group.properties.health_probe_settings
    assert endpoint.properties.host_name == "web-0123456789abcdef.z01.azurefd.net"
    assert route.properties.origin_group
    assert route.properties.origin_group.id == _group_id(world, APP)
    assert (routes, groups) == ([ROUTE], [APP, LEGACY])
    assert group.properties.health_probe_settings.probe_path == "/readyz"
    assert [(one.name, one.properties.priority if one.properties else 0) for one in origins] == [("east", 1), ("west", 2)]


async def test_leads_a_route_to_another_group_and_leaves_the_rest_as_it_was(world: Traffic) -> None:
    change = m.RouteUpdateParameters(
        properties=m.RouteUpdatePropertiesParameters(origin_group=m.ResourceReference(id=_group_id(world, LEGACY)))
    )
    async with world.cdn() as azure:
        before = (await azure.routes.get(GROUP, PROFILE, ENDPOINT, ROUTE)).as_dict()
        await (await azure.routes.begin_update(GROUP, PROFILE, ENDPOINT, ROUTE, change)).result()
        after = (await azure.routes.get(GROUP, PROFILE, ENDPOINT, ROUTE)).as_dict()
    assert after["properties"].pop("originGroup") == {"id": _group_id(world, LEGACY)}
    del before["properties"]["originGroup"]
    assert after == before
    assert (after["properties"]["provisioningState"], after["properties"]["deploymentStatus"]) == ("Succeeded", "NotStarted")


async def test_changes_an_origin_and_an_origin_group(world: Traffic) -> None:
    origin = m.AFDOriginUpdateParameters(
        properties=m.AFDOriginUpdatePropertiesParameters(enabled_state="Disabled", priority=5, weight=1)
    )
    probe = m.HealthProbeParameters(probe_path="/live", probe_interval_in_seconds=100)
    group = m.AFDOriginGroupUpdateParameters(
        properties=m.AFDOriginGroupUpdatePropertiesParameters(health_probe_settings=probe)
    )
    async with world.cdn() as azure:
        await (await azure.afd_origins.begin_update(GROUP, PROFILE, APP, "east", origin)).result()
        await (await azure.afd_origin_groups.begin_update(GROUP, PROFILE, APP, group)).result()
        found = (await azure.afd_origins.get(GROUP, PROFILE, APP, "east")).properties
        settings = (await azure.afd_origin_groups.get(GROUP, PROFILE, APP)).properties
    assert found
    assert settings
    assert (found.enabled_state, found.priority, found.weight, found.host_name) == ("Disabled", 5, 1, "east.aiagent.example")
    told = settings.health_probe_settings
    assert told
    assert (told.probe_path, told.probe_interval_in_seconds, told.probe_protocol) == ("/live", 100, None), "replaced whole"
    assert settings.load_balancing_settings
    assert settings.load_balancing_settings.sample_size == 4


async def test_a_null_is_not_the_same_as_nothing(world: Traffic) -> None:
    cache = {"queryStringCachingBehavior": "IgnoreQueryString"}
    seen = []
    for change in ({"cacheConfiguration": cache}, {}, {"cacheConfiguration": None}):
        assert (await _send(world, "PATCH", _ROUTE, change))[0] == 202
        seen.append((await _send(world, "GET", _ROUTE))[1]["properties"]["cacheConfiguration"])
    whole = {**cache, "queryParameters": None, "compressionSettings": None}
    assert seen == [whole, whole, None]


async def test_an_array_is_replaced(world: Traffic) -> None:
    for patterns in (["/a", "/b"], ["/c"]):
        await _send(world, "PATCH", _ROUTE, {"patternsToMatch": patterns})
    assert (await _send(world, "GET", _ROUTE))[1]["properties"]["patternsToMatch"] == ["/c"]


async def test_there_is_no_etag_and_the_last_writer_wins(world: Traffic) -> None:
    async with world.cdn() as azure:
        pollers = [
            await azure.afd_origins.begin_update(
                GROUP, PROFILE, APP, "east",
                m.AFDOriginUpdateParameters(properties=m.AFDOriginUpdatePropertiesParameters(priority=priority)),
                headers={"If-Match": "anything"},
            )
            for priority in (3, 4)
        ]  # fmt: skip
        for poller in pollers:
            await poller.result()
    _, body, headers = await _send(world, "GET", f"{_ORIGIN}/east")
    assert (body["properties"]["priority"], "etag" in body, "ETag" in headers) == (4, False, False)


async def test_purges(world: Traffic) -> None:
    async with world.cdn() as azure:
        what = m.AfdPurgeParameters(content_paths=["/*"], domains=["web.example"])
        await (await azure.afd_endpoints.begin_purge_content(GROUP, PROFILE, ENDPOINT, what)).result()
    assert world.front.purged == [(ENDPOINT, ("/*",))]


_TYPES = {"compressionSettings": {"isCompressionEnabled": True, "contentTypesToCompress": []}}


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        (_ROUTE, {"cacheConfiguration": _TYPES}, "Compression cannot be enabled when content type to compress is empty"),
        (_ROUTE, {"cacheConfiguration": {"compressionSettings": {"isCompressionEnabled": True}}}, "Compression cannot"),
        (_ROUTE, {"originGroup": {"id": f"{_PROFILES}/{PROFILE}/originGroups/none"}}, "make sure that the originGroup"),
        (_ROUTE, {"originGroup": {"id": f"{_PROFILES}/other/originGroups/{APP}"}}, "make sure that the originGroup"),
        (_ROUTE, {"originGroup": {"id": "nonsense"}}, "make sure that the originGroup"),
        (_ROUTE, {"originGroup": None}, "originGroup"),
        (_ROUTE, {"linkToDefaultDomain": "Disabled"}, "custom domain"),
        (_ROUTE, {"enabledState": "Sometimes"}, "enabledState"),
        (f"{_ORIGIN}/east", {"priority": 6}, "priority"),
        (f"{_ORIGIN}/east", {"weight": 0}, "weight"),
        (f"{_ORIGIN}/east", {"enabledState": None}, "enabledState"),
    ],
)
async def test_refuses(world: Traffic, path: str, change: dict[str, Any], said: str) -> None:
    lay_out(world.front, "other")
    before = world.front.state.snapshot()
    status, body, _ = await _send(world, "PATCH", path, change)
    assert (status, body["error"]["code"]) == (400, "BadRequest")
    assert said in body["error"]["message"]
    assert world.front.state.snapshot() == before


async def test_a_property_that_does_not_exist(world: Traffic) -> None:
    status, body, _ = await _send(world, "PATCH", _ROUTE, {"originGroups": []})
    assert (status, body["error"]["code"]) == (400, "InvalidRequestContent")


async def test_a_purge_of_nothing(world: Traffic) -> None:
    path = f"{_PROFILES}/{PROFILE}/afdEndpoints/{ENDPOINT}/purge"
    assert (await _send(world, "POST", path, {"contentPaths": []}))[0] == 400
    assert (await _send(world, "POST", path.replace(ENDPOINT, "none"), {"contentPaths": ["/*"]}))[0] == 404
    assert world.front.purged == []


@pytest.mark.parametrize(
    "path",
    [
        f"{_PROFILES}/none/originGroups", f"{_PROFILES}/none/afdEndpoints/{ENDPOINT}", f"{_ORIGIN}/none",
        f"{_PROFILES}/{PROFILE}/originGroups/none/origins", f"{_PROFILES}/{PROFILE}/afdEndpoints/none/routes",
    ],
)  # fmt: skip
async def test_what_does_not_exist(world: Traffic, path: str) -> None:
    status, body, _ = await _send(world, "GET", path)
    assert (status, body["error"]["code"]) == (404, "ResourceNotFound")


async def test_the_last_enabled_origin_of_a_group_in_use_stays_enabled(world: Traffic) -> None:
    assert (await _send(world, "PATCH", f"{_ORIGIN}/east", {"enabledState": "Disabled"}))[0] == 202
    status, body, _ = await _send(world, "PATCH", f"{_ORIGIN}/west", {"enabledState": "Disabled"})
    assert (status, body["error"]["code"]) == (400, "BadRequest")
    assert "Cannot disable or delete the last origin when the origin group is still" in body["error"]["message"]
    assert (await _send(world, "PATCH", f"{_ORIGIN}/east", {"enabledState": "Enabled"}))[0] == 202
    assert (await _send(world, "PATCH", f"{_ORIGIN}/west", {"enabledState": "Disabled"}))[0] == 202


async def test_the_last_origin_of_a_group_that_nobody_uses_may_be_disabled_and_then_no_route_may_lead_there(
    world: Traffic,
) -> None:
    old = _ORIGIN.replace(f"/{APP}/", f"/{LEGACY}/")
    assert (await _send(world, "PATCH", f"{old}/old", {"enabledState": "Disabled"}))[0] == 202
    status, body, _ = await _send(world, "PATCH", _ROUTE, {"originGroup": {"id": _group_id(world, LEGACY)}})
    assert (status, "at least one enabled origin" in body["error"]["message"]) == (400, True)


async def test_an_operation_carries_an_error_that_is_none(world: Traffic) -> None:
    status, body, headers = await _send(world, "PATCH", f"{_ORIGIN}/east", {"priority": 3})
    assert (status, body["properties"]["provisioningState"], body["properties"]["priority"]) == (202, "Updating", 3)
    assert ("location" in headers, "Retry-After" in headers) == (False, False)
    link = headers["azure-asyncoperation"]
    assert f"/resourcegroups/{GROUP}/providers/Microsoft.Cdn/operationresults/" in link
    told: list[dict[str, Any]] = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        while not told or told[-1]["status"] == "InProgress":
            async with session.get(link) as answer:
                told.append(await answer.json())
            await asyncio.sleep(0.01)
        assert (await session.get(link.replace(f"/{GROUP}/", "/other/"))).status == 403
    assert told[0] == {"status": "InProgress", "error": {"code": "None", "message": None}}
    assert told[-1] == {"status": "Succeeded", "error": {"code": "None", "message": None}}


async def test_an_operation_that_fails_leaves_everything_as_it_was(world: Traffic) -> None:
    world.emulator.faults.order(Fault(method="PATCH", ends="Failed", code="InternalServerError"))
    before = world.front.state.snapshot()
    change = m.AFDOriginUpdateParameters(properties=m.AFDOriginUpdatePropertiesParameters(priority=4))
    async with world.cdn() as azure:
        with pytest.raises(HttpResponseError, match="InternalServerError"):
            await (await azure.afd_origins.begin_update(GROUP, PROFILE, APP, "east", change)).result()
    assert world.front.state.snapshot() == before
