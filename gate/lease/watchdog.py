"""``python -m gate.lease.watchdog``: ends the server of a gate that is late: frozen, starved, cut off, stuck.

A server may take writes for as long as its *lease* lasts. The lease is renewed by whoever vouches for this member
(``gate.lease.vouching``) and lasts ``isolation_timeout`` from the moment that was *asked*, not answered. This process
looks every 50 ms. It is a small one of its own: the gate's loop may hang in a call, its interpreter may be busy or stopped.

- The lease has run out: every process of the server is killed. No shutdown checkpoint: it could take minutes, and whoever
  waits for this member's isolation promotes another one when the time has passed.
- The watchdog itself has slept for a second: the container or its machine was frozen, and what was true before may not be
  true now. The server is *held* (SIGSTOP) before it can answer anybody, until somebody has vouched for it again, or its
  lease has run out.

A standby may run without a lease. PostgreSQL removes its signal file before a promoted server takes its first write.
Between a thaw and this process's first instruction the server's own processes may run: ADR 0008 says what that means.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from gate.lease.lease import Lease, now
from gate.postgres.processes import kill_all, signal_all

WATCHES = "watches"
"""Its first words; the gate starts no server before it has heard them."""
_LOOK_EVERY_SECONDS = 0.05
_SLEPT_SECONDS = 1.0


class Watchdog:
    """One process beside one gate."""

    def __init__(self, lease: Lease, lasts: float, signal_file: str) -> None:
        """Watch the postmaster of ``lease``, which ``lasts`` that many seconds, while ``signal_file`` is not there."""
        self._lease, self._lasts, self._signal_file = lease, lasts, signal_file
        self._held, self._held_at, self._killed = 0, 0.0, 0

    def look(self, slept: float) -> None:
        """Hold or kill the server if that is due; ``slept``: seconds since the last look."""
        postmaster, at = self._lease.postmaster, now()
        if not postmaster or os.path.exists(self._signal_file):  # noqa: PTH110 - the cheapest question there is
            self._held = 0
            return
        if slept > _SLEPT_SECONDS:
            signal_all(postmaster, signal.SIGSTOP)
            self._held, self._held_at = postmaster, at
            self._say(f"WAS FROZEN for {slept:.1f} s: holds the server until somebody says that it still leads")
        silent = at - self._lease.renewed_at
        if silent > self._lasts:
            kill_all(postmaster)
            if postmaster != self._killed:
                self._say(f"ISOLATED: nobody has vouched for {silent:.1f} s; killed the server")
            self._held, self._killed = 0, postmaster
        elif self._held:
            self._hold_on(postmaster)

    def _hold_on(self, postmaster: int) -> None:
        """Keep the server held, whoever lets it go on meanwhile, until somebody has vouched for it since."""
        if self._held != postmaster:
            self._held = 0  # another server has been started since, as whatever the record says
        elif self._lease.renewed_at > self._held_at:
            self._held = 0
            signal_all(postmaster, signal.SIGCONT)
            self._say("still leads: the server goes on")
        else:
            signal_all(postmaster, signal.SIGSTOP)

    def _say(self, message: str) -> None:
        print(message, flush=True)  # noqa: T201 - the gate reads it, and writes it into its log


def main() -> None:
    """Watch until the gate is gone."""
    descriptor, lasts, signal_file = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to everybody; the gate decides
    gate, watchdog, looked_at = os.getppid(), Watchdog(Lease(descriptor), lasts, signal_file), now()
    print(WATCHES, flush=True)  # noqa: T201
    while os.getppid() == gate:
        time.sleep(_LOOK_EVERY_SECONDS)
        slept, looked_at = now() - looked_at, now()
        watchdog.look(slept)


if __name__ == "__main__":
    main()
