"""How long to wait before the next attempt: 10 ms, then twice as long each time up to 200 ms, and never quite the same."""

from __future__ import annotations

import random
import time

_FIRST_SECONDS, _LONGEST_SECONDS = 0.01, 0.2


class Pace:
    """Starts anew after a quiet time."""

    def __init__(self) -> None:
        """Begin with no wait at all."""
        self._seconds, self._last = 0.0, 0.0

    def seconds(self) -> float:
        """Return how long to wait now; 0 when the last attempt was long ago."""
        now = time.monotonic()
        quiet, self._last = now - self._last, now
        grown = min(max(2 * self._seconds, _FIRST_SECONDS), _LONGEST_SECONDS)
        self._seconds = 0.0 if quiet > 2 * _LONGEST_SECONDS else grown
        return self._seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret depends on it
