"""The in-memory cluster with what only a long campaign needs: slow calls, standbys that lag, and a client that writes.

``promised`` are the rows that must never be lost: acknowledged while commits waited for a standby, or on every standby when
they began to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gate.loop.situation import Action, Decision
from gate.record import NO_SYNC
from tests.fakes.faults import Faults
from tests.fakes.member import RECORD_BYTES, Member
from tests.fakes.world import World
from tests.properties.attempt import current_attempt

LATENCY_SECONDS = 0.01
_LOOK_EVERY_SECONDS = 0.03
_WRITE_EVERY_SECONDS = 0.04
_SNAPSHOT_SECONDS = 0.5


class SlowFaults(Faults):
    """Calls take time on the way there and on the way back, so that a worker can die or freeze in between."""

    @asynccontextmanager
    async def around(self, name: str) -> AsyncIterator[None]:
        """Run a call on behalf of an attempt that may stand still."""
        await _on_the_way()
        async with super().around(name):
            yield
        await _on_the_way()


async def _on_the_way() -> None:
    await asyncio.sleep(LATENCY_SECONDS)
    attempt = current_attempt.get()
    if attempt is not None:
        await attempt.thawed.wait()


class HarshWorld(World):
    """A world for ``tests.properties``."""

    def __init__(self, members: tuple[str, ...]) -> None:
        super().__init__(members)
        self.faults = SlowFaults()
        self._clock = asyncio.get_running_loop().time
        self.promised: set[tuple[str, int]] = set()
        self._snapshots: dict[str, tuple[float, int, set[tuple[str, int]], int]] = {}
        """Member → when it was taken, timeline, rows and end of WAL."""
        self.losses: list[tuple[str, int]] = []
        """Who was promoted without how many promised rows."""

    def insert(self, row: tuple[str, int]) -> bool:
        """Write through the Service; an asynchronous standby gets nothing yet, and no commit waits for it."""
        leader = self.behind_service()
        if leader is None or not leader.writes or not leader.reachable:
            return False
        following = [one for one in self.standbys_of(leader) if not one.asynchronous]
        if leader.sync and not {one.name for one in following} & leader.sync:
            return False
        for one in [leader, *following]:
            one.rows.add(row)
            one.position += RECORD_BYTES
        self.acknowledged.add(row)
        if leader.sync:
            self.promised.add(row)
        return True

    def promote(self, member: Member) -> None:
        """Leave recovery, with what was received until now and no more."""
        super().promote(member)
        if lost := self.promised - member.rows:
            self.losses.append((member.name, len(lost)))
            self.promised &= member.rows

    def set_back(self, member: Member) -> bool:
        """Give a dead member the directory that it had a while ago; return whether it had another one.

        Not the last one that has every promised row: nobody could bring those back.
        """
        snapshot = self._snapshots.get(member.name, (0.0, member.timeline, member.rows, member.position))
        _, timeline, rows, position = snapshot
        is_last = not any(self.promised <= one.rows for one in self.members.values() if one is not member)
        if member.alive or timeline != member.timeline or position >= member.position or is_last:
            return False
        member.rows, member.position = set(rows), position
        return True

    def _keep_snapshots(self) -> None:
        for one in self.members.values():
            if one.alive and self._clock() - self._snapshots.get(one.name, (-_SNAPSHOT_SECONDS,))[0] >= _SNAPSHOT_SECONDS:
                self._snapshots[one.name] = self._clock(), one.timeline, set(one.rows), one.position

    def _act(self, member: Member, decision: Decision) -> None:
        """Let a gate act; a disk that was set back loses what nobody who answers has."""
        heard = [one for one in self.members.values() if one.stands_by and one.reachable and member.reachable]
        if decision.action is Action.START_LEADER and not any(one.position > member.position for one in heard):
            self.promised &= member.rows
        super()._act(member, decision)

    def tick(self) -> None:
        """Let standbys catch up, then let every gate look."""
        self._keep_snapshots()
        for one in self.members.values():
            leader = self.members.get(one.following)
            if leader is not None and self._receives(one, leader):
                self._copy(leader, one)
        super().tick()

    def _receives(self, one: Member, leader: Member) -> bool:
        lives = leader.writes and leader.reachable and one.stands_by and one.reachable
        return lives and one.timeline <= leader.timeline and not one.asynchronous

    def _tend(self) -> None:
        before = self.record.sync
        super()._tend()
        if before == NO_SYNC != self.record.sync:
            leader = self.members[self.record.leader]
            self.promised |= leader.rows & self.acknowledged

    def thaw(self, member: Member) -> None:
        """Let a frozen container go on; its watchdog looks at the clock first, then holds the server."""
        super().thaw(member)
        if self._clock() - member.vouched_at > self.isolation_seconds and member.held:
            member.stop()

    async def be_alive(self) -> None:
        """Let the gates look, decide and act, for ever."""
        while True:
            self.tick()
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def be_written_to(self) -> None:
        """Write again and again, for ever."""
        row = 0
        while True:
            row += 1
            self.insert(("client", row))
            await asyncio.sleep(_WRITE_EVERY_SECONDS)
