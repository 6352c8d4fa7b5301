"""The real SDK in front of the emulator: over plain HTTP, with a token of our own, and polling at the emulator's pace."""

from __future__ import annotations

import time
from typing import Any, Self

from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient, models
from azure.mgmt.postgresqlflexibleservers import aio as asynchronous

from tests.azure.pair import PRIMARY, PRIMARY_GROUP, SUBSCRIPTION, TOKEN

SOURCE_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{PRIMARY_GROUP}"
    f"/providers/Microsoft.DBforPostgreSQL/flexibleServers/{PRIMARY}"
)
QUICKLY = {"polling_interval": 0.02, "retry_backoff_factor": 0.001, "retry_backoff_max": 0.01}


class _Credential:
    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(TOKEN, int(time.time()) + 86400)


class AioCredential:
    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(TOKEN, int(time.time()) + 86400)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


class Bearer(SansIOHTTPPolicy[Any, Any]):
    """Sends the token also without TLS, which Azure's own policy refuses."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {self._token}"


def client(url: str, token: str = TOKEN, **options: Any) -> PostgreSQLManagementClient:
    settings = {**QUICKLY, **options}
    return PostgreSQLManagementClient(
        _Credential(), SUBSCRIPTION, base_url=url, authentication_policy=Bearer(token), **settings
    )


def aio_client(url: str, token: str = TOKEN, **options: Any) -> asynchronous.PostgreSQLManagementClient:
    settings = {**QUICKLY, **options}
    return asynchronous.PostgreSQLManagementClient(
        AioCredential(), SUBSCRIPTION, base_url=url, authentication_policy=Bearer(token), **settings
    )


def promotion(mode: str = "Switchover", option: str = "Planned", source: str | None = SOURCE_ID) -> models.ServerForPatch:
    replica = models.Replica(role="Primary" if mode == "Switchover" else "None", promote_mode=mode, promote_option=option)
    return models.ServerForPatch(
        properties=models.ServerPropertiesForPatch(source_server_resource_id=source, replica=replica)
    )
