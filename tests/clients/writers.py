"""A client that writes a number every few milliseconds, and what it saw: acknowledged, failed, the longest gap."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise

Put = Callable[[int], Awaitable[object]]


@dataclass
class Written:
    acknowledged: dict[int, float] = field(default_factory=dict)
    """Number → when it was acknowledged."""
    errors: Counter[str] = field(default_factory=Counter)
    in_doubt: set[int] = field(default_factory=set)

    @property
    def last(self) -> float:
        """When a write was acknowledged last."""
        return max(self.acknowledged.values(), default=0.0)

    @property
    def gap(self) -> tuple[float, float]:
        """The longest time without an acknowledgement: from, to."""
        times = pairwise(sorted(self.acknowledged.values()))
        return max(times, key=lambda pair: pair[1] - pair[0], default=(0.0, 0.0))

    @property
    def outage(self) -> float:
        """The same in seconds."""
        return self.gap[1] - self.gap[0]


@asynccontextmanager
async def writing(put: Put, *, every: float = 0.01, one_at_a_time: bool = False) -> AsyncIterator[Written]:
    """Write inside the block; at its end wait for what is under way."""
    written, ending = Written(), asyncio.Event()

    async def one(number: int) -> None:
        try:
            await put(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            kind = type(error).__name__
            written.errors[kind] += 1
            if kind == "InDoubtError":
                written.in_doubt.add(number)
        else:
            written.acknowledged[number] = time.monotonic()

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in count():
                if ending.is_set():
                    return
                task = tasks.create_task(one(number))
                if one_at_a_time:
                    await task
                await asyncio.sleep(every)

    going = asyncio.create_task(all_of_them())
    try:
        yield written
    finally:
        ending.set()
        await going
