"""``failover init`` on a terminal of its own: what it asks is read, and typed as a person types."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from deploy.lab.patience import stretched

_ROOT = Path(__file__).parents[2]
_CTRL_C, _CTRL_D = b"\x03", b"\x04"


class Terminal:
    """A process and the other end of its terminal."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self._process, self._end, self.seen, self._read = process, end, "", 0

    def until(self, words: str) -> str:
        """Return what has come since the last call, up to ``words``."""
        ends = monotonic() + stretched(60)
        while (at := self.seen.find(words, self._read)) < 0:
            assert self._more(ends), f"{words!r} has not come: {self.seen[self._read :]}"
        part, self._read = self.seen[self._read : at], at + len(words)
        return part

    def type(self, text: str) -> None:
        os.write(self._end, f"{text}\n".encode())

    def press_ctrl_c(self) -> None:
        os.write(self._end, _CTRL_C)

    def press_ctrl_d(self) -> None:
        os.write(self._end, _CTRL_D)

    def code(self) -> int:
        """Return the exit code, once it has ended; ``seen`` has all that came."""
        ends = monotonic() + stretched(60)
        while self._more(ends):
            pass
        return self._process.wait(stretched(30))

    def _more(self, ends: float) -> bool:
        """Read more; whether there was any."""
        if not select.select([self._end], [], [], max(0.0, ends - monotonic()))[0]:
            return False
        try:
            got = os.read(self._end, 65536)
        except OSError:  # the last process has closed it
            return False
        self.seen += got.decode(errors="replace").replace("\r\n", "\n")
        return bool(got)


@contextmanager
def on_a_terminal(*args: str, **environment: str) -> Iterator[Terminal]:
    """Begin ``failover ARGS`` on a terminal; end it at the end of the block."""
    end, its = pty.openpty()
    variables: Mapping[str, str] = {**os.environ, "TERM": "dumb", "COLUMNS": "400", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "starters.main", *args],
        stdin=its, stdout=its, stderr=its, cwd=_ROOT, env=variables, start_new_session=True,
        preexec_fn=_takes_the_terminal,  # noqa: PLW1509 - no other thread runs here
    )  # fmt: skip
    os.close(its)
    try:
        yield Terminal(process, end)
    finally:
        process.kill()
        process.wait()
        os.close(end)


def _takes_the_terminal() -> None:
    """Let Ctrl-C on the terminal be its signal."""
    import fcntl  # noqa: PLC0415 - in the new process
    import signal  # noqa: PLC0415 - likewise
    import termios  # noqa: PLC0415 - likewise

    signal.signal(signal.SIGINT, signal.default_int_handler)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
