"""A customer: submits workflows through the public name, one after the other, and keeps what was acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple, Self

import aiohttp

from deploy.lab.regions.cluster import API_TOKEN

_WITHIN = aiohttp.ClientTimeout(total=5)
_CREATED = 201


class Acknowledged(NamedTuple):
    """One workflow that the application has taken."""

    name: str
    """Of this customer's own, so that no later workflow can pass for it."""
    region: str
    at: float
    """Seconds of ``time.monotonic``."""


class Customer:
    """``async with Customer(url) as customer``: a new connection for each workflow, as many as the edge would see."""

    def __init__(self, url: str, every: float) -> None:
        """Submit to ``url``, the public name, ``every`` seconds after the last answer."""
        self._url, self._every = url, every
        self.acknowledged: list[Acknowledged] = []
        self.refused = 0
        self._task: asyncio.Task[None] | None = None

    def longest_gap(self, since: float = 0.0) -> float:
        """Longest time between two acknowledgements from ``since`` on, in seconds: the outage as this customer saw it."""
        times = [one.at for one in self.acknowledged if one.at >= since]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    def missing(self, found: Iterable[str]) -> list[Acknowledged]:
        """Return what was acknowledged and is not among the names that were ``found``."""
        names = set(found)
        return [one for one in self.acknowledged if one.name not in names]

    async def until_served(self, region: str, seconds: float = 60) -> None:
        """Wait for an acknowledgement of ``region``."""
        async with asyncio.timeout(seconds):
            while not self.acknowledged or self.acknowledged[-1].region != region:  # noqa: ASYNC110 - its list
                await asyncio.sleep(0.05)

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._submit())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _submit(self) -> None:
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(headers=headers, timeout=_WITHIN, connector=connector) as http:
            while True:
                try:
                    await self._one(http)
                except (aiohttp.ClientError, TimeoutError):
                    self.refused += 1
                await asyncio.sleep(self._every)

    async def _one(self, http: aiohttp.ClientSession) -> None:
        name = f"workflow {len(self.acknowledged) + self.refused}"
        async with http.post(f"{self._url}/api/v1/workflows", json={"name": name}) as answer:
            if answer.status != _CREATED:
                self.refused += 1
                return
            self.acknowledged.append(Acknowledged(name, answer.headers.get("x-region", ""), time.monotonic()))
