"""Ports for servers on loopback addresses.

A server listens a moment after its port was chosen. Until then the port looks free to whoever else looks. So each process
holds a lock on some ports, which ends with it, chooses among these, and gives none twice in a row.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections import deque
from functools import cache
from pathlib import Path

_FIRST, _OF_ONE_PROCESS, _PROCESSES = 15_000, 300, 50
"""All below the kernel's own range: a port of that may belong to somebody's outgoing connection when a server wants it."""
_given: deque[int] = deque(maxlen=_OF_ONE_PROCESS // 2)
"""What this process was given last."""


def free_port(*addresses: str) -> int:
    """Return a port that is free at every one of ``addresses``, and that nobody else is given. OSError: there is none."""
    own = _own_ports()
    for port in random.sample(own, len(own)):
        if port not in _given and all(is_free(address, port) for address in addresses):
            _given.append(port)
            return port
    raise OSError(f"no port is free at {', '.join(addresses)}")


@cache
def _own_ports() -> range:
    """Lock ports for this process, until it ends."""
    folder = Path(tempfile.gettempdir(), "failover-ports")
    folder.mkdir(exist_ok=True)
    for number in random.sample(range(_PROCESSES), _PROCESSES):
        lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return range(_FIRST + number * _OF_ONE_PROCESS, _FIRST + (number + 1) * _OF_ONE_PROCESS)
    raise OSError(f"{_PROCESSES} processes hold all ports that there are ({folder})")


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
