"""What the real SDK reads and does, asynchronous and synchronous, in front of databases that only remember."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.postgresqlflexibleservers import models

from tests.azure.conftest import Imagined
from tests.azure.pair import ENDPOINT, PRIMARY, PRIMARY_GROUP, REPLICA, REPLICA_GROUP
from tests.azure.sdk import SOURCE_ID, aio_client, client, promotion

FORMS = [(mode, option) for mode in ("Switchover", "Standalone") for option in ("Planned", "Forced")]
DONE: dict[tuple[str, str], list[tuple[str, ...]]] = {
    ("Switchover", "Planned"): [
        ("stop", PRIMARY), ("catch_up", REPLICA, PRIMARY), ("promote", REPLICA), ("follow", PRIMARY, REPLICA)
    ],
    ("Switchover", "Forced"): [("promote", REPLICA), ("follow", PRIMARY, REPLICA)],
    ("Standalone", "Planned"): [("catch_up", REPLICA, PRIMARY), ("promote", REPLICA)],
    ("Standalone", "Forced"): [("promote", REPLICA)],
}  # fmt: skip


async def promoted(imagined: Imagined, mode: str = "Switchover", option: str = "Planned", **options: Any) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        poller = await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion(mode, option), **options)
        await poller.result()


@pytest.mark.parametrize("name", [REPLICA, REPLICA.upper()])
async def test_reads_a_server_by_its_name_in_any_case(imagined: Imagined, name: str) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        server = await azure.servers.get(REPLICA_GROUP.upper(), name)
    assert (server.name, server.location, server.state) == (REPLICA, "West US 2", "Ready")
    assert server.replica is not None
    assert (server.replica.role, server.replica.replication_state) == ("AsyncReplica", None)
    assert server.source_server_resource_id == SOURCE_ID
    assert server.high_availability is not None
    assert server.high_availability.mode == "Disabled"


async def test_lists_replicas_of_the_primary_and_none_of_a_replica(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        found = [one.name async for one in azure.replicas.list_by_server(PRIMARY_GROUP, PRIMARY)]
        none = [one.name async for one in azure.replicas.list_by_server(REPLICA_GROUP, REPLICA)]
    assert (found, none) == ([REPLICA], [])


@pytest.mark.parametrize(("mode", "option"), FORMS)
async def test_promotes(imagined: Imagined, mode: str, option: str) -> None:
    await promoted(imagined, mode, option)
    assert imagined.databases.done == DONE[mode, option]
    async with aio_client(imagined.emulator.url) as azure:
        old, new = await azure.servers.get(PRIMARY_GROUP, PRIMARY), await azure.servers.get(REPLICA_GROUP, REPLICA)
    assert (old.state, new.state, new.source_server_resource_id) == ("Ready", "Ready", None)
    if mode == "Standalone":
        assert (old.replication_role, new.replication_role) == ("Primary", "None")
        assert imagined.names.points[ENDPOINT] == (PRIMARY, REPLICA)
        return
    assert (old.replication_role, new.replication_role) == ("AsyncReplica", "Primary")
    assert (old.source_server_resource_id or "").endswith(f"/{REPLICA}")
    assert old.high_availability is not None
    assert old.high_availability.mode == "Disabled"
    assert imagined.names.points[ENDPOINT] == (REPLICA, PRIMARY)


async def test_the_synchronous_client_promotes_too(imagined: Imagined) -> None:
    def promote() -> Any:
        with client(imagined.emulator.url) as azure:
            poller = azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())
            poller.result(timeout=20)
            return azure.servers.get(REPLICA_GROUP, REPLICA).replication_role

    assert await asyncio.to_thread(promote) == "Primary"


async def test_both_servers_are_updating_until_the_operation_ends(imagined: Imagined) -> None:
    imagined.emulator.operations.pace = 0.01
    async with aio_client(imagined.emulator.url) as azure:
        poller = await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())
        for group, name in ((PRIMARY_GROUP, PRIMARY), (REPLICA_GROUP, REPLICA)):
            assert (await azure.servers.get(group, name)).state == "Updating"
        await poller.result()
        assert (await azure.servers.get(PRIMARY_GROUP, PRIMARY)).state == "Ready"


async def test_an_operation_goes_on_when_nobody_polls_and_is_resumed_without_another_promotion(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        token = (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())).continuation_token()
    assert len(token) > 10_000
    await asyncio.sleep(0.3)
    assert imagined.flexible.server(REPLICA).role == "Primary"
    assert not imagined.flexible.server(REPLICA).busy
    async with aio_client(imagined.emulator.url) as azure:
        poller = await azure.servers.begin_update(REPLICA_GROUP, REPLICA, {}, continuation_token=token)
        await poller.result()
    assert imagined.count("PATCH") == 1


async def test_a_forgotten_operation_is_a_404(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        token = (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())).continuation_token()
        imagined.emulator.operations.forget()
        with pytest.raises(HttpResponseError) as caught:
            await (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, {}, continuation_token=token)).result()
    assert caught.value.status_code == 404


async def test_another_change_of_a_busy_server_is_accepted_and_ends_server_busy(imagined: Imagined) -> None:
    async with aio_client(imagined.emulator.url) as azure:
        imagined.emulator.operations.pace = 0.002
        first = await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())
        second = await azure.servers.begin_restart(PRIMARY_GROUP, PRIMARY)
        with pytest.raises(HttpResponseError) as caught:
            await second.result()
        await first.result()
    assert caught.value.error is not None
    assert (caught.value.status_code, caught.value.error.code) == (200, "ServerBusy")
    assert ("restart", PRIMARY) not in imagined.databases.done


async def test_a_promotion_that_is_asked_for_again_ends_server_busy_although_the_roles_have_turned(
    imagined: Imagined,
) -> None:
    imagined.emulator.operations.pace = 0.002
    async with aio_client(imagined.emulator.url) as azure:
        first = await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())
        assert (await azure.servers.get(REPLICA_GROUP, REPLICA)).replication_role == "Primary"
        with pytest.raises(HttpResponseError, match="ServerBusy"):
            await (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())).result()
        await first.result()
    assert imagined.databases.done.count(("promote", REPLICA)) == 1


@pytest.mark.parametrize("mode", ["Switchover", "Standalone"])
async def test_a_planned_promotion_without_its_source_fails_inside_the_operation(imagined: Imagined, mode: str) -> None:
    imagined.databases.down.add(PRIMARY)
    with pytest.raises(HttpResponseError, match="ServerIsNotReady"):
        await promoted(imagined, mode)
    assert imagined.databases.done == []


async def test_a_planned_switchover_that_cannot_catch_up_lets_the_source_go_on(imagined: Imagined) -> None:
    imagined.databases.broken.add("catch_up")
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        await promoted(imagined)
    assert imagined.databases.done[-1] == ("start", PRIMARY)
    assert imagined.flexible.server(PRIMARY).role == "Primary"


async def test_the_old_primary_of_a_dead_region_becomes_a_replica_when_it_is_back(imagined: Imagined) -> None:
    imagined.databases.down.add(PRIMARY)
    await promoted(imagined, option="Forced")
    async with aio_client(imagined.emulator.url) as azure:
        assert (await azure.servers.get(PRIMARY_GROUP, PRIMARY)).replication_role == "Primary"
        imagined.databases.down.clear()
        assert (await azure.servers.get(PRIMARY_GROUP, PRIMARY)).replication_role == "AsyncReplica"


async def test_a_restart_with_failover_needs_a_standby(imagined: Imagined) -> None:
    imagined.emulator.operations.pace = 0.03
    over = models.RestartParameter(restart_with_failover=True, failover_mode="ForcedFailover")
    async with aio_client(imagined.emulator.url) as azure:
        states = []
        restart = await azure.servers.begin_restart(PRIMARY_GROUP, PRIMARY, over)
        for wait in (asyncio.sleep(0.005), restart.result()):
            await wait
            states.append((await azure.servers.get(PRIMARY_GROUP, PRIMARY)).high_availability)
        assert [one.state if one else None for one in states] == ["FailingOver", "Healthy"]
        with pytest.raises(HttpResponseError):
            await azure.servers.begin_restart(REPLICA_GROUP, REPLICA, over)
    assert imagined.databases.done == [("restart", PRIMARY)]


async def test_a_server_that_is_not_ready_is_not_restarted(imagined: Imagined) -> None:
    imagined.flexible.server(PRIMARY).state = "Stopped"
    async with aio_client(imagined.emulator.url) as azure:
        with pytest.raises(HttpResponseError, match="ServerIsNotReady"):
            await (await azure.servers.begin_restart(PRIMARY_GROUP, PRIMARY)).result()
    assert imagined.databases.done == []


async def test_high_availability_is_switched_on_by_an_update(imagined: Imagined) -> None:
    change = models.ServerForPatch(
        properties=models.ServerPropertiesForPatch(high_availability=models.HighAvailabilityForPatch(mode="ZoneRedundant"))
    )
    async with aio_client(imagined.emulator.url) as azure:
        server = await (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, change)).result()
    assert server.high_availability is not None
    assert (server.high_availability.mode, server.high_availability.state) == ("ZoneRedundant", "Healthy")
