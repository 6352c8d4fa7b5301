"""One HAProxy of the distribution, told what to do while it runs by its runtime socket.

``want`` says what it is to do, and a task brings it there: by commands on the socket, which end no connection. What no
command changes, such as a probe's path, takes a second process: it takes the listening sockets over from the first (``-x``),
begins with what that knew of the servers' health, and lets it finish its requests (``-sf``). The same task notices that
HAProxy has ended, says so, and starts it again with what is wanted; the health of its servers is then unknown, and all are
up until the first bad probe. After five ends within a minute it gives up, and every later wait says why.

HAProxy gets a signal when the process that started it ends, however that ends, so it is never left behind.
"""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deploy.lab.haproxy_files import Files
from deploy.lab.haproxy_layout import Layout, Place, Seen, change, serving
from deploy.lab.names import LabError
from deploy.lab.patience import stretched

_WITH_US = ("setpriv", "--pdeathsig=KILL")
_FINE = {"", "New server registered.", "Server deleted."}
_START_SECONDS, _DRAIN_SECONDS, _ANSWER_SECONDS, _STOP_SECONDS = 10.0, 2.0, 5.0, 5.0
_LOOK_AGAIN_SECONDS = 0.01
_MOST_ENDS, _WITHIN_SECONDS = 5, 60.0


def program() -> str:
    """Return the path of ``haproxy``.

    Raises:
        LabError: it is not installed.
    """
    if found := shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        return found
    raise LabError("the program `haproxy` is missing; the lab installs the package haproxy: failover lab up")


