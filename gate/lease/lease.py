"""The leadership lease: one page of memory that a gate and its watchdog share.

It says since when the server may write, and which process it is. The Kubernetes Lease is another thing
(``gate.lease.kube``): it shows others that the leader renews this one.
"""

from __future__ import annotations

import mmap
import os
import time

_RENEWED, _POSTMASTER = 0, 1


def now() -> float:
    """Return seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Two numbers, each read and written at once: no lock, so that neither side ever waits for the other."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._view = memoryview(mmap.mmap(descriptor, mmap.PAGESIZE)).cast("d")

    @classmethod
    def make(cls) -> Lease:
        """Return a fresh one, renewed now, of no server."""
        descriptor = os.memfd_create("lease")
        os.ftruncate(descriptor, mmap.PAGESIZE)
        lease = cls(descriptor)
        lease.renew(now())
        return lease

    @property
    def renewed_at(self) -> float:
        """When the question was asked that was last answered well (``now()``)."""
        return self._view[_RENEWED]

    def renew(self, asked_at: float) -> None:
        """Let it count from ``asked_at``, unless it does from later."""
        self._view[_RENEWED] = max(self._view[_RENEWED], asked_at)

    @property
    def postmaster(self) -> int:
        """The server's first process; 0 when there is none."""
        return int(self._view[_POSTMASTER])

    @postmaster.setter
    def postmaster(self, pid: int) -> None:
        self._view[_POSTMASTER] = pid
