"""How long one call may take in all, and how long it waits between two attempts."""

from __future__ import annotations

import asyncio
import random
import time

from deploy.clients.errors import InDoubtError, NotAcknowledgedError, UnavailableError

_FIRST_SECONDS, _QUIET_SECONDS, _LEAST_SECONDS = 0.01, 0.5, 0.05


class Pace:
    """10 ms, then twice as long each time up to a limit, and never quite the same; starts anew after a quiet time."""

    def __init__(self, longest: float) -> None:
        """Begin with no wait at all; never ask for more than so many seconds."""
        self._longest, self._seconds, self._last = longest, 0.0, 0.0

    def seconds(self) -> float:
        """Return how long to wait now; 0 when the last attempt was long ago."""
        now = time.monotonic()
        quiet, self._last = now - self._last, now
        grown = min(max(2 * self._seconds, _FIRST_SECONDS), self._longest)
        self._seconds = 0.0 if quiet > _QUIET_SECONDS else grown
        return self._seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret depends on it


class Call:
    """One call of an application, with what stood in its way so far."""

    def __init__(self, seconds: float, longest_pause: float) -> None:
        """Begin; it has so many seconds."""
        self.seconds, self._until = seconds, asyncio.get_running_loop().time() + seconds
        self.pace = Pace(longest_pause)
        self.in_doubt = False
        """Whether an attempt may have been executed."""
        self.why: Exception | None = None

    @property
    def left(self) -> float:
        """Seconds until its deadline; negative after it."""
        return self._until - asyncio.get_running_loop().time()

    @property
    def has_time(self) -> bool:
        """Whether another attempt could end in time; one that could not would only leave a doubt."""
        return self.left > min(_LEAST_SECONDS, self.seconds / 10)

    async def pause(self) -> None:
        """Wait until the next attempt, or the deadline."""
        await asyncio.sleep(min(self.pace.seconds(), max(self.left, 0)))

    def failure(self) -> NotAcknowledgedError:
        """Return the error for a deadline that has passed."""
        kind = InDoubtError if self.in_doubt else UnavailableError
        return kind(f"not acknowledged within {self.seconds:.1f} s: {self.why}")
