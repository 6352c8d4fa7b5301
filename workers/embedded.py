"""Temporal and one worker on this machine: break-glass, for when the real Temporal is lost with what it is to move.

    failover start … --embedded ── starts, once ──> keeper ──> temporal server, its database is a file
              │                                       └──────> worker, started again when it ends
              └── follows the run, as always

The keeper outlives the command and its terminal. It holds a lock on its directory, so there is one. When it dies, server and
worker die with it, and the file tells what had happened: the same command starts it again, and the run goes on where it was.
It ends once no run has been open for ten minutes.

Nobody but this machine knows of these runs. What keeps them apart from those of the real Temporal is what is changed: the
leader record of a database, the Lease in the surviving region, Azure's own operation.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from workers.connection import ServerUnreachableError, connect
from workflows.run.state import SEARCH_ATTRIBUTES

TUNING = (
    "history.transferProcessorMaxPollRPS=5000",
    "history.timerProcessorMaxPollRPS=5000",
    'history.timerProcessorMaxTimeShift="10ms"',
    'history.defaultWorkflowTaskTimeout="2s"',
    'frontend.keepAliveTime="1s"',
    'frontend.keepAliveTimeout="1s"',
)
"""A development server polls its one history shard 20 times a second, which costs 50 ms a step; and a worker that dies
between two steps would hold a run up for ten seconds."""
_HOST = "127.0.0.1"
_IDLE_SECONDS, _LOOK_EVERY_SECONDS, _AGAIN_SECONDS = 600.0, 5.0, 1.0
_PORTS = ("port", "http-port", "ui-port")
_NOT_ITS_OWN = {"FAILOVER_METRICS", "FAILOVER_READY", "FAILOVER_WITNESS"}
"""Settings of the worker that may run beside it."""
_PR_SET_PDEATHSIG = 1
_log = logging.getLogger("failover.embedded")


@dataclass(frozen=True)
class Home:
    """Directory of one keeper."""

    directory: Path

    @classmethod
    def own(cls) -> Home:
        """Return this user's: ``FAILOVER_EMBEDDED``, or a directory below the user's state."""
        told = os.environ.get("FAILOVER_EMBEDDED")
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        return cls(Path(told) if told else Path(state) / "failover" / "embedded")

    @property
    def log(self) -> Path:
        """What keeper, server and worker have said."""
        return self.directory / "keeper.log"

    @property
    def environment_file(self) -> Path:
        """To be read by a shell, so that its commands speak to this Temporal."""
        return self.directory / "environment"

    def ports(self) -> dict[str, int]:
        """Return the ports of the server; empty: none has been chosen."""
        try:
            return dict(json.loads((self.directory / "ports.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    @property
    def address(self) -> str:
        """Where the server is reached."""
        return f"{_HOST}:{self.ports().get('port', 0)}"

    def environment(self, others: Mapping[str, str]) -> dict[str, str]:
        """Return ``others`` without what leads to another Temporal."""
        kept = {name: value for name, value in others.items() if not name.startswith("TEMPORAL_")}
        profile = str(self.directory / "profile.toml")
        return {**kept, "TEMPORAL_ADDRESS": self.address, "TEMPORAL_CONFIG_FILE": profile}

    def prepare(self) -> None:
        """Make the directory, readable for this user only, choose ports that are free, and write what commands need."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.ports() or not all(_is_free(port) for port in self.ports().values()):
            _write(self.directory / "ports.json", json.dumps(dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))))
        _write(self.directory / "profile.toml", "")
        own = {name: value for name, value in self.environment({}).items() if name.startswith("TEMPORAL_")}
        others = "for one in $(env | sed -n 's/^\\(TEMPORAL_[A-Z_0-9]*\\)=.*/\\1/p'); do unset \"$one\"; done"
        _write(self.environment_file, "\n".join([others, *(f"export {name}='{value}'" for name, value in own.items()), ""]))

    @property
    def keeper(self) -> int:
        """Process ID of the keeper that runs, or that has run last. OSError, ValueError: there was none."""
        return int((self.directory / "lock").read_text(encoding="utf-8"))

    def is_kept(self) -> bool:
        """Whether a keeper runs."""
        if not self.directory.exists():
            return False
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False


def temporal_program() -> str | None:
    """Return the path of the program ``temporal``: beside this Python, or on the PATH; ``None``: there is none."""
    return shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")


def start_keeper(home: Home) -> None:
    """Start the keeper, in a session of its own; return at once. One that finds another at work ends."""
    home.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with home.log.open("ab") as log:
        subprocess.Popen(  # noqa: S603 - nobody waits for it: it outlives this process
            [sys.executable, "-m", "workers.embedded", str(home.directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def _keep(home: Home) -> None:
    home.prepare()
    program = temporal_program()
    if program is None:
        _log.critical("the program temporal is missing")
        return
    ports = [part for name, port in home.ports().items() for part in (f"--{name}", str(port))]
    tuned = [part for setting in TUNING for part in ("--dynamic-config-value", setting)]
    named = [part for one in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{one.name}=Keyword")]
    server = [
        program, "server", "start-dev", "--ip", _HOST, *ports, "--db-filename", str(home.directory / "temporal.db"),
        "--ui-disable-news-fetch", "--log-level", "error", *tuned, *named,
    ]  # fmt: skip
    told = {name: value for name, value in home.environment(os.environ).items() if name not in _NOT_ITS_OWN}
    worker = [sys.executable, "-m", "workers"]
    children = [asyncio.create_task(_run_for_ever(one, told)) for one in (server, worker)]
    os.environ.clear()
    os.environ.update(told)
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    waits = [asyncio.create_task(ending.wait()), asyncio.create_task(until_idle(_IDLE_SECONDS))]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in (*children, *waits):
        task.cancel()
    await asyncio.gather(*children, *waits, return_exceptions=True)


async def _run_for_ever(command: list[str], environment: dict[str, str]) -> None:
    """Run a program again and again; it is killed when this task ends, or this process."""
    while True:
        process = await asyncio.create_subprocess_exec(*command, env=environment, preexec_fn=_die_with_parent)
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        _log.warning("%s ended with %d; starts it again", Path(command[0]).name, code)
        await asyncio.sleep(_AGAIN_SECONDS)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def until_idle(seconds: float) -> None:
    """Return once no run has been open for so long."""
    clock = asyncio.get_running_loop().time
    busy_at, client = clock(), None
    while clock() - busy_at < seconds:
        await asyncio.sleep(min(_LOOK_EVERY_SECONDS, seconds))
        try:
            client = client or await connect()
            if await _open_runs(client):
                busy_at = clock()
        except (ServerUnreachableError, RPCError):
            client, busy_at = None, clock()


async def _open_runs(client: Client) -> int:
    return (await client.count_workflows("ExecutionStatus = 'Running'")).count


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((_HOST, port))
        except OSError:
            return False
    return True


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind((_HOST, 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def main() -> int:
    """Keep what runs are served by in the directory that is named; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    home = Home(Path(sys.argv[1]))
    lock = os.open(home.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)  # closed by the end of this process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    asyncio.run(_keep(home))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the SDK may abort the interpreter's own shutdown
