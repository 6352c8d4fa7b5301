"""A standby that can never follow its leader as it is: it would ask for the same WAL for ever.

Only what can be proved counts. *Diverged*: the leader's timeline left this server's before the point that it has received,
as when another standby was promoted that had less; it is rewound, and the WAL past the fork kept aside. *Starved*: the
leader's gate says from where on it has WAL, and this server has received less. *Given up*: the leader's history leaves this
server's timeline out (``postgres-rollback``). The last two are copied. The old directory is moved aside, not removed;
without room for a copy beside it the gate says so and leaves everything running. So it does while a pause stands in the
record, unless a person has asked for this member's rejoin.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gate.api import GateStatus, Role, ServerFacts
from gate.loop import rejoin
from gate.loop.pause import is_paused, pause_words
from gate.postgres.lsn import parse_lsn
from gate.postgres.wal import newest_wal_timeline
from gate.record import Record
from gate.settings import Settings


@dataclass(frozen=True)
class Recovery:
    """What a standby needs in order to follow ``leader`` again; its server is stopped for it."""

    leader: GateStatus
    rewinds: bool
    """Its directory is rewound; otherwise it is copied."""
    why: str

    @property
    def message(self) -> str:
        """What is done, and why."""
        return f"{self.why}; is {'rewound' if self.rewinds else 'copied'}"


class ReplicationRecovery:
    """Watches one standby."""

    def __init__(self, settings: Settings, ask: Callable[[str], Awaitable[GateStatus | None]]) -> None:
        """Start with no suspicion; ``ask`` returns a member's status."""
        self._settings, self._ask = settings, ask
        self._since: float | None = None
        self.obstacle = ""
        """Why nothing is done although something is due, for as long as that is so."""

    async def tend(self, record: Record, facts: ServerFacts, *, asked_for: bool) -> Recovery | None:
        """Return what is due; asked again and again while this member stands by.

        ``asked_for``: a person has asked for this member's rejoin, so that a pause does not hold it.
        """
        self.obstacle = self.obstacle if facts.upstream is None else ""
        if facts.role is not Role.STANDBY or facts.upstream is not None:
            self._since = None
            return None
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since < self._settings.starved_after:
            return None
        leader = await self._ask(record.leader)
        timeline = newest_wal_timeline(self._settings.data)
        if leader is None or leader.role is not Role.PRIMARY or leader.oldest_wal is None:
            return None
        if facts.receive_lsn is None or timeline is None or (due := _due(leader, facts.receive_lsn, timeline)) is None:
            return None
        held = is_paused(record, datetime.now(UTC)) and not asked_for
        paused = f"{due.why}; nothing is done about it automatically: {pause_words(record)}" if held else ""
        self.obstacle = paused or ("" if due.rewinds else await self._lack_of_space(due))
        return None if self.obstacle else due

    async def _lack_of_space(self, due: Recovery) -> str:
        lack = await asyncio.to_thread(rejoin.lack_of_space, self._settings, due.leader)
        return f"{due.why}; a new copy {lack}: enlarge the volume" if lack else ""

    def begun(self) -> None:
        """Start anew: the server is stopped and the work has begun."""
        self._since = None


def _due(leader: GateStatus, received: str, timeline: int) -> Recovery | None:
    fork = rejoin.fork_of(timeline, leader)
    if rejoin.is_given_up(timeline, leader):
        why = f"STARVED: is on timeline {timeline}, which is not in {leader.member}'s history"
        return Recovery(leader, rewinds=False, why=why)
    if fork is not None and parse_lsn(received) > parse_lsn(fork):
        why = f"DIVERGED: has received {received} on timeline {timeline}, {leader.member} left it at {fork}"
        return Recovery(leader, rewinds=True, why=why)
    if parse_lsn(received) < parse_lsn(leader.oldest_wal or received):
        why = f"STARVED: has received {received}, {leader.member} has WAL from {leader.oldest_wal} on only"
        return Recovery(leader, rewinds=False, why=why)
    return None
