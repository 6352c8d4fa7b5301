"""Ends the servers of one test: all that lives in its folder."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_WITHIN_SECONDS = 20.0


def end_all_in(folder: Path) -> None:
    """Kill every process that works in ``folder`` or was told of it; return when none is left.

    A file with a process id is no list of them: it is not written yet while a server starts, it goes with a directory that
    is put aside, and it does not name the children. And a signal that asks is not enough: a frozen server, such as one that
    its gate's watcher holds, hears nothing but SIGKILL.
    """
    deadline = time.monotonic() + _WITHIN_SECONDS
    while found := _living_in(folder):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {found} of {folder} do not end")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _living_in(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                place = (entry / "cwd").readlink()
                if place.is_relative_to(folder) or f"={folder}/".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found
