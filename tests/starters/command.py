"""Runs the command as its users do: as a process of its own.

A command that is begun, interrupted or killed starts as a shell starts it. One that runs to its end is forked (``forked``).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.starters.forked import run_forked

_ROOT = Path(__file__).parents[2]


def _as_on_a_terminal() -> None:
    """Let Ctrl-C be heard although whoever started the tests may ignore it, as a shell does for what it runs beside."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


_NOT_INHERITED = ("TEMPORAL_", "FAILOVER_", "COLUMNS")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document, which must be all that stdout holds."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    def without_traceback(self) -> Ran:
        assert "Traceback" not in self.err + self.out, self.err
        return self


@dataclass(frozen=True)
class Command:
    """``failover`` with a server and a task queue."""

    address: str
    queue: str = "nobody-polls-this"

    async def begin(self, *args: str, **environment: str) -> Process:
        """Start it and return at once."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "starters.main", *args,
            stdout=PIPE, stderr=PIPE, stdin=asyncio.subprocess.DEVNULL, cwd=_ROOT, env=self._environment(environment),
            preexec_fn=_as_on_a_terminal,
        )  # fmt: skip

    async def __call__(self, *args: str, **environment: str) -> Ran:
        """Run it to its end."""
        code, out, err = await asyncio.to_thread(run_forked, args, self._environment(environment))
        return Ran(code, out, err).without_traceback()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
        return {**inherited, "TEMPORAL_ADDRESS": self.address, "FAILOVER_TASK_QUEUE": self.queue, **more}

    async def end(self, process: Process, within: float = 90) -> Ran:
        """Wait for a command that was begun."""
        async with asyncio.timeout(within):
            out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode()).without_traceback()

    async def interrupt(self, process: Process, when: Callable[[str], bool]) -> Ran:
        """Press Ctrl-C once what it has printed satisfies ``when``."""
        assert process.stdout is not None
        seen = ""
        async with asyncio.timeout(30):
            while not when(seen):
                line = await process.stdout.readline()
                assert line, seen
                seen += line.decode()
        process.send_signal(signal.SIGINT)
        return await self.end(process)
