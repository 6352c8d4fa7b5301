"""Asks a power interface over HTTP: ``GET ADDRESS/machines/NODE`` and ``POST ADDRESS/machines/NODE/off``."""

from __future__ import annotations

import aiohttp

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.clients.secrets import read_secret
from activities.nodes.machine_models import MachineState
from estate.nodes import NodeTarget

_SECONDS = 5.0
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = range(200, 300), 401, 403, 404


class HttpMachines:
    """The power interfaces of any number of pools."""

    async def state(self, target: NodeTarget, provider_id: str) -> MachineState:  # noqa: ARG002 - it goes by the node's name
        """Return what the interface says of the node's machine."""
        told = await self._ask("GET", target, "")
        try:
            return MachineState(str(told.get("state")))
        except ValueError:
            return MachineState.UNKNOWN

    async def end(self, target: NodeTarget, provider_id: str) -> None:  # noqa: ARG002 - as above
        """Ask for the machine's end. Safe to repeat."""
        await self._ask("POST", target, "/off")

    async def _ask(self, method: str, target: NodeTarget, what: str) -> dict[str, object]:
        """Return the answer, as far as it is a JSON object.

        Raises:
            UnreachableError: nobody answered, or with another status than 2xx, 401, 403 and 404.

        """
        settings = target.settings.machines
        address = f"{settings.address if settings else ''}/machines/{target.name}{what}"
        token = read_secret(settings.token) if settings and settings.token else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limit = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, headers=headers) as http,
                http.request(method, address, allow_redirects=False) as answer,
            ):
                _must_be_good(answer.status, f"{method} {address}")
                told = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise UnreachableError(f"{method} {address}: {type(error).__name__} {error}".strip()) from error
        return told if isinstance(told, dict) else {}


def _must_be_good(status: int, what: str) -> None:
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        raise ForbiddenError(f"{what}: the power interface says {status}; see token in the estate's machines")
    if status == _NOT_FOUND:
        raise MissingError(f"{what}: the power interface knows no such machine")
    if status not in _OK:
        raise UnreachableError(f"{what}: the power interface says {status}")
