"""The steps, on a cache in memory."""

from __future__ import annotations

import asyncio

from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.postures import CHANGE, COMPENSATE, READ
from tests.ninth.models import Cache, CacheRequest


class CacheSteps:
    """Acts on one cache."""

    def __init__(self, entries: int = 3) -> None:
        """Begin with so many entries."""
        self.cache = Cache(entries=entries, paused=False)
        self.broken = False
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    @step("cache.survey", READ, lambda request: f"survey the cache of {request.target.name}")
    async def survey(self, _: CacheRequest) -> Cache:
        """Return the cache as it is."""
        return self.cache

    @step("cache.pause", CHANGE, lambda _: "hold readers back")
    async def pause(self, _: CacheRequest) -> Cache:
        """Hold readers back. Repeating it changes nothing more."""
        self.cache = self.cache.model_copy(update={"paused": True})
        return self.cache

    @step("cache.flush", CHANGE, lambda _: "throw all entries away")
    async def flush(self, _: CacheRequest) -> Cache:
        """Throw all entries away. ApplicationError: ``NotAvailable``, when the cache is broken."""
        await self.goes_on.wait()
        if self.broken:
            raise refuse(Refusal.NOT_AVAILABLE, "the cache is broken")
        self.cache = Cache(entries=0, paused=True)
        return self.cache

    @step("cache.resume", COMPENSATE, lambda _: "let readers on again")
    async def resume(self, _: CacheRequest) -> Cache:
        """Let readers on again: the last step, or the undo. Repeating it changes nothing more."""
        self.cache = self.cache.model_copy(update={"paused": False})
        return self.cache
