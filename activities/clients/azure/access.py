"""How Azure Resource Manager is reached: as whom, where, and how long is waited. One answer for every client of it.

A worker is who its managed identity or workload identity says. Another endpoint than Azure's own takes a bearer that is a
secret of the worker, and may be without TLS, which Azure's SDKs refuse otherwise: that is for a laboratory.

Every request has a timeout, and none is repeated here: a client that repeats a change unasked asks twice for what must
happen once. The step that asks says how long to insist. Below the SDK, aiohttp sends a PUT or a DELETE a second time when
its connection breaks, whether or not the first one was heard: that is turned off here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from activities.clients.secrets import read_secret

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

LIMITS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 0}
"""Of every request, in seconds. Azure has answered a change within 2 s (recorded); throttling answers at once."""
PUBLIC = "https://management.azure.com"


@dataclass(frozen=True)
class AzureAccess:
    """What a client is made with."""

    endpoint: str = PUBLIC
    token: str = ""
    """Reference to the bearer of another endpoint than Azure's; empty: the worker's own identity."""
    poll: timedelta = timedelta(seconds=2)
    """Between two looks at an operation where Azure names no time of its own (``Retry-After``)."""

    def credential(self) -> AsyncTokenCredential:
        """Return whom to ask for tokens. ApplicationError: ``SecretMissing``."""
        if self.token:
            return _Bearer(self.token)
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - a third of a second

        return DefaultAzureCredential(connection_timeout=3, read_timeout=5, retry_total=0)

    def options(self) -> dict[str, Any]:
        """Return what every client of the SDK is made with."""
        options: dict[str, Any] = {"base_url": self.endpoint, "transport": _transport(), **LIMITS}
        if self.token:
            options["authentication_policy"] = _bearer_policy(self.token)
        return options


class _Bearer:
    """The bearer behind a reference, as the SDK wants it; read anew each time."""

    def __init__(self, reference: str) -> None:
        self._reference = reference

    async def get_token(self, *_: str, **__: Any) -> Any:  # noqa: ANN401 - the SDK's signature
        from azure.core.credentials import AccessToken  # noqa: PLC0415

        return AccessToken(read_secret(self._reference), 2**31)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


def _transport() -> Any:  # noqa: ANN401 - the SDK's base class is Any to mypy
    from azure.core.pipeline.transport import AioHttpTransport  # noqa: PLC0415

    class Once(AioHttpTransport):  # type: ignore[misc]
        """Sends each change once."""

        async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's signature
            return await super().send(request, middlewares=(_once,), **options)

    return Once(**LIMITS)


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Let a broken connection be an answer that aiohttp does not act on. What only reads may be sent again."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise aiohttp.ClientConnectionError(f"{type(error).__name__}: {error}") from error


def _bearer_policy(reference: str) -> Any:  # noqa: ANN401 - the SDK's base class is Any to mypy
    from azure.core.pipeline.policies import SansIOHTTPPolicy  # noqa: PLC0415

    class Bearer(SansIOHTTPPolicy):  # type: ignore[type-arg]
        """Says the bearer also without TLS."""

        def on_request(self, request: Any) -> None:  # noqa: ANN401 - the SDK's signature
            request.http_request.headers["Authorization"] = f"Bearer {read_secret(reference)}"

    return Bearer()
