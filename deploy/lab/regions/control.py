"""The keeper's control socket: one request of JSON a connection, then lines of progress, then one answer.

    {"do": "break", "what": "region", "target": ""}  ->  {"say": "…"} …  {"done": {…}} or {"error": "…", "usage": false}

The socket's file has mode 0600. It is reached through its folder's descriptor, since a socket's path has at most 107 bytes
and a folder's has no such limit. A connection that ends without an answer means that the keeper has died.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.lab.cluster import Say
from deploy.lab.names import LabError, LabUsageError

_SOCKET = "control"
_STARTING_SECONDS = 30.0
SOON_SECONDS = 60.0


def listener(home: Path) -> socket.socket:
    """Make the socket in ``home``; one that a keeper that died has left goes."""
    (home / _SOCKET).unlink(missing_ok=True)
    with _short(home) as path:
        made = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            made.bind(path)
        finally:
            os.umask(before)
    made.listen()
    return made


def is_there(home: Path) -> bool:
    """Whether there is a socket, of a keeper that lives or of one that died."""
    return (home / _SOCKET).exists()


def ask(home: Path, say: Say, within: float | None = None, **request: str) -> dict[str, Any]:
    """Send one request to the keeper in ``home``, say its progress, and return its answer.

    Raises:
        LabUsageError: it was typed wrongly.
        LabError: it failed, or the keeper died, or it said nothing for ``within`` seconds.
    """
    try:
        with socket.socket(socket.AF_UNIX) as line, _short(home) as path:
            line.settimeout(within)
            line.connect(path)
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile() as lines:
                return _answer(lines, say)
    except TimeoutError:
        raise LabError(
            f"the keeper of the two regions has said nothing for {within:.0f} s; see its log in {home}/logs"
        ) from None
    except OSError as error:
        raise LabError(f"the keeper of the two regions does not answer ({error}); see its log in {home}/logs") from error


def _answer(lines: Iterator[str], say: Say) -> dict[str, Any]:
    for line in lines:
        part: dict[str, Any] = json.loads(line)
        if "say" in part:
            say(part["say"])
        elif "error" in part:
            raise (LabUsageError if part["usage"] else LabError)(part["error"])
        else:
            return dict(part["done"])
    raise LabError("the keeper of the two regions has ended; failover lab down removes what is left, and up starts new ones")


@contextmanager
def _short(home: Path) -> Iterator[str]:
    place = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{place}/{_SOCKET}"
    finally:
        os.close(place)
