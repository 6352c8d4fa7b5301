"""Ends and removes what carries the mark of a run: processes, shared memory, folders, labs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.lab import cluster
from deploy.lab.names import Lab
from deploy.lab.processes import alone_in
from tests.leftovers.marks import MARK, MEMORY, OWNER_FILE, TEMPORARY, is_mark, mark_in

Over = Callable[[str], bool]
"""Whether what carries a mark is to go."""
_ROUNDS, _PAUSE_SECONDS = 200, 0.05
_SEGMENT = re.compile(rf"\s({MEMORY}/PostgreSQL\.\d+)$", re.MULTILINE)


def sweep(over: Over) -> list[str]:
    """End and remove what carries a mark that is ``over``; return what it was, in words. One sweep at a time."""
    with alone_in(TEMPORARY):
        found = [*_end_processes(over)]
        for lab in labs(over):
            cluster.down(lab, lambda _: None)
            found.append(f"lab {lab.name}")
        found += _end_processes(over)
        for folder in folders(over):
            shutil.rmtree(folder, ignore_errors=True)
            found.append(str(folder))
    return found


def _end_processes(over: Over) -> Iterator[str]:
    """Kill until there are none: one that is being started is seen in the next round, and a frozen one dies as well."""
    segments: set[str] = set()
    said: set[int] = set()
    for _ in range(_ROUNDS):
        found = processes(over)
        for pid, words in found.items():
            segments |= _segments_of(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if pid not in said:
                said.add(pid)
                yield f"process {pid}: {words}"
        if not found:
            break
        time.sleep(_PAUSE_SECONDS)
    for segment in segments:
        Path(segment).unlink(missing_ok=True)


def processes(over: Over) -> dict[int, str]:
    """Return which processes are to go, with their command lines.

    PostgreSQL's children write their titles over their environments; they are known by the folder that they work in.
    Those of other containers and of lab nodes are not looked at: a mark means a process id as it is seen from here.
    """
    here, found = Path("/proc/self/ns/pid").readlink(), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if (entry / "ns/pid").readlink() == here and any(map(over, _marks_of(entry))):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
    return found


def _marks_of(entry: Path) -> set[str]:
    marks = {mark_in(part) for part in (entry / "cwd").readlink().parts}
    for line in (entry / "environ").read_bytes().split(b"\0"):
        name, _, value = line.decode(errors="replace").partition("=")
        if name == MARK:
            marks.add(value)
    return {mark for mark in marks if is_mark(mark)}


def _segments_of(pid: int) -> set[str]:
    with contextlib.suppress(OSError):
        return set(_SEGMENT.findall(Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")))
    return set()


def folders(over: Over) -> list[Path]:
    """Return which temporary folders are to go: this user's alone, since anybody may make one that is called like them."""
    found = [path for place in (TEMPORARY, MEMORY) if place.is_dir() for path in place.iterdir() if mark_in(path.name)]
    return [path for path in found if over(mark_in(path.name)) and path.lstat().st_uid == os.geteuid()]


def labs(over: Over) -> list[Lab]:
    """Return which labs are to go."""
    notes = Lab().home.parent.glob(f"*/{OWNER_FILE}")
    marks = {note.parent.name: note.read_text(encoding="utf-8") for note in notes}
    return [Lab(name) for name, mark in sorted(marks.items()) if is_mark(mark) and over(mark)]
