"""The role that is shipped for witnesses: it suffices for what one asks, and allows no change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError
from azure.mgmt.network.aio import NetworkManagementClient

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.application_gateway import AzureGateways
from activities.detection.probes.gateways import AzureWords, Told
from deploy.lab.azure.roles import Role
from tests.azure.pair import TOKEN
from tests.azure.traffic import TRAFFIC_ROLE
from tests.gateways.conftest import shared_gateway  # noqa: F401 - a fixture
from tests.gateways.samples import target_of
from tests.gateways.world import GATEWAY, GROUP, GatewayWorld

_ROLE = TRAFFIC_ROLE.with_name("witness.json")


@pytest_asyncio.fixture(name="limited", loop_scope="session")
async def _limited(shared_gateway: GatewayWorld, tmp_path: Path) -> AsyncIterator[tuple[GatewayWorld, AzureGateways]]:  # noqa: F811
    (tmp_path / "bearer").write_text(TOKEN, encoding="utf-8")
    before, shared_gateway.emulator.roles = shared_gateway.emulator.roles, [Role.load(_ROLE)]
    access = AzureAccess(shared_gateway.emulator.url, f"file:{tmp_path / 'bearer'}", timedelta(seconds=0.05))
    gateways = AzureGateways(access)
    yield shared_gateway, gateways
    await gateways.close()
    shared_gateway.emulator.roles = before


async def test_suffices_for_what_a_witness_asks(limited: tuple[GatewayWorld, AzureGateways]) -> None:
    assert isinstance(await AzureWords(limited[1]).of(target_of(watch={})), Told)


@pytest.mark.parametrize("lacking", json.loads(_ROLE.read_text(encoding="utf-8"))["Actions"])
async def test_needs_each_of_its_actions(limited: tuple[GatewayWorld, AzureGateways], lacking: str) -> None:
    world, gateways = limited
    world.emulator.roles = [Role.load(_ROLE).model_copy(update={"not_actions": (lacking,)})]
    assert lacking in str(await AzureWords(gateways).of(target_of(watch={})))


async def test_changes_nothing(limited: tuple[GatewayWorld, AzureGateways]) -> None:
    world, _ = limited
    async with world.traffic.network() as azure:
        client: NetworkManagementClient = azure
        found = await client.application_gateways.get(GROUP, GATEWAY)
        with pytest.raises(HttpResponseError, match="applicationGateways/write"):
            await client.application_gateways.begin_create_or_update(GROUP, GATEWAY, found)
