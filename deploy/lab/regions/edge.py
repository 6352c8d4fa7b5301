"""The edge of the emulated Front Door, as customers reach it: an HTTP proxy that asks it for an origin for each request.

It stands for all places of the edge at once, so its answers change from one request to the next, where Azure's would for
minutes come from both regions. A request whose origin does not answer ends with 502; nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from deploy.lab.azure.front_door import FrontDoor

_WITHIN = aiohttp.ClientTimeout(total=10, connect=2)
_PROBE_WITHIN = aiohttp.ClientTimeout(total=2)
_PASSED_ON = ("Authorization", "Content-Type")


class PublicEdge:
    """``origins``: host name of an origin → HOST:PORT where it is reached."""

    def __init__(self, subscription: str, origins: Mapping[str, str], propagation: float) -> None:
        """Make the Front Door whose edge this is; lay out its profiles, and let the emulator serve it."""
        self._origins = origins
        self.front = FrontDoor(subscription, self._probe, propagation)
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self, endpoint: str) -> None:
        """Serve the requests to ``endpoint`` on a port of the loopback; after ``stop`` on the same one."""
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))

        async def lead(request: web.Request) -> web.Response:
            return await self._lead(endpoint, request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", lead)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", urlsplit(self.url).port or 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """End."""
        if self._runner:
            await self._runner.cleanup()
        if self._http:
            await self._http.close()

    async def _lead(self, endpoint: str, request: web.Request) -> web.Response:
        where = self._origins.get(self.front.edge.origin_for(endpoint) or "")
        if where is None or self._http is None:
            return web.Response(status=503, text="no origin")
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        body = await request.read()
        try:
            async with self._http.request(
                request.method, f"http://{where}{request.path_qs}", headers=headers, data=body or None, timeout=_WITHIN
            ) as answer:
                region = answer.headers.get("x-region", "")
                return web.Response(
                    status=answer.status, body=await answer.read(), headers={"x-region": region} if region else {},
                    content_type=answer.content_type,
                )  # fmt: skip
        except (aiohttp.ClientError, TimeoutError) as error:
            return web.Response(status=502, text=type(error).__name__)

    async def _probe(self, host: str, path: str) -> int:
        """Ask an origin for its health, as the edge does."""
        if host not in self._origins:
            raise ConnectionRefusedError(host)
        async with (
            aiohttp.ClientSession(timeout=_PROBE_WITHIN) as http,
            http.get(f"http://{self._origins[host]}{path}") as answer,
        ):
            return answer.status
