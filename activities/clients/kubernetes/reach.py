"""Asks an API server for nothing but its version: everybody who has an account may (``system:public-info-viewer``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubernetes import client

from activities.clients.kubernetes.core import TIMEOUT, KubernetesClient

if TYPE_CHECKING:
    from estate.base import Region


class ApiServersClient:
    """Speaks to any number of clusters."""

    def __init__(self, kubernetes: KubernetesClient) -> None:
        """Ask through ``kubernetes``."""
        self._kubernetes = kubernetes

    async def version(self, region: Region) -> str:
        """Return the API server's version."""
        found = await self._kubernetes.call(
            region, "get the version", lambda api: client.VersionApi(api).get_code(_request_timeout=TIMEOUT)
        )
        return str(found.get("gitVersion") or "")
