"""Promotion of a replica, in its four forms: switchover or standalone, planned or forced.

A planned one needs the source: it takes no more writes, and the replica has all of them before it takes the first. A forced
one promotes at once, with what the replica has received; the source, if it lives, is then made a replica, and if it is dead,
as soon as it comes back. Standalone leaves the source alone: two servers take writes from then on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from deploy.lab.azure.flexible_models import PromotedRole, PromoteMode, PromoteOption, ServerProperties
from deploy.lab.azure.flexible_state import Endpoint, Server, State, refused
from deploy.lab.azure.operations import OperationFailedError
from deploy.lab.azure.routing import Answer, Call

KIND = "ReadReplicaSiteSwapManagementOperation"
_STANDALONE_KIND = "PromoteReadReplicaManagementOperation"
PLANNED_SECONDS, FORCED_SECONDS = 381, 345
_LAST_WITHOUT_SOURCE = "2026-04-01"


@dataclass(frozen=True)
class _Promotion:
    state: State
    replica: Server
    source: Server
    endpoint: Endpoint | None
    planned: bool

    async def switchover(self) -> None:
        databases, replica, source = self.state.databases, self.replica, self.source
        if self.planned:
            await self._drain()
        await databases.promote(replica.name)
        self._show_promoted("Primary")
        for other in self.state.replicas(source):
            other.source = replica.name
        if self.endpoint:
            self.endpoint.owner, self.endpoint.replica = replica.name, source.name
            self.state.publish(self.endpoint)
        try:
            await databases.follow(source.name, replica.name)
        finally:
            source.returns_to = replica.name
        await self.state.settle()

    async def standalone(self) -> None:
        if self.planned:
            await self._must_be_up()
            await self.state.databases.catch_up(self.replica.name, self.source.name)
        await self.state.databases.promote(self.replica.name)
        self._show_promoted("None")

    def _show_promoted(self, role: str) -> None:
        self.replica.role, self.replica.source, self.replica.ha_mode = role, "", "Disabled"

    async def _drain(self) -> None:
        """Stop the source with all that it wrote at the replica; if that fails, let it go on as it was."""
        await self._must_be_up()
        try:
            await self.state.databases.stop(self.source.name)
            await self.state.databases.catch_up(self.replica.name, self.source.name)
        except (Exception, asyncio.CancelledError):
            await self.state.databases.start(self.source.name)
            raise

    async def _must_be_up(self) -> None:
        for server in (self.source, self.replica):
            if not await self.state.databases.is_up(server.name):
                text = f"Server '{server.name}' is not available; a planned promotion needs it."
                raise OperationFailedError("ServerIsNotReady", text)


def promote(state: State, call: Call, server: Server, asked: ServerProperties) -> Answer:
    """Begin a promotion; 400 for one that cannot be. A busy server is told inside the operation, before all else."""
    mode, planned = _form(asked)
    switchover = mode is PromoteMode.SWITCHOVER
    kind = KIND if switchover else _STANDALONE_KIND
    seconds = PLANNED_SECONDS if planned else FORCED_SECONDS
    if server.busy:
        return state.change(call, kind, seconds, [server], lambda: asyncio.sleep(0))
    if not server.is_replica:
        raise refused("InvalidOperationForServerRole", f"Server {server.name} is not a replica server.")
    source = state.servers[server.source.lower()]
    _must_name(source, asked.source_server_resource_id, state, call.version)
    endpoint = state.endpoint_of(source, server)
    if switchover and endpoint is None:
        text = f"Switchover needs a virtual endpoint whose members are '{source.name}' and '{server.name}'."
        raise refused("VirtualEndpointRequired", text)
    promotion = _Promotion(state, server, source, endpoint, planned)
    return state.change(call, kind, seconds, [server, source], promotion.switchover if switchover else promotion.standalone)


def _form(asked: ServerProperties) -> tuple[PromoteMode, bool]:
    """Return mode and whether it is planned. 400 if one is missing or the role is another mode's."""
    replica = asked.replica
    if replica is None or replica.promote_mode is None or replica.promote_option is None:
        text = "Parameters 'properties.replica.promoteMode' and 'properties.replica.promoteOption' must be specified"
        raise refused("MissingRequiredParameter", text)
    expected = PromotedRole.PRIMARY if replica.promote_mode is PromoteMode.SWITCHOVER else PromotedRole.NONE
    if replica.role not in {None, expected}:
        text = f"Invalid value given for parameter properties.replica.role: {replica.promote_mode} makes it {expected}."
        raise refused("InvalidParameterValue", text)
    return replica.promote_mode, replica.promote_option is PromoteOption.PLANNED


def _must_name(source: Server, given: str | None, state: State, version: str) -> None:
    """Return if the body names the source, which api-versions after 2026-04-01-preview demand (azure-cli #33776)."""
    if given is None:
        if version[: len(_LAST_WITHOUT_SOURCE)] > _LAST_WITHOUT_SOURCE:
            text = "Parameter 'properties.sourceServerResourceId' must be specified"
            raise refused("MissingRequiredParameter", text)
        return
    if given.lower() != state.id_of(source).lower():
        text = f"Invalid value given for parameter properties.sourceServerResourceId: {given} is not the source server."
        raise refused("InvalidParameterValue", text)
