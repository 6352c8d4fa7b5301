"""Front Door, Traffic Manager and Application Gateway against Microsoft's examples, and against what azure-cli recorded."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.lab.azure.application_gateway import ApplicationGateways
from deploy.lab.azure.front_door import FrontDoor
from deploy.lab.azure.names import NameServer
from deploy.lab.azure.network import Network
from deploy.lab.azure.server import Emulator
from deploy.lab.azure.traffic_manager import TrafficManager
from deploy.lab.azure.traffic_profile import Endpoint, Profile
from tests.azure.examples import FOLDER, needed, read, recorded, shape
from tests.azure.imagined_edge import ImaginedEdge
from tests.azure.imagined_gateways import ImaginedGateways
from tests.azure.pair import EMULATOR_HOST, TOKEN
from tests.azure.traffic import Hosts

pytestmark = needed
_KINDS = ("cdn-2024-02-01", "trafficmanager-2022-04-01", "network-2024-01-01")
_OFFICIAL = sorted(path for kind in _KINDS for path in FOLDER.glob(f"{kind}/*.json")) if FOLDER else []
_NOT_SERVED = {
    "AFDEndpoints_Update": 405,
    "Routes_Create": 405,
    "ApplicationGatewayUpdateTags": 405,
    "Profile-PATCH-MonitorConfig": 405,
    "Profile-PUT-WithEndpoints": 405,
    "Profile-PUT-WithNestedEndpoints": 405,
}
"""What the emulator does not do: it says so as for any method that it does not know."""
_BELOW = {
    "AFDEndpoints": "Microsoft.Cdn/profiles/{profileName}/afdEndpoints/{endpointName}",
    "Routes": "Microsoft.Cdn/profiles/{profileName}/afdEndpoints/{endpointName}/routes/{routeName}",
    "AFDOriginGroups": "Microsoft.Cdn/profiles/{profileName}/originGroups/{originGroupName}",
    "AFDOrigins": "Microsoft.Cdn/profiles/{profileName}/originGroups/{originGroupName}/origins/{originName}",
    "Endpoint": "Microsoft.Network/trafficmanagerprofiles/{profileName}/{endpointType}/{endpointName}",
    "Profile": "Microsoft.Network/trafficmanagerprofiles/{profileName}",
    "ApplicationGateway": "Microsoft.Network/applicationGateways/{applicationGatewayName}",
}
_SENT = (
    "endpointUpdateProperties", "originGroupUpdateProperties", "originUpdateProperties", "routeUpdateProperties", "route",
    "contents", "parameters", "probeRequest",
)  # fmt: skip
_METHODS = {"Get": "GET", "List": "GET", "GET": "GET", "Update": "PATCH", "PATCH": "PATCH", "Create": "PUT", "PUT": "PUT"}
_ELSEWHERE = {
    "ApplicationGatewayBackendHealthGet": "/backendhealth",
    "ApplicationGatewayBackendHealthTest": "/getBackendHealthOnDemand",
}


def _request(example: Path) -> tuple[str, str]:
    """Return method and path below the providers of an example, by its name."""
    told, name = read(example)["parameters"], example.stem
    start = re.match(r"ApplicationGateway|[A-Za-z]+(?=[_-])", name)
    assert start
    path = _BELOW[start[0]]
    if "List" in name:
        path = path.rpartition("/")[0]
    if name in _ELSEWHERE or "Purge" in name:
        return "POST", path.format(**told) + _ELSEWHERE.get(name, "/purge")
    method = next(method for word, method in _METHODS.items() if word in name[len(start[0]) :])
    return method, path.format(**told)


def _front(told: dict[str, Any], subscription: str, hosts: Hosts) -> FrontDoor:
    front = FrontDoor(subscription, ImaginedEdge(hosts.probe))
    profile = front.profile(told.get("profileName", "profile1"), told["resourceGroupName"])
    profile.group("origingroup1")
    profile.origin("origingroup1", "origin1", "host1.blob.core.windows.net", None, None)
    profile.endpoint("endpoint1")
    cache = {"queryStringCachingBehavior": "IgnoreQueryString", "queryParameters": None, "compressionSettings": None}
    compression = {"contentTypesToCompress": ["text/html"], "isCompressionEnabled": True}
    other = {"id": "/subscriptions/subid/resourceGroups/RG/providers/Microsoft.Cdn/profiles/profile1/ruleSets/ruleSet1"}
    profile.route(
        "endpoint1", "route1", "origingroup1", customDomains=[other], ruleSets=[other],
        cacheConfiguration={**cache, "compressionSettings": compression},
    )  # fmt: skip
    return front


def _manager(told: dict[str, Any], subscription: str, hosts: Hosts) -> TrafficManager:
    manager = TrafficManager(subscription, hosts.probe, NameServer())
    names = {told.get("endpointName", ""), "My external endpoint"} - {""}
    endpoints = [Endpoint(one, "foobar.contoso.com", location="North Europe") for one in names]
    manager.add(Profile(told.get("profileName", "one"), told["resourceGroupName"], endpoints, routing="Performance"))
    return manager


def _gateways(example: Path, told: dict[str, Any], subscription: str, hosts: Hosts) -> ApplicationGateways:
    gateways = ApplicationGateways(subscription, ImaginedGateways(hosts.probe))
    name, group = told.get("applicationGatewayName", "one"), told["resourceGroupName"]
    properties = copy.deepcopy(
        read(example.with_name("ApplicationGatewayGet.json"))["responses"]["200"]["body"]["properties"]
    )
    if "BackendHealth" in example.stem:
        properties = _behind(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network", name)
    gateways.add(name, group, "westus2", properties)
    return gateways


def _behind(providers: str, name: str) -> dict[str, Any]:
    """Return a gateway that has what the examples of health ask for."""
    here = f"{providers}/applicationGateways/{name}"
    rule = {
        "backendAddressPool": {"id": f"{here}/backendAddressPools/MFAnalyticsPool"},
        "backendHttpSettings": {"id": f"{here}/backendHttpSettingsCollection/MFPoolSettings"},
    }
    addresses = [{"ipAddress": "10.220.1.4"}]
    return {
        "backendAddressPools": [{"name": "MFAnalyticsPool", "properties": {"backendAddresses": addresses}}],
        "backendHttpSettingsCollection": [{"name": "MFPoolSettings", "properties": {"port": 80}}],
        "requestRoutingRules": [{"name": "one", "properties": rule}],
    }


@asynccontextmanager
async def _world(example: Path, pace: float = 0.0001) -> AsyncIterator[str]:
    """Start an emulator in which what the example is about exists; return the URL of the resource group's providers."""
    told, hosts = read(example)["parameters"], Hosts()
    subscription, group = told["subscriptionId"], told["resourceGroupName"]
    emulator = Emulator(subscription, TOKEN, pace=pace)
    if example.parent.name.startswith("cdn"):
        emulator.serve(_front(told, subscription, hosts))
    elif example.parent.name.startswith("traffic"):
        emulator.serve(Network(_manager(told, subscription, hosts)))
    else:
        emulator.serve(Network(_gateways(example, told, subscription, hosts)))
    await emulator.start(EMULATOR_HOST)
    try:
        yield f"{emulator.url}/subscriptions/{subscription}/resourceGroups/{group}/providers"
    finally:
        await emulator.stop()


