"""What a lab is worth on a machine that has more to do than it has processors, and how long a wait for it may last there.

What is waited for is a condition, and the limit is there only so that a wait ends that will never be over. On a busy machine
everything takes longer by about the load of each processor, and a limit that is right on an idle one says nothing there.
"""

from __future__ import annotations

import os
from pathlib import Path

_MOST = 5.0
_SHARES = {"cpu.shares": 20 * 1024, "cpu.weight": 20 * 100}
"""What all pods of a node together are worth beside *one* process outside, by either version of cgroups.

Otherwise it is the same: where 35 processes want two processors, a node's PostgreSQL, gate, Redis and workers share a 35th
of them, and a connection takes 14 s instead of 0.1 s. A machine that has nothing else to do gives them all in any case.
"""


def stretched(seconds: float) -> float:
    """Return the limit for what takes at most ``seconds`` on an idle machine."""
    return seconds * min(_MOST, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def go_before_others(group: Path) -> None:
    """Let what is in a cgroup go before what else the machine does."""
    for file, share in _SHARES.items():
        if (group / file).exists():
            (group / file).write_text(str(share), encoding="utf-8")
