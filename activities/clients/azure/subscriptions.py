"""One client of an SDK per subscription, made when it is first asked for: its import takes a third of a second."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from activities.clients.azure.access import AzureAccess


class Subscriptions:
    """Clients of one SDK."""

    def __init__(self, access: AzureAccess, module: str, name: str) -> None:
        """Make clients of the class ``name`` of ``module``."""
        self._access, self._module, self._name = access, module, name
        self._clients: dict[str, Any] = {}

    async def of(self, subscription: str) -> Any:  # noqa: ANN401 - a client of an SDK that is imported later
        """Return the subscription's client."""
        if subscription not in self._clients:
            sdk = await asyncio.to_thread(import_module, self._module)
            credential = await asyncio.to_thread(self._access.credential)
            made = getattr(sdk, self._name)(credential, subscription, **self._access.options())
            self._clients.setdefault(subscription, made)
        return self._clients[subscription]

    async def close(self) -> None:
        """Let go of all connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()
