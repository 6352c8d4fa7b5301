"""A standby whose leader no longer has the WAL that it needs: it would ask for it for ever, so it is copied anew.

Only what can be proved counts: the leader's gate says from where on it has WAL, and this server has received less. The old
directory is moved aside, not removed; without room for a copy beside it the gate says so and leaves everything running.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from gate import rejoin
from gate.api import GateStatus, Role
from gate.lsn import format_lsn, parse_lsn
from gate.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from gate.core import Gate

_NAME_LENGTH = 24


def oldest_wal(data: Path, segment_bytes: int) -> str | None:
    """Return the LSN at which the oldest WAL segment in ``data`` begins, ``None`` when there is none."""
    names = (path.name[8:] for path in (data / "pg_wal").glob("?" * _NAME_LENGTH))
    positions = [(int(name[:8], 16) << 32) + int(name[8:], 16) * segment_bytes for name in names if _is_hex(name)]
    return format_lsn(min(positions)) if positions else None


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789ABCDEF" for letter in text)


class Starvation:
    """Watches one standby."""

    def __init__(self, gate: Gate) -> None:
        """Start with no suspicion."""
        self._gate = gate
        self._since: float | None = None

    async def tend(self, record: Record) -> None:
        """Begin a new copy when it is due; called again and again while this member stands by."""
        facts = self._gate.sampler.facts
        if self._gate.sampler.role is not Role.STANDBY or facts.get("upstream") is not None:
            self._since = None
            return
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since < self._gate.settings.starved_after:
            return
        leader = await self._gate.peers.status(record.leader)
        received = facts.get("receive_lsn")
        if leader is None or leader.role is not Role.PRIMARY or leader.oldest_wal is None or received is None:
            return
        if parse_lsn(received) < parse_lsn(leader.oldest_wal):
            await self._copy(leader, received)

    async def _copy(self, leader: GateStatus, received: str) -> None:
        gate = self._gate
        why = f"has received {received}, {leader.member} has WAL from {leader.oldest_wal} on only"
        free, needed = shutil.disk_usage(gate.settings.directory).free, rejoin.bytes_for_copy(leader)
        if free < needed:
            gate.say(f"STARVED: {why}; a new copy needs {needed} bytes, {free} are free: enlarge the volume")
            return
        gate.say(f"starved: {why}; copies it anew")
        if await gate.server.stop(within=30):
            self._since = None
            gate.begin(gate.copy_anew(leader))
