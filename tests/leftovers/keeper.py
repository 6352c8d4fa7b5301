"""``python -m tests.leftovers.keeper MARK``: waits until the run has ended, and sweeps.

It is no child of the run in anything but its birth: a session of its own, no mark, no terminal. Nothing that ends the run,
SIGKILL to its whole group included, reaches it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.leftovers.marks import MARK, is_over
from tests.leftovers.sweeping import sweep

_CHECKOUT = Path(__file__).resolve().parents[2]


def start(mark: str) -> subprocess.Popen[bytes]:
    """Start the keeper of the run that ``mark`` names. What it says goes where the run's errors go."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.leftovers.keeper", mark],
        env={name: value for name, value in os.environ.items() if name != MARK},
        cwd=_CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def has_one(mark: str) -> bool:
    """Whether a keeper of the run that ``mark`` names lives: what that run leaves is its to end, and to tell of."""
    told = f"tests.leftovers.keeper\0{mark}\0".encode()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().endswith(told):
                return True
    return False


def keep(mark: str) -> None:
    """Return when the run has ended and nothing of it is left."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(int(mark.partition("-")[0]))
        if not is_over(mark):
            select.select([descriptor], [], [])
    found = sweep(lambda other: other == mark)
    if found:
        print(f"tests: run {mark.partition('-')[0]} has ended in the middle; ended and removed", file=sys.stderr)
        print("\n".join(f"  {one}" for one in found), file=sys.stderr)


if __name__ == "__main__":
    with suppress(PermissionError):  # it is the first of a session already
        os.setsid()
    keep(sys.argv[1])
