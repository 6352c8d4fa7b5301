"""Processes that are forked from one that has imported what they run.

Most of what a short process costs is its imports (half a second to a second of processor time), and the tests start many
hundreds. Such a process still has a number, an environment and streams of its own, and its own end. One *parent* for each
kind serves a test process and ends with it: its standard input is closed then, or the run ends it. For each process it
forks a child that waits for the process's end.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.leftovers.marks import ends_with_the_run

_ANSWER, _QUESTION = 32, 1 << 20
Become = Callable[..., int | None]
"""Is the process that was asked for, by the keywords it was asked with; returns its exit code."""


class Forked:
    """A process that a parent forked. It has what ``subprocess.Popen`` has to wait for it and to end it."""

    def __init__(self, parent: str, **asked: Any) -> None:
        """Have the parent at that path fork a process, and return when it has a number."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(parent)
        self._socket.send(json.dumps(asked).encode())
        self.pid = int(self._socket.recv(_ANSWER))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended; None: it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has; negative: the signal that ended it."""
        if self.returncode is None:
            if not select.select([self._socket], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = int(self._socket.recv(_ANSWER))
            self._socket.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def start_parent(module: str, command: list[str], **how: Any) -> str:
    """Start a parent of what ``module.serve()`` serves; return the path of its socket. It removes the socket's folder.

    ``command``: how Python is started for it.
    """
    path = tempfile.mkdtemp(prefix="failover-forked-") + "/socket"
    process = subprocess.Popen(
        [*command, "-c", f"from {module} import serve; serve()", path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    ends_with_the_run(process.pid)
    return path


def fork_on_request(become: Become) -> None:
    """Fork a process for each connection to the socket of the first argument's path, until standard input is closed."""
    path = sys.argv[1]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # a collection in a child touches none of what it shares with this one
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen(64)
        print("ready", flush=True)
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _attend(connection, become)
                os._exit(0)
            connection.close()
    Path(path).unlink()
    Path(path).parent.rmdir()


def _attend(connection: socket.socket, become: Become) -> None:
    """Run one process; say its number at once, and at its end its exit code, negative where a signal ended it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(connection.recv(_QUESTION))
    process = os.fork()
    if process == 0:
        connection.close()
        sys.exit(become(**asked))
    connection.send(str(process).encode())
    _, status = os.waitpid(process, 0)
    with contextlib.suppress(BrokenPipeError):  # whoever asked has ended
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def take_streams(out: str, err: str, flags: int = 0) -> None:
    """Write to these files, and read nothing."""
    writing = os.O_WRONLY | os.O_CREAT | flags
    for number, (path, how) in enumerate((("/dev/null", os.O_RDONLY), (out, writing), (err, writing))):
        opened = os.open(path, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
