"""An event loop whose clock jumps to whatever is due next: a minute of a cluster's life passes in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: it notes how long the loop wanted to wait."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("nothing is due, and so nothing will ever happen")
        self.elapsed += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Deterministic as long as no thread takes part."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._jumping.elapsed

    def end_all_tasks(self) -> None:
        """Cancel what is left; some of it takes more than one cancel."""
        for _ in range(50):
            left = asyncio.all_tasks(self)
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.sleep(0.05))
