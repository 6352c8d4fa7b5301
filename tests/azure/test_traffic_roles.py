"""The role that is shipped for moving traffic: it suffices, each of its actions is needed, and it allows nothing else."""

from __future__ import annotations

import json

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.cdn import models as cdn
from azure.mgmt.network import models as network
from azure.mgmt.trafficmanager import models as manager

from deploy.lab.azure.roles import Role
from deploy.lab.azure.traffic_profile import Endpoint
from tests.azure.traffic import APP, ENDPOINT, GATEWAY, GATEWAY_ID, GROUP, MANAGER, PROFILE, ROUTE, TRAFFIC_ROLE, Traffic


async def _use_everything(world: Traffic) -> None:
    await _use_front_door(world)
    async with world.traffic_manager() as azure:
        await azure.profiles.get(GROUP, MANAGER)
        for kind, name in (("ExternalEndpoints", "west"), ("AzureEndpoints", "app")):
            change = manager.Endpoint(properties=manager.EndpointProperties(endpoint_status="Disabled"))
            await azure.endpoints.update(GROUP, MANAGER, kind, name, change)
    async with world.network() as azure:
        gateways = azure.application_gateways
        gateway = await gateways.get(GROUP, GATEWAY)
        await (await gateways.begin_create_or_update(GROUP, GATEWAY, gateway)).result()
        await (await gateways.begin_backend_health(GROUP, GATEWAY)).result()


async def _use_front_door(world: Traffic) -> None:
    route = cdn.RouteUpdateParameters(properties=cdn.RouteUpdatePropertiesParameters(enabled_state="Enabled"))
    origin = cdn.AFDOriginUpdateParameters(properties=cdn.AFDOriginUpdatePropertiesParameters(priority=3))
    async with world.cdn() as azure:
        await azure.afd_endpoints.get(GROUP, PROFILE, ENDPOINT)
        await azure.routes.get(GROUP, PROFILE, ENDPOINT, ROUTE)
        await azure.afd_origin_groups.get(GROUP, PROFILE, APP)
        await azure.afd_origins.get(GROUP, PROFILE, APP, "east")
        await (await azure.routes.begin_update(GROUP, PROFILE, ENDPOINT, ROUTE, route)).result()
        await (await azure.afd_origins.begin_update(GROUP, PROFILE, APP, "east", origin)).result()
        purge = cdn.AfdPurgeParameters(content_paths=["/*"])
        await (await azure.afd_endpoints.begin_purge_content(GROUP, PROFILE, ENDPOINT, purge)).result()


@pytest.fixture(name="limited")
def _limited(world: Traffic) -> Traffic:
    world.emulator.operations.pace = 0.0002
    world.emulator.roles = [Role.load(TRAFFIC_ROLE)]
    world.manager.profile(MANAGER).endpoints.append(Endpoint("app", "app.aiagent.example", 9, kind="azureEndpoints"))
    return world


async def test_suffices(limited: Traffic) -> None:
    await _use_everything(limited)
    assert {one.status for one in limited.emulator.log} <= {200, 202}


@pytest.mark.parametrize("lacking", json.loads(TRAFFIC_ROLE.read_text(encoding="utf-8"))["Actions"])
async def test_needs(limited: Traffic, lacking: str) -> None:
    limited.emulator.roles = [Role.load(TRAFFIC_ROLE).model_copy(update={"not_actions": (lacking.upper(),)})]
    with pytest.raises(HttpResponseError) as caught:
        await _use_everything(limited)
    assert caught.value.status_code == 403
    assert caught.value.error
    linked = "join" in lacking or "assign" in lacking
    assert caught.value.error.code == ("LinkedAuthorizationFailed" if linked else "AuthorizationFailed")
    assert f"'{lacking}'" in (caught.value.error.message or "")


async def test_allows_nothing_else(limited: Traffic) -> None:
    group = cdn.AFDOriginGroupUpdateParameters(properties=cdn.AFDOriginGroupUpdatePropertiesParameters())
    async with limited.cdn() as azure:
        with pytest.raises(HttpResponseError, match="origingroups/write"):
            await azure.afd_origin_groups.begin_update(GROUP, PROFILE, APP, group)
    question = network.ApplicationGatewayOnDemandProbe(
        backend_address_pool=network.SubResource(id=f"{GATEWAY_ID}/backendAddressPools/servers"),
        backend_http_settings=network.SubResource(id=f"{GATEWAY_ID}/backendHttpSettingsCollection/plain"),
    )
    async with limited.network() as azure:
        with pytest.raises(HttpResponseError, match="getBackendHealthOnDemand/action"):
            await azure.application_gateways.begin_backend_health_on_demand(GROUP, GATEWAY, question)


async def test_another_token_is_refused_everywhere(limited: Traffic) -> None:
    limited.emulator.token = "another"
    with pytest.raises(HttpResponseError) as caught:
        await _use_everything(limited)
    assert caught.value.status_code == 401