async def _ask(method: str, url: str, version: str, body: Any = None) -> tuple[int, Any, Mapping[str, str]]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
        session.request(method, url, json=body, params={"api-version": version} if version else None) as answer,
    ):
        return answer.status, await answer.json() if answer.content_length else None, answer.headers


async def _sent(example: Path, providers: str) -> tuple[int, Any, Mapping[str, str]]:
    told = read(example)["parameters"]
    method, path = _request(example)
    body = next((told[name] for name in _SENT if name in told), None)
    return await _ask(method, f"{providers}/{path}", told["api-version"], body)


@pytest.mark.parametrize("example", _OFFICIAL, ids=lambda one: one.stem)
async def test_takes_the_request_and_answers_in_the_form_of(example: Path) -> None:
    expected = read(example)["responses"]
    async with _world(example) as providers:
        status, body, headers = await _sent(example, providers)
        if example.stem in _NOT_SERVED:
            assert status == _NOT_SERVED[example.stem]
            return
        told = expected[str(status)]
        for header, link in told.get("headers", {}).items():
            assert _form(headers[header]) == _form(link)
        if "BackendHealth" in example.stem:
            body, told = await _answered(headers["location"]), expected["200"]
    if "body" in told:
        official = {one for one in shape(told["body"]) if not _ONLY_THERE.search(one[0])}
        assert official - set(shape(body)) == set()


