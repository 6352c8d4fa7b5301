"""Backups, quotas and probes, as the product reads them from the emulated Azure by the real SDKs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.readings import AzureReadings
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.clients.reading_facts import ProbeFact, QuotaFact
from deploy.lab.azure.flexible_history import automatic
from deploy.lab.azure.flexible_quotas import family_and_cores
from deploy.lab.azure.flexible_state import BackupSet
from deploy.lab.azure.roles import Role
from estate.base import Region
from estate.flexible import FlexibleDatabase, FlexibleTarget
from estate.traffic import TrafficEntry, TrafficTarget
from tests.azure.conftest import Imagined
from tests.azure.pair import PRIMARY, PRIMARY_GROUP, QUOTA_ROLE, REPLICA, REPLICA_GROUP, ROLE_FILE, SUBSCRIPTION, TOKEN
from tests.azure.sdk import aio_client
from tests.azure.test_refusals import send
from tests.azure.traffic import APP, ENDPOINT, GROUP, LEGACY, MANAGER, PROFILE, ROUTE, TRAFFIC_ROLE, Traffic
from tests.region.samples import ENTRY

_EAST = Region(location="East US", namespace="aiagent-prod")
_DATABASE = FlexibleTarget(
    name="aiagent-db", region=_EAST, database=FlexibleDatabase.model_validate({**ENTRY, "subscription": SUBSCRIPTION})
)
_USAGES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/locations/westus2/resourceType/flexibleServers"
_IN_GROUP = _USAGES.replace("/providers", f"/resourceGroups/{PRIMARY_GROUP}/providers")
_OF_NONE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{PRIMARY}"
"""A server without its resource group."""
_FAMILY = "standardDDSv5Family"


def _entry(**front_door: Any) -> TrafficTarget:
    door = {"resource_group": GROUP, "profile": PROFILE, "endpoint": ENDPOINT, "route": ROUTE, **front_door}
    regions = {one: {"health": f"http://{one}.example/health"} for one in ("eastus", "westus2")}
    manager = {"resource_group": GROUP, "profile": MANAGER, "endpoints": {"eastus": "east", "westus2": "west"}}
    entry = {
        "region": "eastus", "subscription": SUBSCRIPTION, "regions": regions, "edge": {"url": "http://edge.example/"},
        "front_door": door, "traffic_manager": manager,
    }  # fmt: skip
    return TrafficTarget(name="api", region=_EAST, entry=TrafficEntry.model_validate(entry))


@pytest_asyncio.fixture(name="bearer", loop_scope="session")
async def _bearer(tmp_path: Path) -> AsyncIterator[str]:
    (tmp_path / "bearer").write_text(TOKEN, encoding="utf-8")
    yield f"file:{tmp_path / 'bearer'}"


@pytest_asyncio.fixture(name="readings", loop_scope="session")
async def _readings(imagined: Imagined, bearer: str) -> AsyncIterator[AzureReadings]:
    imagined.emulator.roles = [Role.load(ROLE_FILE), Role.load(QUOTA_ROLE)]
    readings = AzureReadings(AzureAccess(imagined.emulator.url, bearer, timedelta(seconds=0.05)))
    yield readings
    await readings.close()


@pytest_asyncio.fixture(name="edges", loop_scope="session")
async def _edges(world: Traffic, bearer: str) -> AsyncIterator[AzureReadings]:
    world.emulator.roles = [Role.load(TRAFFIC_ROLE)]
    readings = AzureReadings(AzureAccess(world.emulator.url, bearer, timedelta(seconds=0.05)))
    yield readings
    await readings.close()


async def test_the_newest_backup_is_read_whoever_made_it(imagined: Imagined, readings: AzureReadings) -> None:
    now, backups = datetime.now(UTC), imagined.flexible.server(PRIMARY).backups
    backups[:] = [automatic(now - timedelta(hours=9)), BackupSet("by-hand", now - timedelta(hours=1), automatic=False),
                  automatic(now - timedelta(hours=33))]  # fmt: skip
    found = await readings.backup(_DATABASE, PRIMARY)
    assert (found.name, found.error) == ("by-hand", "")
    assert found.completed_at is not None
    assert abs(found.completed_at - (now - timedelta(hours=1))) < timedelta(milliseconds=1)


async def test_a_server_without_a_backup_has_none(readings: AzureReadings) -> None:
    found = await readings.backup(_DATABASE, REPLICA)
    assert (found.server, found.name, found.completed_at) == (REPLICA, "", None)


async def test_a_quota_counts_the_servers_of_its_location_and_their_standbys(
    imagined: Imagined, readings: AzureReadings
) -> None:
    imagined.flexible.quotas.limits["westus2", _FAMILY] = 8
    east, west = [await readings.quotas(_DATABASE, *one) for one in (("eastus", "East US"), ("westus2", "West US 2"))]
    assert QuotaFact(region="eastus", family=_FAMILY, used=8, limit=100) in east  # with its standby
    assert QuotaFact(region="westus2", family=_FAMILY, used=4, limit=8) in west
    assert {one.family for one in west} == {_FAMILY, "standardBSFamily", "standardDDSv4Family"}


async def test_a_quota_has_the_form_of_the_official_example(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        [first, *_] = [one.as_dict() async for one in azure.quota_usages.list("westus2")]
    assert first == {
        "name": {"value": "standardBSFamily", "localizedValue": "standardBSFamily"}, "limit": 100, "unit": "Count",
        "currentValue": 0, "id": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("size", "family", "cores"),
    [
        ("Standard_D4ds_v5", _FAMILY, 4), ("Standard_D16ds_v4", "standardDDSv4Family", 16),
        ("Standard_B2s", "standardBSFamily", 2), ("Standard_E8ads_v5", "standardEADSv5Family", 8), ("Large", "", 0),
    ],
)  # fmt: skip
def test_a_size_tells_its_family(size: str, family: str, cores: int) -> None:
    assert family_and_cores(size) == (family, cores)


async def test_each_role_is_needed_and_the_right_is_named(imagined: Imagined, readings: AzureReadings) -> None:
    imagined.emulator.roles = [Role.load(ROLE_FILE)]
    needed = "grant the worker Microsoft.DBforPostgreSQL/"
    with pytest.raises(ForbiddenError, match=f"{needed}locations/resourceType/usages/read"):
        await readings.quotas(_DATABASE, "westus2", "West US 2")
    imagined.emulator.roles = [Role.load(QUOTA_ROLE)]
    with pytest.raises(ForbiddenError, match=f"{needed}flexibleServers/backups/read"):
        await readings.backup(_DATABASE, PRIMARY)


async def test_reading_roles_make_no_backup(imagined: Imagined, readings: AzureReadings) -> None:
    assert await readings.backup(_DATABASE, REPLICA)
    async with aio_client(imagined.emulator.url) as azure:
        with pytest.raises(HttpResponseError, match="backups/write"):
            await azure.backups_automatic_and_on_demand.begin_create(REPLICA_GROUP, REPLICA, "one")
    assert imagined.count("PUT") == 1


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", f"{_USAGES}/usages", (400, "MissingApiVersionParameter")),
        ("GET", f"{_USAGES}/usages?api-version=2022-12-01", (400, "NoRegisteredProviderFound")),
        ("GET", f"{_USAGES}?api-version=2025-08-01", (404, "InvalidResourceType")),
        ("POST", f"{_USAGES}/usages?api-version=2025-08-01", (405, "MethodNotAllowed")),
        ("GET", f"{_IN_GROUP}/usages?api-version=2025-08-01", (404, "InvalidResourceType")),
        ("GET", f"{_OF_NONE}?api-version=2025-08-01", (404, "InvalidResourceType")),
        ("GET", f"{_USAGES}/usages?api-version=2025-08-01", (200, "")),
    ],
)  # fmt: skip
async def test_a_quota_is_asked_for_at_its_path_only(
    imagined: Imagined, method: str, path: str, expected: tuple[int, str]
) -> None:
    status, code = await send(imagined, method, path)
    assert (status, code) == expected


async def test_a_silent_azure_is_no_answer(imagined: Imagined, readings: AzureReadings) -> None:
    await imagined.emulator.stop()
    for asked in (readings.backup(_DATABASE, PRIMARY), readings.quotas(_DATABASE, "westus2", "West US 2")):
        with pytest.raises(UnreachableError):
            await asked


async def test_probes_of_a_group_and_of_a_profile(edges: AzureReadings) -> None:
    target = _entry(origin_group=APP, origins={"eastus": "east", "westus2": "west"})
    assert await edges.probes(target) == (
        ProbeFact(traffic="api", what=f"origin group {APP}", path="/readyz", interval_seconds=30, moves_after_seconds=60),
        ProbeFact(traffic="api", what=f"profile {MANAGER}", path="/readyz", interval_seconds=10, moves_after_seconds=30),
    )


async def test_a_group_without_a_probe_is_said_to_have_none(world: Traffic, edges: AzureReadings) -> None:
    world.front.profile(PROFILE, GROUP).group("quiet", healthProbeSettings=None)
    found = await edges.probes(_entry(origin_groups={"eastus": LEGACY, "westus2": "quiet"}))
    assert [(one.what, one.enabled) for one in found] == [
        (f"origin group {LEGACY}", True), ("origin group quiet", False), (f"profile {MANAGER}", True),
    ]  # fmt: skip


async def test_a_group_that_is_unknown_is_missing(edges: AzureReadings) -> None:
    with pytest.raises(MissingError, match="origin group nowhere"):
        await edges.probes(_entry(origin_groups={"eastus": LEGACY, "westus2": "nowhere"}))
