"""Lets every run of pytest end what it has started, and first what an earlier one could not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time

import pytest

from deploy.lab.processes import leave_the_machines_shared_memory
from tests.leftovers import keeper
from tests.leftovers.marks import MARK, PREFIX, TEMPORARY, ended_last, is_over, mark_of
from tests.leftovers.sweeping import sweep

_KEEPER = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_configure(config: pytest.Config) -> None:
    """Mark the run. The processes of pytest-xdist belong to the one that has started them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    for one in sweep(lambda other: is_over(other) and not keeper.has_one(other)):
        print(f"tests: an earlier run has left {one}")
    mark = mark_of(os.getpid())
    config.stash[_KEEPER] = keeper.start(mark)
    os.environ[MARK] = mark
    folder = TEMPORARY / f"{PREFIX}{mark}"
    folder.mkdir()
    folder.chmod(0o755)  # the postgres user goes through it
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    leave_the_machines_shared_memory()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End and remove all that is left; what must not have been left is said."""
    if (kept := config.stash.get(_KEEPER, None)) is None:
        return
    mark = mark_of(os.getpid())
    while shared := ended_last():
        for pid in shared:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for one in sweep(lambda other: other == mark):
        if not one.endswith(f"{PREFIX}{mark}"):
            print(f"tests: left behind, now gone: {one}")
    tempfile.tempdir = os.environ["TMPDIR"] = str(TEMPORARY)
    kept.kill()
    kept.wait()
