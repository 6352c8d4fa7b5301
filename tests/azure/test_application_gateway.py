"""What the SDK reads and changes of an application gateway: the lost update, and what a second PUT meets."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.network import models as m

from deploy.lab.azure.faults import Fault
from tests.azure.pair import TOKEN
from tests.azure.traffic import (
    GATEWAY,
    GATEWAY_ID,
    GROUP,
    Traffic,
    gateway_properties,
    traffic,
    until,
)


@pytest_asyncio.fixture(loop_scope="session")
async def slow() -> AsyncIterator[Traffic]:
    """Run so that an operation takes 0.6 s."""
    async with traffic(pace=0.01) as running:
        yield running


async def read_gateway(world: Traffic) -> m.ApplicationGateway:
    async with world.network() as azure:
        return await azure.application_gateways.get(GROUP, GATEWAY)


def with_probe(gateway: m.ApplicationGateway, name: str = "ready", **properties: Any) -> m.ApplicationGateway:
    """Add a probe, as the runbook does, and let the settings use it."""
    told = {"protocol": "Http", "path": "/readyz", "interval": 5, "timeout": 5, "unhealthy_threshold": 2, **properties}
    probe = m.ApplicationGatewayProbe(name=name, properties=m.ApplicationGatewayProbePropertiesFormat(**told))
    assert gateway.properties
    gateway.properties.probes = [*(gateway.properties.probes or []), probe]
    settings = (gateway.properties.backend_http_settings_collection or [])[0].properties
    assert settings
    settings.probe = m.SubResource(id=f"{GATEWAY_ID}/probes/{name}")
    return gateway


async def put(world: Traffic, gateway: m.ApplicationGateway) -> m.ApplicationGateway:
    async with world.network() as azure:
        return await (await azure.application_gateways.begin_create_or_update(GROUP, GATEWAY, gateway)).result()


async def send(world: Traffic, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    url = f"{world.emulator.url}{path}?api-version=2026-03-01"
    headers = {"Authorization": f"Bearer {TOKEN}", **headers}
    async with aiohttp.ClientSession(headers=headers) as session, session.request(method, url, json=body) as answer:
        return answer.status, await answer.json() if answer.content_length else None, answer.headers


def _body(**properties: Any) -> dict[str, Any]:
    return {"location": "eastus", "properties": {**gateway_properties(), **properties}}


def _probes(gateway: m.ApplicationGateway) -> list[str | None]:
    assert gateway.properties
    return [one.name for one in gateway.properties.probes or []]


async def test_reads_what_it_writes(world: Traffic) -> None:
    before = await read_gateway(world)
    after = await put(world, with_probe(await read_gateway(world)))
    assert after.properties
    assert before.properties
    assert (_probes(before), _probes(after), after.properties.provisioning_state) == ([], ["ready"], "Succeeded")
    assert after.etag != before.etag
    assert after.properties.frontend_ports == [
        m.ApplicationGatewayFrontendPort({**one.as_dict(), "etag": after.etag})
        for one in before.properties.frontend_ports or []
    ]
    assert after.identity == before.identity


async def test_answers_a_put_at_once_and_changes_the_etag_while_updating(slow: Traffic) -> None:
    status, body, headers = await send(slow, "PUT", GATEWAY_ID, _body())
    assert (status, body["properties"]["provisioningState"]) == (200, "Updating")
    assert {one["properties"]["provisioningState"] for one in body["properties"]["frontendPorts"]} == {"Updating"}
    assert (headers["azure-asyncnotification"], "location" in headers, "Retry-After" in headers) == ("Enabled", False, False)
    assert "/providers/Microsoft.Network/locations/eastus/operations/" in headers["azure-asyncoperation"]
    _, again, _ = await send(slow, "GET", GATEWAY_ID)
    assert again["properties"]["provisioningState"] == "Updating"
    assert again["etag"] != body["etag"]


async def test_updating_is_no_sign_that_an_operation_runs(slow: Traffic) -> None:
    await send(slow, "PUT", GATEWAY_ID, _body())
    await asyncio.sleep(0.15)
    assert (await send(slow, "GET", GATEWAY_ID))[1]["properties"]["provisioningState"] == "Succeeded"
    assert slow.gateways.gateway(GATEWAY).is_changing
    assert (await send(slow, "PUT", GATEWAY_ID, _body()))[0] == 429


async def test_what_was_read_while_updating_may_be_sent_back_and_passwords_are_never_shown(world: Traffic) -> None:
    certificate = {"name": "tls", "properties": {"data": "secret data", "password": "secret word"}}
    _, body, _ = await send(world, "PUT", GATEWAY_ID, _body(sslCertificates=[certificate]))
    assert "secret word" not in str(body)
    await until(lambda: not world.gateways.gateway(GATEWAY).is_changing)
    assert (await send(world, "PUT", GATEWAY_ID, body))[0] == 200
    await until(lambda: not world.gateways.gateway(GATEWAY).is_changing)
    _, after, _ = await send(world, "GET", GATEWAY_ID)
    assert "Updating" not in str(after)
    assert [one["name"] for one in after["properties"]["sslCertificates"]] == ["tls"]


async def test_a_second_put_is_told_to_come_again(slow: Traffic) -> None:
    await send(slow, "PUT", GATEWAY_ID, _body())
    status, body, headers = await send(slow, "PUT", GATEWAY_ID, _body(enableHttp2=True))
    [detail] = body["error"]["details"]
    assert (status, body["error"]["code"], "Retry-After" in headers) == (429, "RetryableError", False)
    assert detail["code"] == "RetryableErrorDueToAnotherOperation"
    assert "enableHttp2" not in slow.gateways.gateway(GATEWAY).properties


async def test_the_sdks_own_second_try_takes_anothers_change_back(world: Traffic) -> None:
    world.emulator.operations.pace = 0.004
    mine, other = await read_gateway(world), await read_gateway(world)
    patient = {"retry_total": 40, "retry_status": 40, "retry_backoff_max": 0.03}
    async with world.network(**patient) as azure:
        gateways = azure.application_gateways
        theirs = await gateways.begin_create_or_update(GROUP, GATEWAY, with_probe(other, "others"))
        ours = await gateways.begin_create_or_update(GROUP, GATEWAY, with_probe(mine, "mine"))
        assert world.gateways.gateway(GATEWAY).running["probes"][0]["name"] == "others", "it was there, and worked"
        for poller in (theirs, ours):
            await poller.result()
    assert _probes(await read_gateway(world)) == ["mine"], "the update is lost"
    assert [one.status for one in world.emulator.log if one.method == "PUT"].count(429) >= 1


async def test_who_reads_again_after_a_429_loses_nothing(world: Traffic) -> None:
    async with world.network(retry_total=0) as azure:
        gateways = azure.application_gateways
        poller = await gateways.begin_create_or_update(GROUP, GATEWAY, with_probe(await read_gateway(world), "others"))
        with pytest.raises(HttpResponseError) as caught:
            await gateways.begin_create_or_update(GROUP, GATEWAY, with_probe(await read_gateway(world), "mine"))
        await poller.result()
    assert caught.value.status_code == 429
    await put(world, with_probe(await read_gateway(world), "mine"))
    assert _probes(await read_gateway(world)) == ["others", "mine"]


async def test_if_match_is_not_looked_at(world: Traffic) -> None:
    status, _, _ = await send(world, "PUT", GATEWAY_ID, _body(), **{"If-Match": '"of-yesterday"'})
    assert status == 200


async def test_a_put_may_supersede_the_one_that_runs_if_ordered(slow: Traffic) -> None:
    slow.emulator.faults.order(Fault(method="PUT", nth=2, supersedes=True))
    async with slow.network() as azure:
        gateways = azure.application_gateways
        first = await gateways.begin_create_or_update(GROUP, GATEWAY, with_probe(await read_gateway(slow), "first"))
        second = await gateways.begin_create_or_update(GROUP, GATEWAY, with_probe(await read_gateway(slow), "second"))
        assert slow.gateways.gateway(GATEWAY).running["probes"] == [], "the gateway never works with the first"
        with pytest.raises(HttpResponseError) as caught:
            await first.result()
        after = await second.result()
    error = caught.value.error
    assert error
    assert (caught.value.status_code, error.code, first.status()) == (200, "Canceled", "Canceled")
    assert [one.code for one in error.details or []] == ["CanceledAndSupersededDueToAnotherOperation"]
    assert _probes(after) == ["first", "second"]
    assert slow.gateways.gateway(GATEWAY).running["probes"][-1]["name"] == "second"


async def test_an_operation_that_fails_leaves_the_gateway_working_as_before(world: Traffic) -> None:
    world.emulator.faults.order(Fault(method="PUT", ends="Failed", code="InternalServerError"))
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        await put(world, with_probe(await read_gateway(world)))
    after = await read_gateway(world)
    assert after.properties
    assert (after.properties.provisioning_state, _probes(after)) == ("Failed", ["ready"])
    assert world.gateways.gateway(GATEWAY).running["probes"] == []


async def test_a_gateway_is_made(world: Traffic) -> None:
    async with world.network() as azure:
        gateways = azure.application_gateways
        bare = m.ApplicationGateway(location="westus", properties=m.ApplicationGatewayPropertiesFormat())
        made = await (await gateways.begin_create_or_update(GROUP, "new", bare)).result()
        with pytest.raises(ResourceNotFoundError):
            await gateways.get(GROUP, "other")
    assert (made.name, made.location) == ("new", "westus")


def _dangling() -> dict[str, Any]:
    settings = copy.deepcopy(gateway_properties()["backendHttpSettingsCollection"])
    settings[0]["properties"]["probe"] = {"id": f"{GATEWAY_ID}/probes/none"}
    return {"backendHttpSettingsCollection": settings}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"properties": {}}, "InvalidParameterValue"),
        ({"location": "eastus"}, "InvalidParameterValue"),
        ({**_body(), "sku": {}}, "InvalidRequestContent"),
        (_body(healthProbes=[]), "InvalidRequestContent"),
        (_body(probes=[{"properties": {}}]), "InvalidRequestFormat"),
        (_body(**_dangling()), "InvalidResourceReference"),
    ],
)
async def test_refuses(world: Traffic, body: dict[str, Any], code: str) -> None:
    before = world.gateways.gateway(GATEWAY).properties
    status, told, _ = await send(world, "PUT", GATEWAY_ID, body)
    assert (status, told["error"]["code"]) == (400, code)
    assert world.gateways.gateway(GATEWAY).properties is before
