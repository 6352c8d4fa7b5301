"""Keeps the watcher (``gate.lease.watchdog``) alive beside the gate, and tells it what it must know.

A watcher that ends while the gate lives is replaced at once: until then nothing takes leave away, so that is said aloud.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from gate.lease.lease import Leave
from gate.lease.watchdog import WATCHES

_AGAIN_SECONDS = 0.2


class Watchdog:
    """One watcher after another, beside one gate."""

    def __init__(self, leave: Leave, lasts: float, data: Path, say: Callable[[str], None]) -> None:
        """Watch the server of ``leave``, whose directory is ``data``; what the watcher says goes to ``say``."""
        self._leave, self._lasts, self._data, self._say = leave, lasts, data, say
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self.watches = asyncio.Event()
        """Set once there has been a watcher."""

    async def run(self) -> None:
        """Keep a watcher running, for ever."""
        while not self._ending:
            try:
                await self._one()
            except OSError as error:
                self._say(f"THE WATCHER CANNOT BE STARTED, tries again: {error}")
            await asyncio.sleep(_AGAIN_SECONDS)

    def end(self) -> None:
        """End the watcher; what it holds is killed by whoever stops the server."""
        self._ending = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    async def _one(self) -> None:
        command = (sys.executable, "-m", "gate.lease.watchdog", str(self._leave.descriptor), str(self._lasts))
        process = self._process = await asyncio.create_subprocess_exec(
            *command, str(self._data / "standby.signal"), stdout=asyncio.subprocess.PIPE, pass_fds=(self._leave.descriptor,)
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        async for line in process.stdout:
            if (words := line.decode(errors="replace").strip()) == WATCHES:
                self.watches.set()
            else:
                self._say(words)
        code = await process.wait()
        if not self._ending:
            self._say(f"THE WATCHER ENDED with {code}; starts another")
