"""Runs a command to its end in a process that is forked from one that has imported it.

Most of what a short command costs is its imports (a second of processor time), and the tests run hundreds. The command still
has a process, arguments, an environment and streams of its own, and its own end. One such parent serves a test process
and ends with it: its standard input is closed then. For each command it forks a child that waits for the command's end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starters import main

_LONGEST_SECONDS = 90


@dataclass(frozen=True)
class Asked:
    """One command: arguments, whole environment, and the folder that takes what it prints."""

    args: tuple[str, ...]
    environment: dict[str, str]
    folder: str


def run_forked(args: tuple[str, ...], environment: dict[str, str]) -> tuple[int, str, str]:
    """Run ``failover ARGS`` with that environment; return its exit code and what it printed on stdout and stderr.

    Raises:
        TimeoutError: it has not ended within 90 s; it is killed.

    """
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as asking:
        asking.connect(_parent())
        asking.sendall(json.dumps([args, environment, folder]).encode() + b"\n")
        answer = asking.makefile().readline()
        out, err = ((Path(folder) / name).read_text(encoding="utf-8") for name in ("out", "err"))
    code = int(answer)
    if code == -signal.SIGALRM:
        raise TimeoutError(f"failover {' '.join(args)} has not ended within {_LONGEST_SECONDS} s: {out}{err}")
    return code, out, err


@cache
def _parent() -> str:
    """Start the process that forks; return the path of its socket. It removes the socket's folder."""
    path = tempfile.mkdtemp(prefix="failover-forked-") + "/socket"
    process = subprocess.Popen(
        [sys.executable, "-c", "from tests.starters.forked import serve; serve()", path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return path


def serve() -> None:
    """Fork a command for each connection to the socket of the first argument's path, until standard input is closed."""
    path = sys.argv[1]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("ready", flush=True)
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _attend(connection)
                os._exit(0)
            connection.close()
    Path(path).unlink()
    Path(path).parent.rmdir()


def _attend(connection: socket.socket) -> None:
    """Run one command and answer with its exit code, negative where a signal ended it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    args, environment, folder = json.loads(connection.makefile().readline())
    command = os.fork()
    if command == 0:
        connection.close()
        _become(Asked(tuple(args), environment, folder))
    _, status = os.waitpid(command, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(asked: Asked) -> None:
    """Be the command that was asked for; never returns."""
    signal.alarm(_LONGEST_SECONDS)
    os.environ.clear()
    os.environ.update(asked.environment)
    streams = (
        ("/dev/null", os.O_RDONLY),
        *((f"{asked.folder}/{name}", os.O_WRONLY | os.O_CREAT) for name in ("out", "err")),
    )
    for number, (path, flags) in enumerate(streams):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["failover", *asked.args]
    main.main()
