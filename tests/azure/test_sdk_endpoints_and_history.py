"""Virtual endpoints, backups and maintenance events, as the real SDK reads and changes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.postgresqlflexibleservers import models

from deploy.lab.azure.flexible_state import Maintenance
from tests.azure.conftest import Imagined
from tests.azure.pair import ENDPOINT, PRIMARY, PRIMARY_GROUP, READER, REPLICA, REPLICA_GROUP, WRITER
from tests.azure.sdk import aio_client, promotion


async def promoted(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        await (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())).result()


async def test_virtual_endpoints_are_read_through_the_primary_only(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        before = await azure.virtual_endpoints.get(PRIMARY_GROUP, PRIMARY, ENDPOINT)
        await promoted(imagined)
        after = await azure.virtual_endpoints.get(REPLICA_GROUP, REPLICA, ENDPOINT)
        with pytest.raises(HttpResponseError) as caught:
            await azure.virtual_endpoints.get(PRIMARY_GROUP, PRIMARY, ENDPOINT)
        with pytest.raises(ResourceNotFoundError):
            await azure.virtual_endpoints.get(REPLICA_GROUP, REPLICA, "another")
        listed = [one.name async for one in azure.virtual_endpoints.list_by_server(REPLICA_GROUP, REPLICA)]
    assert caught.value.status_code == 400
    assert (before.members, after.members) == ([PRIMARY, REPLICA], [REPLICA, PRIMARY])
    assert after.virtual_endpoints == [WRITER, READER]
    assert listed == [ENDPOINT]


async def test_virtual_endpoints_are_made_changed_and_removed(imagined: Imagined) -> None:
    def body(member: str) -> models.VirtualEndpoint:
        properties = models.VirtualEndpointResourceProperties(endpoint_type="ReadWrite", members=[member])
        return models.VirtualEndpoint(properties=properties)

    async with aio_client(imagined.emulator.url) as azure:
        await (await azure.virtual_endpoints.begin_delete(PRIMARY_GROUP, PRIMARY, ENDPOINT)).result()
        assert imagined.names.points == {}
        with pytest.raises(HttpResponseError):
            await promoted(imagined)
        await (await azure.virtual_endpoints.begin_create(PRIMARY_GROUP, PRIMARY, "other", body(PRIMARY))).result()
        assert imagined.names.points == {"other": (PRIMARY, PRIMARY)}
        change = models.VirtualEndpointResourceForPatch(properties=body(REPLICA).properties)
        made = await (await azure.virtual_endpoints.begin_update(PRIMARY_GROUP, PRIMARY, "other", change)).result()
    assert made.members == [PRIMARY, REPLICA]
    assert imagined.names.points == {"other": (PRIMARY, REPLICA)}


async def test_backups_are_listed_and_made(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        backups = azure.backups_automatic_and_on_demand
        made = await (await backups.begin_create(PRIMARY_GROUP, PRIMARY, "before-the-drill")).result()
        found = [one async for one in backups.list_by_server(PRIMARY_GROUP, PRIMARY)]
        await (await backups.begin_delete(PRIMARY_GROUP, PRIMARY, "before-the-drill")).result()
        left = [one async for one in backups.list_by_server(PRIMARY_GROUP, PRIMARY)]
    assert made.name == "before-the-drill"
    assert [(one.backup_type, one.source) for one in found] == [
        ("Full", "Automatic"), ("Customer On-Demand", "Customer Initiated")
    ]  # fmt: skip
    assert found[1].completed_time is not None
    assert datetime.now(UTC) - found[1].completed_time < timedelta(minutes=1)
    assert len(left) == 1


async def test_maintenance_is_listed_by_what_is_to_come(imagined: Imagined) -> None:
    soon, before = datetime.now(UTC) + timedelta(hours=2), datetime.now(UTC) - timedelta(days=20)
    imagined.flexible.server(PRIMARY).maintenance += [Maintenance(soon), Maintenance(before, "Complete")]
    async with aio_client(imagined.emulator.url) as azure:
        every = [one async for one in azure.maintenance_events.list(PRIMARY_GROUP, PRIMARY)]
        coming = azure.maintenance_events.list(PRIMARY_GROUP, PRIMARY, maintenance_status="Upcoming")
        [upcoming] = [one async for one in coming]
        read = await azure.maintenance_events.get(PRIMARY_GROUP, PRIMARY, every[0].name or "")
    assert len(every) == 2
    assert upcoming.properties is not None
    assert (upcoming.properties.status, upcoming.properties.start_time) == ("Planned", soon.replace(microsecond=0))
    assert read.name == every[0].name
