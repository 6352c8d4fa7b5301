"""What a killed gate or a killed server leaves behind: processes of the old server, and lock files that nobody holds.

A container that dies takes its processes along but leaves PostgreSQL's lock files on the disk, with a process number that
is small and soon in use again: by a thread of the new gate, say. PostgreSQL only asks whether that number is alive, and so
would refuse to start for ever. The gate knows better: it holds the directory's lock, and sees in /proc whether any process
still works in the data directory. Only when none does are the lock files removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from gate.postgres.configuration import socket_folder
from gate.settings import Settings

_STOP_WITHIN_SECONDS = 10.0


async def clear_stale_locks(settings: Settings) -> None:
    """End what still works in the data directory, wait until it is gone, remove stale lock files. Safe to repeat."""
    deadline = time.monotonic() + _STOP_WITHIN_SECONDS
    postmaster = _postmaster(settings.data)
    while left := _inhabitants(settings.data):
        late = time.monotonic() - deadline
        polite = postmaster in left and late < 0
        how = signal.SIGINT if polite else signal.SIGQUIT if late < _STOP_WITHIN_SECONDS else signal.SIGKILL
        for pid in {postmaster} if polite else left:  # one that is stopped (SIGSTOP) hears of SIGKILL only
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        await asyncio.sleep(0.02)
    (settings.data / "postmaster.pid").unlink(missing_ok=True)
    for lock in socket_folder(settings).glob(".s.PGSQL.*"):
        lock.unlink(missing_ok=True)


def _postmaster(data: Path) -> int:
    try:
        return int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return 0


def _inhabitants(data: Path) -> set[int]:
    """Return the processes whose working directory is ``data``, as that of every PostgreSQL server process is."""
    found, data = set(), data.resolve()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == data and _runs(entry):
                found.add(int(entry.name))
    return found


def _runs(process: Path) -> bool:
    name, _, rest = (process / "stat").read_text(encoding="utf-8").rpartition(") ")
    return name.endswith("(postgres") and not rest.startswith("Z")