async def _answered(link: str) -> Any:
    async with asyncio.timeout(5):
        while (told := await _ask("GET", link, ""))[0] == 202:
            await asyncio.sleep(0.01)
    assert told[0] == 200
    return told[1]


_ONLY_THERE = re.compile(
    r"privateIPAllocationMethod|publicCertData|validatedCertData|clientCertIssuerDN|verifyClientRevocation|urlPathMaps\[\]\.|"
    r"loadDistributionPolic[a-zA-Z]*\[?|\.rewriteRules|httpListeners\[\]\.properties\.sslPro|redirectConfigurations"
)
"""What these examples show and the request that leads there does not contain, or what only Azure adds."""


def _form(link: str) -> str:
    """Return a link's path without the names, places and numbers in it."""
    path = re.sub(r"\?.*", "", link).partition("/subscriptions/")[2].lower()
    return re.sub(r"(resourcegroups|locations|operationresults|operations)/[^/]+", r"\1/X", path.partition("/")[2])


def test_every_example_is_sent() -> None:
    assert len(_OFFICIAL) == 24
    assert {one.stem for one in _OFFICIAL} > set(_NOT_SERVED)


async def test_a_route_as_it_was_recorded() -> None:
    exchanges = recorded("afd-route-create-2023-12")["exchanges"]
    in_progress, succeeded, after = (one["response"]["body"] for one in exchanges[1:])
    example = next(one for one in _OFFICIAL if one.stem == "Routes_Update")
    async with _world(example, pace=0.005) as providers:
        _, path = _request(example)
        plain: dict[str, Any] = {"cacheConfiguration": None, "ruleSets": [], "customDomains": []}
        status, _, headers = await _ask("PATCH", f"{providers}/{path}", "2023-05-01", {"properties": plain})
        told = [(await _ask("GET", headers["azure-asyncoperation"], ""))[1]]
        while told[-1]["status"] == "InProgress":
            await asyncio.sleep(0.005)
            told.append((await _ask("GET", headers["azure-asyncoperation"], ""))[1])
        _, body, _ = await _ask("GET", f"{providers}/{path}", "2023-05-01")
    assert (status, told[0], told[-1]) == (202, in_progress, succeeded)
    for given in (body["properties"], after["properties"]):
        given["originGroup"] = dict.fromkeys(given["originGroup"], "somewhere")
    assert (body["properties"], body["type"]) == (after["properties"], after["type"])


async def test_a_put_of_a_gateway_as_it_was_recorded() -> None:
    put, got = recorded("appgw-probe-put-2025-11")["exchanges"]
    expected = put["response"]["body_excerpt"]
    example = next(one for one in _OFFICIAL if one.stem == "ApplicationGatewayGet")
    async with _world(example, pace=0.02) as providers:
        _, path = _request(example)
        _, before, _ = await _ask("GET", f"{providers}/{path}", "2025-07-01")
        written = expected["properties"]["probes"][0]["properties"]
        before["properties"]["probes"] = [{"name": "myprobe", "properties": dict(written)}]
        status, body, headers = await _ask("PUT", f"{providers}/{path}", "2025-07-01", before)
        _, right_after, _ = await _ask("GET", f"{providers}/{path}", "2025-07-01")
    assert status == put["response"]["status"]
    assert headers["azure-asyncnotification"] == put["response"]["headers"]["azure-asyncnotification"]
    assert _form(headers["azure-asyncoperation"]) == _form(put["response"]["headers"]["azure-asyncoperation"])
    assert re.fullmatch(r'W/"[0-9a-f-]{36}"', body["etag"])
    assert set(shape(expected)) - set(shape(body)) == set()
    [probe], [official] = body["properties"]["probes"], expected["properties"]["probes"]
    assert (probe["properties"], probe["type"], probe["etag"]) == (official["properties"], official["type"], body["etag"])
    assert right_after["etag"] != body["etag"]
    assert (
        right_after["properties"]["provisioningState"] == got["response"]["body_excerpt"]["properties"]["provisioningState"]
    )
