"""Somebody who is told: a web server on loopback that takes what apprise posts, or does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from deploy.lab.patience import stretched


@dataclass
class Receiver:
    """What it was told, and how it answers."""

    port: int = 0
    texts: list[dict[str, Any]] = field(default_factory=list)
    """As posted, oldest first; also those that were answered badly."""
    status: int = 200
    hangs: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    @property
    def url(self) -> str:
        """Its address for apprise; the path is a secret."""
        return f"json://127.0.0.1:{self.port}/tokentoken"

    @property
    def titles(self) -> list[str]:
        return [text["title"] for text in self.texts]

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        text = await request.json()
        if self.hangs:
            await self.released.wait()
        self.texts.append(text)
        return web.Response(status=self.status)

    async def until(self, *starts: str, seconds: float = 20) -> list[str]:
        """Wait until a title begins with each of ``starts``; return all titles."""
        async with asyncio.timeout(stretched(seconds)):
            while not all(any(title.startswith(start) for title in self.titles) for start in starts):
                await asyncio.sleep(0.02)
        return self.titles

    def body(self, start: str) -> str:
        """Return the body of the first text whose title begins so."""
        return next(str(text["message"]) for text in self.texts if text["title"].startswith(start))


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listen until the block ends."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/{rest:.*}", receiver.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        receiver.released.set()
        await runner.cleanup()
