"""A standby that can never follow its leader as it is: it would ask for the same WAL for ever.

Only what can be proved counts. *Diverged*: the leader's timeline left this server's before the point that it has received,
as when another standby was promoted that had less; it is rewound, and the WAL past the fork kept aside. *Starved*: the
leader's gate says from where on it has WAL, and this server has received less. *Given up*: the leader's history leaves this
server's timeline out (``postgres-rollback``). The last two are copied anew. The old directory is moved aside, not removed;
without room for a copy beside it the gate says so and leaves everything running. So it does while a pause stands in the
record, unless a person has asked for this member's rejoin.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gate.api import GateStatus, Role
from gate.loop import rejoin
from gate.loop.pause import is_paused, pause_words
from gate.postgres.lsn import parse_lsn
from gate.postgres.wal import newest_wal_timeline
from gate.record import Record

if TYPE_CHECKING:
    from gate.loop.core import Gate
    from gate.loop.work import Work


class ReplicationRecovery:
    """Watches one standby."""

    def __init__(self, gate: Gate) -> None:
        """Start with no suspicion."""
        self._gate = gate
        self._since: float | None = None
        self.complaint = ""
        """Why nothing is done about it, for as long as that is so."""

    async def tend(self, record: Record) -> None:
        """Begin what is due; called again and again while this member stands by."""
        facts = self._gate.sampler.facts
        self.complaint = self.complaint if facts.get("upstream") is None else ""
        if self._gate.sampler.role is not Role.STANDBY or facts.get("upstream") is not None:
            self._since = None
            return
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since < self._gate.settings.starved_after:
            return
        leader = await self._gate.peers.status(record.leader)
        received, timeline = facts.get("receive_lsn"), newest_wal_timeline(self._gate.settings.data)
        if leader is None or leader.role is not Role.PRIMARY or leader.oldest_wal is None or None in (received, timeline):
            return
        await self._mend(leader, str(received), int(timeline or 0), record)

    async def _mend(self, leader: GateStatus, received: str, timeline: int, record: Record) -> None:
        fork = rejoin.fork_of(timeline, leader)
        if rejoin.is_given_up(timeline, leader):
            await self._copy(
                leader, f"STARVED: is on timeline {timeline}, which is not in {leader.member}'s history", record
            )
        elif fork is not None and parse_lsn(received) > parse_lsn(fork):
            why = f"DIVERGED: has received {received} on timeline {timeline}, {leader.member} left it at {fork}"
            await self._rewind(leader, why, record)
        elif parse_lsn(received) < parse_lsn(leader.oldest_wal or received):
            why = f"STARVED: has received {received}, {leader.member} has WAL from {leader.oldest_wal} on only"
            await self._copy(leader, why, record)

    async def _rewind(self, leader: GateStatus, why: str, record: Record) -> None:
        if self._may(why, record):
            await self._stop_and(lambda work: work.rewind(leader, record.epoch), f"{why}; is rewound")

    async def _copy(self, leader: GateStatus, why: str, record: Record) -> None:
        if not self._may(why, record):
            return
        await asyncio.to_thread(rejoin.empty_copy, self._gate.settings)
        free, needed = shutil.disk_usage(self._gate.settings.directory).free, rejoin.bytes_for_copy(leader)
        if free < needed:
            self.complaint = f"{why}; a new copy needs {needed} bytes, {free} are free: enlarge the volume"
            return
        await self._stop_and(lambda work: work.copy_anew(leader), f"{why}; is copied anew")

    def _may(self, why: str, record: Record) -> bool:
        held = is_paused(record, datetime.now(UTC)) and self._gate.store.state.rejoin_behind != record.leader
        self.complaint = f"{why}; nothing is done about it by itself: {pause_words(record)}" if held else ""
        return not held

    async def _stop_and(self, begin: Callable[[Work], Coroutine[Any, Any, None]], words: str) -> None:
        self._gate.say(words)
        if await self._gate.server.stop(within=30):
            self._since = None
            self._gate.work.begin(begin(self._gate.work))
