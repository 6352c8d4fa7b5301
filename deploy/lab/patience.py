"""How long a wait for the lab may last: longer on a machine that has more to do than it has processors.

What is waited for is a condition, and the limit is there only so that a wait ends that will never be over. On a busy machine
everything takes longer by about the load of each processor, and a limit that is right on an idle one says nothing there.
"""

from __future__ import annotations

import os

_MOST = 5.0


def stretched(seconds: float) -> float:
    """Return the limit for what takes at most ``seconds`` on an idle machine."""
    return seconds * min(_MOST, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
