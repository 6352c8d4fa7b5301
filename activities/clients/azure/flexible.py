"""Asks Azure Resource Manager about PostgreSQL Flexible Servers, and asks it to promote, stop or start one.

A promotion is one PATCH of the replica. Azure has no key that would make a repeated change harmless, so each is sent once
and never by the SDK itself; who asks looks first (``activities.region``). The body of a promotion names the server's source,
which newer versions of the interface demand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.answers import translated, word
from activities.clients.azure.operations import asked, hostless, must_be_of
from activities.clients.azure.subscriptions import Subscriptions
from activities.clients.operation_facts import OperationFact
from activities.region.models import AzureFact, Role
from estate.flexible import FlexibleTarget
from gate.record import Mode

if TYPE_CHECKING:
    from datetime import timedelta

    from azure.mgmt.postgresqlflexibleservers.aio import PostgreSQLManagementClient

_PROVIDER = "Microsoft.DBforPostgreSQL"
_SERVERS = f"{_PROVIDER}/flexibleServers"
_SDK = "azure.mgmt.postgresqlflexibleservers"
_ROLES = {"primary": Role.PRIMARY, "none": Role.PRIMARY, "asyncreplica": Role.REPLICA, "geoasyncreplica": Role.REPLICA}
_PLANNED = "Planned"


class AzureFlexible:
    """Flexible Servers of any number of subscriptions."""

    def __init__(self, access: AzureAccess | None = None) -> None:
        """Reach Azure by ``access``; one client per subscription is made when it is first asked for."""
        self._access = access or AzureAccess()
        self._clients = Subscriptions(self._access, f"{_SDK}.aio", "PostgreSQLManagementClient")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._clients.close()

    @property
    def poll(self) -> timedelta:
        """Between two looks at an operation where Azure names no time of its own."""
        return self._access.poll

    async def server(self, target: FlexibleTarget, server: str) -> AzureFact:
        """Return what Azure says of ``server``."""
        client = await self._client(target)
        with translated(f"Azure, asked for {server}", f"{_SERVERS}/read"):
            return _fact(server, await client.servers.get(_group(target, server), server))

    async def endpoint_members(self, target: FlexibleTarget, primary: str) -> tuple[str, ...]:
        """Return the servers behind the virtual endpoint. MissingError: none of that name is under ``primary``."""
        client, name = await self._client(target), target.database.virtual_endpoint
        with translated(f"Azure, asked for the virtual endpoint {name} of {primary}", f"{_SERVERS}/virtualendpoints/read"):
            found = await client.virtual_endpoints.get(_group(target, primary), primary, name)
        return tuple((found.properties.members if found.properties else None) or ())

    async def maintenance(self, target: FlexibleTarget, server: str) -> tuple[str, ...]:
        """Return what is announced for ``server`` and has not ended, one sentence each."""
        client = await self._client(target)
        with translated(f"Azure, asked for the maintenance of {server}", f"{_SERVERS}/maintenanceEvents/read"):
            events = [one async for one in client.maintenance_events.list(_group(target, server), server)]
        return tuple(words for one in events if (words := _announced(server, one)))

    async def promote(self, target: FlexibleTarget, server: str, source: str, mode: Mode) -> str:
        """Ask once for the switchover to ``server``, which follows ``source``; return the operation's address."""
        models = await asyncio.to_thread(import_module, f"{_SDK}.models")
        replica = models.Replica(
            role="Primary", promote_mode="Switchover", promote_option=_PLANNED if mode is Mode.PLANNED else "Forced"
        )
        body = models.ServerForPatch(
            properties=models.ServerPropertiesForPatch(source_server_resource_id=_id(target, source), replica=replica)
        )
        client, what = await self._client(target), f"Azure, asked to promote {server}"
        return await _begun(client.servers.begin_update, what, "write", _group(target, server), server, body)

    async def stop(self, target: FlexibleTarget, server: str) -> str:
        """Ask once that ``server`` be stopped; return the operation's address."""
        client, what = await self._client(target), f"Azure, asked to stop {server}"
        return await _begun(client.servers.begin_stop, what, "stop/action", _group(target, server), server)

    async def start(self, target: FlexibleTarget, server: str) -> str:
        """Ask once that ``server`` be started; return the operation's address."""
        client, what = await self._client(target), f"Azure, asked to start {server}"
        return await _begun(client.servers.begin_start, what, "start/action", _group(target, server), server)

    async def stand_by(self, target: FlexibleTarget, server: str, mode: str) -> str:
        """Ask once for high availability of ``server``, ``mode`` as Azure words it; return the operation's address."""
        client, what = await self._client(target), f"Azure, asked for high availability of {server}"
        models = await asyncio.to_thread(import_module, f"{_SDK}.models")
        available = models.HighAvailabilityForPatch(mode=mode)
        body = models.ServerForPatch(properties=models.ServerPropertiesForPatch(high_availability=available))
        return await _begun(client.servers.begin_update, what, "write", _group(target, server), server, body)

    async def operation(self, target: FlexibleTarget, operation: str) -> OperationFact:
        """Return how an operation stands. MissingError: Azure has forgotten it, or it is none of the target's."""
        client, path = await self._client(target), must_be_of(target.database.subscription, operation)
        return await asked(
            client,
            self._access.endpoint + path,
            "Azure, asked how its operation goes",
            f"{_PROVIDER}/locations/azureAsyncOperation/read",
        )

    async def _client(self, target: FlexibleTarget) -> PostgreSQLManagementClient:
        client: PostgreSQLManagementClient = await self._clients.of(target.database.subscription)
        return client


async def _begun(begin: Callable[..., Awaitable[Any]], what: str, right: str, *told: Any) -> str:  # noqa: ANN401
    """Send one change and do not wait for its end; return the operation's address."""
    heard: dict[str, str] = {}
    with translated(what, f"{_SERVERS}/{right}"):
        await begin(*told, polling=False, raw_response_hook=lambda answer: heard.update(answer.http_response.headers))
    return hostless({name.casefold(): value for name, value in heard.items()}.get("azure-asyncoperation", ""))


def _group(target: FlexibleTarget, server: str) -> str:
    return target.database.servers[server].resource_group


def _id(target: FlexibleTarget, server: str) -> str:
    where = f"/subscriptions/{target.database.subscription}/resourceGroups/{_group(target, server)}"
    return f"{where}/providers/{_SERVERS}/{server}"


def _fact(name: str, server: Any) -> AzureFact:  # noqa: ANN401 - a model of the SDK
    """Translate Azure's words. A role that is not told is a primary's: replicas always have one."""
    told = word(server.replication_role) or word(server.replica.role if server.replica else None) or "none"
    source = server.source_server_resource_id or ""
    available = server.high_availability
    mode = word(available.mode) if available else ""
    return AzureFact(
        name=name,
        role=_ROLES.get(told.casefold(), Role.UNKNOWN),
        state=word(server.state),
        source=source.rpartition("/")[2],
        high_availability=f"{mode} {word(available.state)}" if available and mode not in {"", "Disabled"} else "",
        replication=word(server.replica.replication_state if server.replica else None),
        sku=server.sku.name if server.sku else "",
        storage_gb=server.storage.storage_size_gb if server.storage else None,
    )


def _announced(server: str, event: Any) -> str:  # noqa: ANN401 - a model of the SDK
    about = event.properties
    status = word(about.status) if about else ""
    if status not in {"Planned", "Rescheduled", "InProgress"}:
        return ""
    return f"{server}: maintenance {status}, begins {about.start_time:%Y-%m-%d %H:%M} UTC"
