"""Starts, finds and ends the lab's processes.

A process is remembered by pid *and* start time, since pids are used again: after a reboot nothing that merely has the
same number is taken for ours, or killed. All are detached from the terminal that started them.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.lab.names import Lab, LabError
from deploy.lab.patience import stretched

_GRACE_SECONDS = 5.0
_ENDS_WITHIN = 300.0
_NEW_IPC_NAMESPACE = 0x08000000


def start_time(pid: int) -> str | None:
    """Return the kernel's start time of ``pid``; ``None`` when there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def _note(lab: Lab, name: str) -> Path:
    return lab.home / "processes" / f"{name}.json"


def pid_of(lab: Lab, name: str) -> int | None:
    """Return the pid of the running process called ``name``."""
    try:
        note = json.loads(_note(lab, name).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    started = start_time(note["pid"])
    return int(note["pid"]) if started is not None and started == note["start"] else None


def remember(lab: Lab, name: str, pid: int) -> None:
    """Take ``pid`` for the process called ``name``."""
    path = _note(lab, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": pid, "start": start_time(pid)}), encoding="utf-8")


def spawn(lab: Lab, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> int:
    """Start ``command`` unless it runs already; return its pid. Output goes to ``logs/NAME.log``."""
    running = pid_of(lab, name)
    if running is not None:
        return running
    logs = lab.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
            cwd="/",
        )
    remember(lab, name, child.pid)
    return child.pid


def end(lab: Lab, name: str, *, force: bool = False) -> None:
    """End the process called ``name`` and forget it; kill it when it does not end in time."""
    pid = pid_of(lab, name)
    if pid is not None:
        _signal(pid, signal.SIGKILL if force else signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while pid_of(lab, name) is not None and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.02)
        if pid_of(lab, name) is not None:
            _signal(pid, signal.SIGKILL)
        _reap(pid)
    _note(lab, name).unlink(missing_ok=True)


def names(lab: Lab) -> list[str]:
    """Return the names of all processes that were started and not ended."""
    folder = lab.home / "processes"
    return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []


def run(command: Sequence[str], *, check: bool = True, feed: str | None = None) -> str:
    """Run ``command`` to its end and return its output.

    Raises:
        LabError: it failed, and carries its last words, or did not end within five minutes.
    """
    try:
        done = subprocess.run(command, input=feed, capture_output=True, text=True, check=False, timeout=_ENDS_WITHIN)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(command)[:200]}` did not end within {_ENDS_WITHIN:.0f} s") from error
    if check and done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-600:]
        raise LabError(f"`{' '.join(command)[:200]}` failed with {done.returncode}: {words}")
    return done.stdout


def wait_until(what: str, holds: Callable[[], bool], seconds: float) -> float:
    """Return how long it took until ``holds()``.

    Raises:
        LabError: it did not hold within ``seconds``, or as many times more as the machine has too much to do.
    """
    began = time.monotonic()
    while not holds():
        if (waited := time.monotonic() - began) > stretched(seconds):
            raise LabError(f"{what} did not happen within {waited:.0f} s; see the logs folder of the lab")
        time.sleep(0.05)
    return time.monotonic() - began


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Take turns with other processes, by a lock on ``folder`` that leaves no file."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def leave_the_machines_shared_memory() -> None:
    """Take a namespace of one's own for System V shared memory: the kernel frees all of it with the last process.

    A postmaster that is killed leaves a segment, and nothing says whose it was. Only root may; others run no servers.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).unshare(_NEW_IPC_NAMESPACE)
