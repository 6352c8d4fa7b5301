"""Ports for servers on loopback addresses."""

from __future__ import annotations

import random
import socket

_BELOW_THE_KERNELS_OWN = range(15_000, 30_000)
"""A port of its range may belong to somebody's outgoing connection at the moment when a server wants it."""


def free_port(*addresses: str) -> int:
    """Return a port that is free at every one of ``addresses``."""
    for port in random.sample(_BELOW_THE_KERNELS_OWN, 100):
        if all(is_free(address, port) for address in addresses):
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
