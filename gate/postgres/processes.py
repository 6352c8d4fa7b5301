"""A postmaster and its children, as the processes that they are. Imports nothing of the gate: its watchdog uses this too."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def is_stopped(pid: int) -> bool:
    """Whether ``pid`` has been stopped where it is (SIGSTOP)."""
    with contextlib.suppress(OSError, IndexError):
        return _fields(pid)[0] == "T"
    return False


def signal_all(postmaster: int, number: signal.Signals) -> None:
    """Signal ``postmaster`` and its children; SIGSTOP reaches the postmaster first, so that it starts no other."""
    if number is signal.SIGSTOP:
        _signal(postmaster, number)
    for child in children_of(postmaster):
        _signal(child, number)
    _signal(postmaster, number)


def kill_all(postmaster: int) -> None:
    """Kill ``postmaster`` and its children, held or not. What was acknowledged is on disk."""
    signal_all(postmaster, signal.SIGSTOP)
    signal_all(postmaster, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Return the children of ``pid``."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit() and int(_fields(int(entry.name))[1]) == pid:
                found.append(int(entry.name))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _fields(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` from the state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
