"""Asks Azure Resource Manager about application gateways, and asks it to change one.

A gateway is replaced as a whole: get, change, put. The PUT carries the etag of what was read (``If-Match``). Whether Azure
honours that here is not documented, so the decision's basis is compared with what was read right before the PUT, too; what
stays open is the moment between the two. The body is the JSON that was read and not the SDK's model, which drops on the way
back what it takes for read-only.

A PUT is sent once and never by the SDK itself: the SDK would repeat the old body after a 429, over what others have changed.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

from activities.clients.azure.access import AzureAccess
from activities.clients.azure.answers import translated, word
from activities.clients.azure.application_gateway_body import basis_of, differences, edited, fact_of, open_edits
from activities.clients.azure.operations import Kind, asked, hostless, must_be_of
from activities.clients.azure.subscriptions import Subscriptions
from activities.clients.gateway_ports import Accepted
from activities.clients.operation_facts import OperationFact
from activities.clients.ports import ConflictError
from activities.traffic.gateway_models import BackendFact, GatewayFact, GatewayOrder, Health
from estate.gateways import GatewayTarget

if TYPE_CHECKING:
    from datetime import timedelta

    from azure.mgmt.network.aio import NetworkManagementClient

_KIND = "Microsoft.Network/applicationGateways"
_HEALTH = f"{_KIND}/backendhealth/action and Microsoft.Network/locations/operationResults/read"
_SDK = "azure.mgmt.network.aio"


class AzureGateways:
    """Application gateways of any number of subscriptions."""

    def __init__(self, access: AzureAccess | None = None) -> None:
        """Reach Azure by ``access``; one client per subscription is made when it is first asked for."""
        self._access = access or AzureAccess()
        self._clients = Subscriptions(self._access, _SDK, "NetworkManagementClient")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._clients.close()

    @property
    def poll(self) -> timedelta:
        """Between two looks at an operation where Azure names no time of its own."""
        return self._access.poll

    async def gateway(self, target: GatewayTarget) -> GatewayFact:
        """Return what Azure says of the gateway."""
        return fact_of(target, await self._read(target))

    async def health(self, target: GatewayTarget) -> tuple[BackendFact, ...]:
        """Return what the gateway says of the backends behind the declared pool and settings."""
        client, every = await self._client(target), self.poll.total_seconds()
        with translated(f"Azure, asked for the backend health of {target.name}", _HEALTH):
            asked = await client.application_gateways.begin_backend_health(
                target.gateway.resource_group, target.name, polling_interval=every
            )
            return _healths(target, await asked.result())

    async def change(self, order: GatewayOrder) -> Accepted:
        """Look, and ask once for what is not as it is to be."""
        body = await self._read(order.target)
        todo, differs = open_edits(body, order.edits)
        if not todo and not (differs and order.basis):
            return Accepted(already=True, differs=differs)
        if order.basis is not None and (found := differences(order.basis, basis_of(order.target, body)) or differs):
            raise ConflictError(f"{order.target.name} was changed meanwhile: {'; '.join(found)}")
        return Accepted(
            operation=await self._put(order.target, edited(body, todo), str(body.get("etag") or "")), differs=differs
        )

    async def operation(self, target: GatewayTarget, operation: str) -> OperationFact:
        """Return how an operation stands. MissingError: Azure has forgotten it, or it is none of the target's."""
        client, path = await self._client(target), must_be_of(target.gateway.subscription, operation, Kind.GATEWAYS)
        return await asked(
            client,
            self._access.endpoint + path,
            "Azure, asked how the change goes",
            "Microsoft.Network/locations/operations/read",
        )

    async def _read(self, target: GatewayTarget) -> dict[str, Any]:
        client = await self._client(target)
        with translated(f"Azure, asked for the gateway {target.name}", f"{_KIND}/read"):
            body: Any = await client.application_gateways.get(
                target.gateway.resource_group, target.name, cls=lambda answer, *_: answer.http_response.json()
            )
        return dict(body)

    async def _put(self, target: GatewayTarget, body: dict[str, Any], etag: str) -> str:
        client, heard = await self._client(target), dict[str, str]()
        with translated(f"Azure, asked to change the gateway {target.name}", f"{_KIND}/write, and the joins it needs"):
            await client.application_gateways.begin_create_or_update(
                target.gateway.resource_group, target.name, BytesIO(json.dumps(body).encode()), polling=False,
                headers={"If-Match": etag} if etag else {},
                raw_response_hook=lambda answer: heard.update(answer.http_response.headers),
            )  # fmt: skip
        return hostless({name.casefold(): value for name, value in heard.items()}.get("azure-asyncoperation", ""))

    async def _client(self, target: GatewayTarget) -> NetworkManagementClient:
        client: NetworkManagementClient = await self._clients.of(target.gateway.subscription)
        return client


def _healths(target: GatewayTarget, found: Any) -> tuple[BackendFact, ...]:  # noqa: ANN401 - a model of the SDK
    """Translate Azure's words. A pool that no rule uses with the settings is not listed, and neither is anybody in it."""
    facts = []
    for pool in found.backend_address_pools or ():
        if not _is(pool.backend_address_pool, target.gateway.pool):
            continue
        for settings in pool.backend_http_settings_collection or ():
            if _is(settings.backend_http_settings, target.gateway.settings):
                facts += [_backend(one) for one in settings.servers or ()]
    return tuple(facts)


def _is(part: Any, name: str) -> bool:  # noqa: ANN401 - a model of the SDK
    return str(part.id if part else "").rpartition("/")[2].casefold() == name.casefold()


def _backend(server: Any) -> BackendFact:  # noqa: ANN401 - a model of the SDK
    told = word(server.health).casefold()
    health = next((one for one in Health if one.value.casefold() == told), Health.UNKNOWN)
    return BackendFact(address=str(server.address), health=health, log=str(server.health_probe_log or "")[:300])
