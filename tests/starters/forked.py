"""Runs a command to its end in a process that is forked from one that has imported it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from functools import cache
from pathlib import Path

from starters import main
from tests.forking import Forked, fork_on_request, start_parent, take_streams

_LONGEST_SECONDS = 90


def run_forked(args: tuple[str, ...], environment: dict[str, str]) -> tuple[int, str, str]:
    """Run ``failover ARGS`` with that environment; return its exit code and what it printed on stdout and stderr.

    Raises:
        TimeoutError: it has not ended within 90 s; it is killed.

    """
    with tempfile.TemporaryDirectory() as folder:
        code = Forked(_parent(), args=args, environment=environment, folder=folder).wait()
        out, err = ((Path(folder) / name).read_text(encoding="utf-8") for name in ("out", "err"))
    if code == -signal.SIGALRM:
        raise TimeoutError(f"failover {' '.join(args)} has not ended within {_LONGEST_SECONDS} s: {out}{err}")
    return code, out, err


@cache
def _parent() -> str:
    return start_parent("tests.starters.forked", [sys.executable], cwd=Path(__file__).parents[2])


def serve() -> None:
    """Be the parent."""
    fork_on_request(_become)


def _become(args: list[str], environment: dict[str, str], folder: str) -> None:
    """Be the command with these arguments, which prints into files of the folder."""
    signal.alarm(_LONGEST_SECONDS)
    os.environ.clear()
    os.environ.update(environment)
    take_streams(f"{folder}/out", f"{folder}/err")
    sys.argv = ["failover", *args]
    main.main()
