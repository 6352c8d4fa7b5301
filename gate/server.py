"""The PostgreSQL process under the gate: started, stopped, reaped, never judged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from gate.api import ServerState
from gate.settings import Settings


class Server:
    """One postmaster at a time."""

    def __init__(self, settings: Settings) -> None:
        """Start with nothing running; whatever an earlier gate left running is ended by ``clear_leftover``."""
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.serves = False
        """Set by the sampler once the server answers SQL."""
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

    async def clear_leftover(self) -> None:
        """End a postmaster that a killed gate left behind, and wait until it is gone."""
        pid = _postmaster_pid(self._settings.data)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 10
        while _alive(pid):
            if time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT)
            await asyncio.sleep(0.02)

    async def start(self, configuration: Path) -> None:
        """Start the postmaster; returns at once, ``serves`` says when it answers."""
        self._stopping, self.serves = False, False
        self._process = await asyncio.create_subprocess_exec(
            str(self._settings.programs / "postgres"),
            "-D",
            str(self._settings.data),
            "-c",
            f"config_file={configuration}",
        )
        asyncio.get_running_loop().create_task(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
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


def _postmaster_pid(data: Path) -> int | None:
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return pid if _alive(pid) and pid != os.getpid() and _is_postgres(pid) else None


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "postgres"
    except (FileNotFoundError, ProcessLookupError):
        return False
