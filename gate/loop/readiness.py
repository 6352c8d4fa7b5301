"""Whether the pod counts as ready: as steady as can be, since every change costs the route a second.

kube-proxy takes changes of endpoints at most once a second. A member that flaps right before the route moves makes the route
wait. So while a switch is under way readiness keeps its last value, for a minute at most; and a standby that has lost
its upstream, as it does the moment a primary dies, stays ready for a while: it still answers what it has. So does a server
under such load that it answers its gate late.
"""

from __future__ import annotations

import time

_HELD_SECONDS = 60.0
_ALONE_SECONDS = 45.0
"""A failover that waits for the old primary's isolation (30 s) finds its candidate ready: to become so takes the kubelet's
next probe (1 s), and then the route waits for kube-proxy."""


class Readiness:
    """Remembers what was answered last."""

    def __init__(self) -> None:
        self._ready, self._held_since, self._streamed_at = False, 0.0, float("-inf")

    def judge(  # noqa: PLR0913 - one argument a fact
        self, *, switching: bool, leads: bool, stands_by: bool, streams: bool, closed: bool, slow: bool = False
    ) -> bool:
        """Return whether the pod is ready now.

        ``leads`` and ``stands_by`` are true only of a server that runs; ``closed`` turns applications away; ``slow`` is a
        server that has answered and takes its time now.
        """
        now = time.monotonic()
        if streams:
            self._streamed_at = now
        if switching:
            self._held_since = self._held_since or now
            if now - self._held_since < _HELD_SECONDS:
                return self._ready
        else:
            self._held_since = 0.0
        if slow:
            self._ready = self._ready and not closed
            return self._ready
        follows = stands_by and now - self._streamed_at < _ALONE_SECONDS
        self._ready = (leads or follows) and not closed
        return self._ready
