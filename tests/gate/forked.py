"""Runs a gate in a process that is forked from one that has imported it.

The gate has what it has in a container: a user, a session and mounts of its own, and its own end. What it starts in turn, it
starts as ever. Only its command line in ``/proc`` is its parent's, and so is its first environment.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
from functools import cache
from pathlib import Path

from gate import __main__ as gate
from tests.forking import Forked, fork_on_request, start_parent, take_streams

SHOWN = "/opt"
"""Where gates see the checkout, which may lie where the postgres user cannot look."""
_CHECKOUT = Path(__file__).resolve().parents[2]
_PYTHON = f"{SHOWN}/.venv/bin/python"
_NEW_MOUNTS, _BIND, _SET_DUMPABLE = 0x20000, 0x1000, 4


def start_gate(environment: dict[str, str], mounts: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a gate by its command line; the same otherwise."""
    shown = "".join(f"mount --bind {what} {seen} && " for seen, what in mounts.items())
    user = "setpriv --reuid=postgres --regid=postgres --init-groups"
    with log.open("ab") as file:
        return subprocess.Popen(
            _apart(f"{shown}exec {user} {_PYTHON} -m gate"),
            env=environment, stdout=file, stderr=file, cwd="/", start_new_session=True,
        )  # fmt: skip


def _apart(script: str) -> list[str]:
    """Return how a shell script is run among mounts of its own, where gates see the checkout."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f"mount --bind {_CHECKOUT} {SHOWN} && {script}"]


def fork_gate(environment: dict[str, str], mounts: dict[str, str], log: Path) -> Forked:
    """Start a gate as the postgres user; ``mounts``: what it sees, by where it sees it."""
    return Forked(_parent(), environment=environment, mounts=mounts, log=str(log))


@cache
def _parent() -> str:
    python = _apart(f'exec {_PYTHON} "$@"')
    return start_parent("tests.gate.forked", [*python, "sh"], cwd="/", env={**os.environ, "PYTHONPATH": SHOWN})


def serve() -> None:
    """Be the parent."""
    fork_on_request(_become)


def _become(environment: dict[str, str], mounts: dict[str, str], log: str) -> int:
    """Be a gate."""
    os.setsid()
    take_streams(log, log, os.O_APPEND)
    _check("unshare", _NEW_MOUNTS)
    for seen, what in mounts.items():
        _check("mount", what.encode(), seen.encode(), None, ctypes.c_ulong(_BIND), None)
    user = pwd.getpwnam("postgres")
    os.initgroups(user.pw_name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    _check("prctl", _SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec: others of this user may look at it
    os.environ.clear()
    os.environ.update(environment)
    return gate.main()


def _check(call: str, *arguments: bytes | int | ctypes.c_ulong | None) -> None:
    """Call libc."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