class Haproxy:
    """``name`` is for people. What it needs is in a temporary folder: the path of a socket has at most 97 characters."""

    def __init__(self, name: str, layout: Layout, say: Callable[[str], None] = print) -> None:
        self._name, self._say = name, say
        self._wanted, self._done = layout, layout
        self._folder = Path(tempfile.mkdtemp(prefix="haproxy-"))
        self._files = Files(self._folder, 0)
        self._process: asyncio.subprocess.Process | None = None
        self._finishing: list[asyncio.subprocess.Process] = []
        self._changed = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._ends: deque[float] = deque(maxlen=_MOST_ENDS)

    @property
    def pid(self) -> int:
        """The process that takes requests now; 0 before the start."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start it; return when it takes requests."""
        try:
            self._process = await self._spawn(self._wanted)
        except LabError:
            await self.stop()
            raise
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it at once."""
        if self._keeping:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        for one in [*self._finishing, *([self._process] if self._process else [])]:
            await _end(one)
        shutil.rmtree(self._folder, ignore_errors=True)

    def want(self, layout: Layout) -> None:
        """Say what it is to do from now on. ``settled`` waits until it does."""
        self._wanted = layout
        self._changed.set()

    async def settled(self) -> None:
        """Return when it does what is wanted.

        Raises:
            LabError: it does not come to that, with HAProxy's own last words.
        """
        async with asyncio.timeout(stretched(_START_SECONDS)):
            while self._done != self._wanted or self._process is None or self._process.returncode is not None:
                if self._keeping and self._keeping.done():
                    await self._keeping
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def ask(self, command: str) -> str:
        """Return what the runtime socket answers. ``OSError``: nobody listens there."""
        async with asyncio.timeout(stretched(_ANSWER_SECONDS)):
            reader, writer = await asyncio.open_unix_connection(self._files.socket)
            try:
                writer.write(f"{command}\n".encode())
                return (await reader.read()).decode().strip()
            finally:
                writer.close()

    async def servers(self) -> dict[Place, Seen]:
        """Return all servers, by backend and name."""
        rows = csv.DictReader((await self.ask("show stat -1 4 -1")).removeprefix("# ").splitlines())
        return {
            (one["pxname"], one["svname"]): Seen(
                one["status"], one["check_status"].lstrip("* "), int(one["check_code"] or 0)
            )
            for one in rows
        }

    async def _keep(self) -> None:
        try:
            while self._process:
                await self._keep_once(self._process)
        except LabError as error:
            self._say(str(error))
            raise

    async def _keep_once(self, process: asyncio.subprocess.Process) -> None:
        waits = {asyncio.ensure_future(process.wait()), asyncio.ensure_future(self._changed.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        self._changed.clear()
        if process.returncode is not None:
            self._process = await self._again(process)
        if self._wanted != self._done:
            try:
                await self._bring(self._wanted)
            except (OSError, TimeoutError):  # it has ended meanwhile, and starts again with what is wanted
                self._changed.set()
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _again(self, ended: asyncio.subprocess.Process) -> asyncio.subprocess.Process:
        self._ends.append(time.monotonic())
        told = f"HAProxy of {self._name}, process {ended.pid}, has ended with {ended.returncode}"
        if len(self._ends) == _MOST_ENDS and self._ends[-1] - self._ends[0] < _WITHIN_SECONDS:
            times = f"{_MOST_ENDS} times within {_WITHIN_SECONDS:.0f} s"
            raise LabError(f"{told}, {times}: not started again; {self._last_words()}")
        self._files.states.write_text("", encoding="utf-8")
        started = await self._spawn(self._wanted)
        self._say(f"{told}; started again as process {started.pid}")
        return started

    async def _bring(self, wanted: Layout) -> None:
        found = change(self._done, wanted, self._files.routes)
        if found is None:
            await self._replace(wanted)
            return
        for command in found.commands:
            await self._command(command)
        for place in found.removed:
            await self._remove("/".join(place))
        self._done = wanted

    async def _replace(self, wanted: Layout) -> None:
        before, socket = self._process, self._files.socket
        if before is None:
            return
        self._files.states.write_text(await self.ask("show servers state") + "\n", encoding="utf-8")
        for pool, backend in serving(await self.servers()).items():
            await self._command(f"add map {self._files.serving} {pool} {backend}")
        self._process = await self._spawn(wanted, "-x", str(socket), "-sf", str(before.pid))
        self._finishing = [one for one in (*self._finishing, before) if one.returncode is None]

    async def _command(self, command: str) -> None:
        for line in (await self.ask(command)).splitlines():
            if line not in _FINE:
                raise LabError(f"HAProxy of {self._name} refuses `{command}`: {line}")

    async def _remove(self, server: str) -> None:
        """Take a server out: no new request from now on, and gone when the last one has ended."""
        await self._command(f"set server {server} state maint")
        until = time.monotonic() + stretched(_DRAIN_SECONDS)
        while (said := await self.ask(f"del server {server}")) not in _FINE:
            if time.monotonic() > until:
                await self._command(f"shutdown sessions server {server}")
            if time.monotonic() > until + stretched(_DRAIN_SECONDS):
                raise LabError(f"HAProxy of {self._name} keeps {server}: {said}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _spawn(self, layout: Layout, *options: str) -> asyncio.subprocess.Process:
        files = Files(self._folder, self._files.number + 1)
        files.write(layout)
        command = [*_WITH_US, program(), "-db", "-f", str(files.configuration), *options]
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL, cwd=self._folder, start_new_session=True
            )
        self._files = files
        until = time.monotonic() + stretched(_START_SECONDS)
        while not await self._answers():
            if process.returncode is not None or time.monotonic() > until:
                await _end(process)
                raise LabError(f"HAProxy of {self._name} does not start: {self._last_words()}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self._done = layout
        return process

    async def _answers(self) -> bool:
        with suppress(OSError, TimeoutError):
            return bool(await self.ask("show info"))
        return False

    @property
    def _log(self) -> Path:
        return self._folder / "haproxy.log"

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.exists() else []
        words = [line for line in lines if "[ALERT]" in line or "[WARNING]" in line]
        return " ".join(words[-3:]) or f"its log, {self._log}, has no alert"


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
