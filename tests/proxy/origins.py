"""Real HTTP servers on loopback addresses, and a customer who asks for one answer after the other.

::

    async with origins("127.0.84.11", "127.0.84.12") as servers:
        servers["127.0.84.11"].status = 503       # what its probes and its customers get
        await servers["127.0.84.11"].die()        # nobody listens there any more
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from deploy.lab.patience import stretched
from deploy.lab.ports import free_port

HEALTH = "/health/ready"


@dataclass
class Origin:
    """``probed`` counts the questions for its health, ``asked`` keeps everything else that it was asked for."""

    host: str
    port: int = 0
    status: int = 200
    probed: int = 0
    asked: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: what is asked for ``/slow`` is answered."""
    _runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def live(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.port = self.port or free_port(self.host)
        await web.TCPSite(self._runner, self.host, self.port, reuse_address=True).start()

    async def die(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path.startswith(HEALTH):
            self.probed += 1
            return web.Response(status=self.status)
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/slow":
            await self.held.wait()
        if request.path == "/dropped" and request.transport:
            request.transport.abort()
        return web.Response(text=await request.text(), headers={"x-region": self.host})


@asynccontextmanager
async def origins(*hosts: str) -> AsyncIterator[dict[str, Origin]]:
    found = {host: Origin(host) for host in hosts}
    async with AsyncExitStack() as stack:
        for one in found.values():
            await one.live()
            stack.push_async_callback(one.die)
        yield found


async def answer(url: str, path: str = "/", method: str = "GET") -> tuple[int, str]:
    """Return the status of one request on a connection of its own, and the host that has answered; 0: no answer."""
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as http, http.request(method, f"{url}{path}") as got:
            return got.status, got.headers.get("x-region", "")
    return 0, ""


async def until(holds: Callable[[], bool | Awaitable[bool]], seconds: float = 5) -> None:
    async with asyncio.timeout(stretched(seconds)):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def until_served_by(url: str, host: str, seconds: float = 5) -> None:
    async def served() -> bool:
        return (await answer(url))[1] == host

    await until(served, seconds)


@dataclass
class Customers:
    """``statuses`` of everything that they were answered, and ``by`` whom."""

    statuses: list[int] = field(default_factory=list)
    by: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def asking(self, url: str, method: str = "POST") -> AsyncIterator[Customers]:
        """Ask without a pause: one on a connection that stays, one on a new one each time."""
        tasks = [asyncio.create_task(self._ask(url, method, anew=anew)) for anew in (False, True)]
        try:
            yield self
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, url: str, method: str, *, anew: bool) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=anew)) as http:
            while True:
                try:
                    async with http.request(method, url) as got:
                        self.statuses.append(got.status)
                        self.by.append(got.headers.get("x-region", ""))
                except aiohttp.ClientError:
                    self.statuses.append(0)
                await asyncio.sleep(0.002)
