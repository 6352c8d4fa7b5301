"""Keeps the watchdog (``gate.lease.watchdog``) alive beside the gate.

A watchdog that ends while the gate lives is replaced at once. Until then nothing ends a server whose lease has run out, so
that is logged in capitals.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from gate.lease.lease import Lease
from gate.lease.watchdog import WATCHES

_AGAIN_SECONDS = 0.2


class Supervisor:
    """One watchdog after another, beside one gate."""

    def __init__(self, lease: Lease, lasts: float, data: Path, say: Callable[[str], None]) -> None:
        """Watch the server of ``lease``, whose directory is ``data``; ``say`` gets the watchdog's messages."""
        self._lease, self._lasts, self._data, self._say = lease, lasts, data, say
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self.watches = asyncio.Event()
        """Set once there has been a watchdog."""

    async def run(self) -> None:
        """Keep a watchdog running, for ever."""
        while not self._ending:
            try:
                await self._one()
            except OSError as error:
                self._say(f"THE WATCHDOG CANNOT BE STARTED, tries again: {error}")
            await asyncio.sleep(_AGAIN_SECONDS)

    def end(self) -> None:
        """End the watchdog; what it holds is killed by whoever stops the server."""
        self._ending = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    async def _one(self) -> None:
        command = (sys.executable, "-m", "gate.lease.watchdog", str(self._lease.descriptor), str(self._lasts))
        process = self._process = await asyncio.create_subprocess_exec(
            *command, str(self._data / "standby.signal"), stdout=asyncio.subprocess.PIPE, pass_fds=(self._lease.descriptor,)
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        async for line in process.stdout:
            if (message := line.decode(errors="replace").strip()) == WATCHES:
                self.watches.set()
            else:
                self._say(message)
        code = await process.wait()
        if not self._ending:
            self._say(f"THE WATCHDOG ENDED with {code}; starts another")
