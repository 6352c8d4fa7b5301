"""The PostgreSQL process under the gate: started, stopped, reaped, never judged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from gate.api import ServerState
from gate.lease.lease import Lease
from gate.postgres.processes import is_stopped, kill_all
from gate.postgres.stale_locks import clear_stale_locks
from gate.settings import Settings

_AT_ONCE_SECONDS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Server:
    """One postmaster at a time."""

    def __init__(self, settings: Settings, lease: Lease) -> None:
        """Start with nothing running; each start first clears what an earlier server left. ``lease`` learns who runs."""
        self._settings, self._lease = settings, lease
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._started_at, self._ended_at, self._failures = 0.0, 0.0, 0
        self.serves = False
        """Set by the sampler once the server answers SQL."""
        self.answered_at: float | None = None
        """When it answered last (``time.monotonic``); ``None`` when it has not since its start."""
        self.ended = asyncio.Event()
        """Set whenever a postmaster has ended."""

    @property
    def state(self) -> ServerState:
        """What the process is doing."""
        if self._process is None or self._process.returncode is not None:
            return ServerState.STOPPED
        if self._stopping:
            return ServerState.STOPPING
        return ServerState.RUNNING if self.serves else ServerState.STARTING

    @property
    def rests(self) -> bool:
        """Whether a server that has ended right after its start, more than once, should not be started again yet."""
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._failures) if self._failures > 1 else 0
        return time.monotonic() < self._ended_at + pause

    async def start(self, configuration: Path, overrides: Mapping[str, int] | None = None) -> None:
        """Start the postmaster; returns at once, ``serves`` says when it answers.

        ``overrides``: settings that go before every file, ``ALTER SYSTEM``'s too.
        """
        options = [part for name, value in (overrides or {}).items() for part in ("-c", f"{name}={value}")]
        self._stopping, self.serves, self.answered_at = False, False, None
        await clear_stale_locks(self._settings)
        self._process = await asyncio.create_subprocess_exec(
            str(self._settings.programs / "postgres"), "-D", str(self._settings.data), "-c",
            f"config_file={configuration}", *options,
        )  # fmt: skip
        self._started_at = time.monotonic()
        self._lease.postmaster = self._process.pid
        asyncio.get_running_loop().create_task(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        if self._lease.postmaster == process.pid:
            self._lease.postmaster = 0
        self._ended_at = time.monotonic()
        at_once = self._ended_at - self._started_at < _AT_ONCE_SECONDS
        self._failures = self._failures + 1 if at_once and process.returncode and not self.serves else 0
        self.serves = False
        self.ended.set()

    async def stop(self, *, within: float, quick: bool = False) -> bool:
        """Stop fast (sessions end, shutdown checkpoint); ``quick`` skips the checkpoint. Return whether it is down.

        Safe to repeat. Never kills: a server that does not stop in time goes on stopping.
        """
        process = self._process
        if process is None or process.returncode is not None:
            return True
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGQUIT if quick else signal.SIGINT)
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            return False
        return True

    async def stop_now(self, *, within: float) -> None:
        """Stop fast if it does so ``within`` seconds; otherwise kill it. Returns when it is down."""
        process = self._process
        if process is not None and not (self.serves and not self.frozen and await self.stop(within=within)):
            self.kill()
            await process.wait()

    async def finish_stopping(self, *, within: float) -> None:
        """Kill a server that is stopping and not down ``within`` seconds; one that was not asked to stop is left alone."""
        if self.state is ServerState.STOPPING and not await self.stop(within=within):
            self.kill()
            if self._process is not None:
                await self._process.wait()

    def kill(self) -> None:
        """Kill every process, held or not. What was acknowledged is on disk."""
        if self.pid is not None:
            kill_all(self.pid)

    @property
    def silent_seconds(self) -> float | None:
        """Seconds since a server that runs answered last (since its start when it never has); ``None`` if it is down."""
        if self.pid is None:
            return None
        return round(time.monotonic() - (self.answered_at or self._started_at), 3)

    @property
    def frozen(self) -> bool:
        """Whether somebody has stopped the postmaster with SIGSTOP, or the watchdog holds it."""
        return self.pid is not None and is_stopped(self.pid)

    @property
    def pid(self) -> int | None:
        """The postmaster that runs, ``None`` when none does."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    def reload(self) -> None:
        """Let the server read its configuration again."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)


async def reap_orphans() -> None:
    """Collect processes that were orphaned inside the container: the duty of a first process."""
    while os.getpid() == 1:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                await asyncio.sleep(0.2)
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PID, found.si_pid, os.WEXITED | os.WNOHANG)
        await asyncio.sleep(1)
