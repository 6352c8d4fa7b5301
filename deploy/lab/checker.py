"""Asks each PostgreSQL server itself whether it takes writes, all the time, and says when two did at one moment.

A COMMIT at ``synchronous_commit = local`` on each server by its pod's own address: a server that answers it takes writes.
Two that take turns faster than a switch could move are two writers. A question that hangs is given up after two seconds and
asked anew; what a frozen server answers to the old one after its thaw is not looked at (``docs/adr/0008`` says what that
can be).
"""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Any

import psycopg

from deploy.lab.load_data import LoadSettings, Seen
from deploy.lab.row_load import connect, takes_writes

_ASK_EVERY = 0.005
_ANSWER_WITHIN = 2.0
_TURN_SECONDS = 0.1
"""A switch stops one server before it promotes the other, which has not taken less than 0.15 s here."""

Connection = psycopg.AsyncConnection[Any]


async def check(settings: LoadSettings, seen: Seen, member: str) -> None:
    """Ask one member for ever, by the address that its pod has at that moment."""
    connection: Connection | None = None
    address = ""
    while True:
        if address != settings.members[member]:
            connection, address = None, settings.members[member]
        asking = asyncio.create_task(_ask(settings, seen, member, connection))
        try:
            await asyncio.wait({asking}, timeout=_ANSWER_WITHIN)
        finally:
            asking.cancel()  # psycopg may take ten seconds to end a query that hangs: nobody waits for that
        connection = asking.result() if asking.done() else None
        await asyncio.sleep(_ASK_EVERY)


async def _ask(settings: LoadSettings, seen: Seen, member: str, connection: Connection | None) -> Connection | None:
    """Write if the server takes writes; return the connection, ``None`` when it is of no use any more.

    A server that says that it takes none is not tried: its log would grow by 24 kB/s and hide what its gate says.
    """
    try:
        if connection is None:
            connection = await connect(settings, settings.members[member])
            await connection.execute("set synchronous_commit = local")
        if await takes_writes(connection):
            asked = time.time()
            await connection.execute("insert into lab_checks values (%s)", (member,))
            seen.commits.append((asked, time.time(), member))
    except psycopg.errors.ReadOnlySqlTransaction:
        pass
    except (psycopg.Error, OSError, TimeoutError):
        return None
    seen.answers[member] = seen.answers.get(member, 0) + 1
    seen.answered_at[member] = time.time()
    return connection


def two_writers(commits: list[tuple[float, float, str]]) -> list[str]:
    """Return a sentence for each moment at which two servers took writes.

    A violation is a commit on another server between two commits of one server that are close together, or two that
    overlap in time.
    """
    ordered = sorted(commits)
    found = []
    for earlier, later in pairwise(ordered):
        if earlier[2] != later[2] and later[0] < earlier[1] - 0.001 and later[1] < earlier[1] + _TURN_SECONDS:
            found.append(f"{earlier[2]} and {later[2]} both answered at {later[1]:.3f}")
    for first, other, again in zip(ordered, ordered[1:], ordered[2:], strict=False):
        if first[2] == again[2] != other[2] and again[0] - first[1] < _TURN_SECONDS:
            found.append(f"{other[2]} took a write at {other[1]:.3f} between two of {first[2]}")
    return found
