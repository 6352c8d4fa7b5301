"""Health probes: something asks hosts at their intervals, and remembers the answers. Who asks judges them.

The probe itself is pluggable: an asynchronous callable of host and path that returns an HTTP status. One that raises, or
takes longer than the check allows, has the status 0. All of Azure's intervals are scaled by the emulator's pace.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field

from deploy.lab.azure.operations import Operations

OK = range(200, 201)
_LONGEST_SLEEP, _SHORTEST_SLEEP = 0.05, 0.002
_REAL_SECONDS_TO_ANSWER = 0.5
"""What a probe of a real host needs at least, however fast the emulator goes."""


Probe = Callable[[str, str], Awaitable[int]]
"""Ask a host for a path; the status that it answers with, or an exception."""


@dataclass(frozen=True)
class Check:
    """Whom to ask, and how often. Two that are equal are one."""

    host: str
    path: str
    seconds: float
    timeout: float = 30


@dataclass
class Seen:
    """What a host has answered, the newest last."""

    statuses: deque[int] = field(default_factory=lambda: deque(maxlen=256))

    def failures(self, good: Collection[int]) -> int:
        """Return how many answers in a row were bad up to now."""
        return len(list(itertools.takewhile(lambda one: one not in good, reversed(self.statuses))))

    def good_of(self, last: int, good: Collection[int]) -> int:
        """Return how many of the ``last`` answers were good; those that are not there yet count as good."""
        sample = list(self.statuses)[-last:]
        return sum(one in good for one in sample) + last - len(sample)

    def verdict(self, threshold: int, good: Collection[int]) -> bool | None:
        """Return whether it is up: good the last time, or fewer than ``threshold`` failures since. None: not known yet."""
        failures = self.failures(good)
        if failures >= threshold:
            return False
        return None if failures == len(self.statuses) else True


class Prober:
    """Carries out the checks that ``wanted`` names, and forgets those that it names no more."""

    def __init__(self, probe: Probe, wanted: Callable[[], Iterable[Check]]) -> None:
        self._probe, self._wanted = probe, wanted
        self._seen: dict[Check, Seen] = {}
        self._due: dict[Check, float] = {}
        self._asking: dict[Check, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def seen(self, check: Check) -> Seen:
        """Return what is known."""
        return self._seen.get(check) or Seen()

    def start(self, operations: Operations) -> None:
        """Begin, in the caller's event loop."""
        self._task = asyncio.create_task(self._run(operations))

    async def stop(self) -> None:
        """End."""
        running = [*([self._task] if self._task else []), *self._asking.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, operations: Operations) -> None:
        while True:
            wanted, now = set(self._wanted()), time.monotonic()
            self._forget(set(self._due) - wanted)
            for check in wanted - set(self._asking):
                if self._due.get(check, now) <= now:
                    self._due[check] = now + check.seconds * operations.pace
                    self._ask(check, operations.pace)
            earliest = min(self._due.values(), default=now + _LONGEST_SLEEP)
            await asyncio.sleep(min(max(earliest - now, _SHORTEST_SLEEP), _LONGEST_SLEEP))

    def _forget(self, checks: Iterable[Check]) -> None:
        for check in checks:
            del self._due[check]
            self._seen.pop(check, None)
            if task := self._asking.get(check):
                task.cancel()

    def _ask(self, check: Check, pace: float) -> None:
        task = asyncio.create_task(self._asked(check, max(check.timeout * pace, _REAL_SECONDS_TO_ANSWER)))
        self._asking[check] = task
        task.add_done_callback(lambda _: self._asking.pop(check, None))

    async def _asked(self, check: Check, timeout: float) -> None:
        status = await ask(self._probe, check.host, check.path, timeout)
        self._seen.setdefault(check, Seen()).statuses.append(status)


async def ask(probe: Probe, host: str, path: str, timeout: float) -> int:
    """Return the status of one probe; 0 if there is none in time."""
    try:
        async with asyncio.timeout(timeout):
            return await probe(host, path)
    except Exception:  # noqa: BLE001 - a probe is anybody's, and whatever it raises is no answer
        return 0
