"""The mark of a run of the tests: its process id and start time, so that nobody who has the same number later is meant."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from deploy.lab.processes import start_time

MARK = "FAILOVER_TESTS"
"""In the environment of every process that a run starts."""
PREFIX = "failover-tests-"
TEMPORARY = Path(tempfile.gettempdir())
"""As it is before a run makes a folder of its own in it, where all others go."""
MEMORY = Path("/dev/shm")
OWNER_FILE = "tests"
"""In a lab's home: whose it is. A lab without it is a person's."""
_ENDED_LAST = "ended-last"
_FORM = re.compile(r"[1-9]\d*-\d+")


def mark_of(pid: int) -> str:
    return f"{pid}-{start_time(pid)}"


def is_mark(text: str) -> bool:
    return bool(_FORM.fullmatch(text))


def is_over(mark: str) -> bool:
    """Whether the run that ``mark`` names has ended."""
    pid, _, start = mark.partition("-")
    return start_time(int(pid)) != start


def ends_with_the_run(*pids: int) -> None:
    """Have the run end these when it is over: several of its processes use them."""
    with (Path(tempfile.gettempdir()) / _ENDED_LAST).open("a", encoding="utf-8") as file:
        file.write("".join(f"{mark_of(pid)}\n" for pid in pids))


def ended_last() -> list[int]:
    """Return what the run has to end, and still runs."""
    file = Path(tempfile.gettempdir()) / _ENDED_LAST
    marks = file.read_text(encoding="utf-8").split() if file.exists() else []
    return [int(mark.partition("-")[0]) for mark in marks if not is_over(mark)]


def environment() -> dict[str, str]:
    """Return what a process must carry that is started with an environment of its own."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


def folder_prefix(kind: str) -> str:
    """Return how the name of a folder outside the run's own one begins."""
    return f"{PREFIX}{os.environ[MARK]}-{kind}-" if MARK in os.environ else f"{kind}-"


def mark_in(name: str) -> str:
    """Return the mark in a folder's name; empty when there is none."""
    found = _FORM.match(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    return found.group() if found else ""
