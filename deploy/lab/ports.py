"""Ports for servers on loopback addresses.

A server listens a moment after its port was chosen. Until then the port looks free to whoever else looks: so each process
chooses among ports of its own, by its number, and gives none twice in a row.
"""

from __future__ import annotations

import os
import random
import socket
from collections import deque

_FIRST, _OF_ONE_PROCESS, _PROCESSES = 15_000, 300, 50
"""All below the kernel's own range: a port of that may belong to somebody's outgoing connection when a server wants it."""
_given: deque[int] = deque(maxlen=_OF_ONE_PROCESS // 2)
"""What this process was given last."""


def free_port(*addresses: str) -> int:
    """Return a port that is free at every one of ``addresses``, and that this process was not given lately."""
    first = _FIRST + os.getpid() % _PROCESSES * _OF_ONE_PROCESS
    for port in random.sample(range(first, first + _OF_ONE_PROCESS), _OF_ONE_PROCESS):
        if port not in _given and all(is_free(address, port) for address in addresses):
            _given.append(port)
            return port
    raise OSError(f"no port is free at {', '.join(addresses)}")


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
