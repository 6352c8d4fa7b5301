"""Virtual endpoints of flexible servers: two names, the writer's and the reader's, and an object at the primary's path.

Reading the object through the server that is no longer primary is a 400 (terraform-provider-azurerm #30789), not a 404.
"""

from __future__ import annotations

from typing import Any

from deploy.lab.azure.bodies import read
from deploy.lab.azure.errors import no_resource
from deploy.lab.azure.flexible_models import EndpointBody
from deploy.lab.azure.flexible_state import DOMAIN, KIND, Endpoint, Server, State, refused
from deploy.lab.azure.routing import Answer, Call

_SECONDS = 60


class VirtualEndpoints:
    """What is answered below ``…/virtualendpoints``."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def get(self, call: Call) -> Answer:
        """GET one."""
        await self._state.settle()
        server, found = self._found(call)
        if found is None:
            raise no_resource(f"{KIND}/virtualendpoints", f"{server.name}/{call.names['endpoint']}", server.group)
        return Answer(body=self._body(found))

    async def get_all(self, call: Call) -> Answer:
        """GET the list."""
        await self._state.settle()
        server = self._primary(call)
        return Answer(
            body={"value": [self._body(one) for one in self._state.endpoints.values() if one.owner == server.name]}
        )

    async def put(self, call: Call) -> Answer:
        """PUT: make one, or replace it."""
        return self._write(call, "ReplicaGroupCreateManagementOperation")

    async def patch(self, call: Call) -> Answer:
        """PATCH: replace it; 404 without it."""
        server, found = self._found(call)
        if found is None:
            raise no_resource(f"{KIND}/virtualendpoints", f"{server.name}/{call.names['endpoint']}", server.group)
        return self._write(call, "ReplicaGroupUpdateManagementOperation")

    async def delete(self, call: Call) -> Answer:
        """DELETE: 204 if there is none."""
        server, found = self._found(call)
        if found is None:
            return Answer(204)

        async def work() -> None:
            self._state.endpoints.pop(found.name.lower(), None)
            self._state.names.remove(found.name)

        return self._state.change(call, "VirtualEndpointDropManagementOperation", _SECONDS, [server], work)

    def _write(self, call: Call, kind: str) -> Answer:
        server, found = self._found(call)
        if server.is_replica:
            raise refused("BadRequest", f"Server '{server.name}' is not a primary server.")
        [member] = read(EndpointBody, call.body).properties.members
        allowed = {one.name.lower(): one.name for one in (server, *self._state.replicas(server))}
        if member.lower() not in allowed:
            raise refused("InvalidParameterValue", f"'{member}' is neither the server nor one of its replicas.")
        replica = "" if member.lower() == server.name.lower() else allowed[member.lower()]
        endpoint = Endpoint(found.name if found else call.names["endpoint"], server.group, server.name, replica)

        async def work() -> dict[str, Any]:
            self._state.endpoints[endpoint.name.lower()] = endpoint
            self._state.publish(endpoint)
            return self._body(endpoint)

        return self._state.change(call, kind, _SECONDS, [server], work)

    def _primary(self, call: Call) -> Server:
        """Return the server of the path. 400 if it is a replica now and an endpoint's member."""
        server = self._state.server(call)
        if any(server.name in one.members and one.owner != server.name for one in self._state.endpoints.values()):
            text = f"Server '{server.name}' is not the primary server of its virtual endpoints."
            raise refused("BadRequest", text)
        return server

    def _found(self, call: Call) -> tuple[Server, Endpoint | None]:
        server = self._primary(call)
        found = self._state.endpoints.get(call.names["endpoint"].lower())
        return server, found if found and found.owner == server.name else None

    def _body(self, endpoint: Endpoint) -> dict[str, Any]:
        owner = self._state.servers[endpoint.owner.lower()]
        names = [f"{endpoint.name}.{kind}.{DOMAIN}" for kind in ("writer", "reader")]
        return {
            "properties": {"endpointType": "ReadWrite", "virtualEndpoints": names, "members": endpoint.members},
            "id": f"{self._state.id_of(owner)}/virtualendpoints/{endpoint.name}",
            "name": endpoint.name,
            "type": f"{KIND}/virtualendpoints",
        }
