"""The in-memory cluster with what only a long campaign needs: slow calls, standbys that lag, and a client that writes.

``promised`` are the rows that must never be lost: acknowledged while commits waited for a standby, or on every standby when
they began to.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gate.lease.vouching import Outside
from gate.loop.situation import Action, Decision
from gate.postgres.lsn import format_lsn
from gate.record import Record
from tests.fakes.faults import Faults
from tests.fakes.member import RECORD_BYTES, Member, is_ahead
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
        self._copies: list[dict[str, Any]] = []
        """The Service as it was before each change."""
        super().__init__(members)
        self.faults = SlowFaults()
        self._clock = asyncio.get_running_loop().time
        self.promised: set[tuple[str, int]] = set()
        self._snapshots: dict[str, tuple[float, int, set[tuple[str, int]], int]] = {}
        """Member → when it was taken, timeline, rows and end of WAL."""
        self.losses: list[tuple[str, int]] = []
        """Who was promoted without how many promised rows."""
        self._cut_off: dict[str, set[tuple[str, int]]] = {}
        """Member → rows that it lost when its disk was set back."""
        self.apart: frozenset[str] = frozenset()
        """Members on one side of a network that fell apart, without API server and workers; empty: it is whole."""
        self._clock_stopped_at: dict[str, float] = {}
        self._woken_until: dict[str, float] = {}
        """Member whose machine was suspended → until when it may take writes, and must confirm none beside another one."""
        self._heard: dict[str, tuple[float, int]] = {}
        """Standby → when its leader spoke last, and which end of WAL it said; its gate forgets that when it ends."""
        self._replayed_at: dict[str, float] = {}
        """Member → when its last row was committed."""
        self._read: Record | None = None
        """The record as it was read last: lives ask for it thousands of times, and change it a few times."""

    @property
    def has_record(self) -> bool:
        """It always has one."""
        return True

    @property
    def record(self) -> Record:
        """The record as it stands; each change raises the Service's version."""
        assert self.service is not None
        if self._read is None or self._read.resource_version != self.service["metadata"]["resourceVersion"]:
            self._read = super().record
        return self._read

    def patch(self, patch: dict[str, Any]) -> None:
        """Change the Service, and keep what it was."""
        before = copy.deepcopy(self.service)
        super().patch(patch)
        if before is not None and before["metadata"].get("annotations"):
            self._copies.append(before)

    def put_back_a_copy(self, age: float) -> bool:
        """Restore the Service as it was before one of its changes, ``age`` from 0, the last, to 1; whether it differs."""
        if self.service is None or not self._copies:
            return False
        one = copy.deepcopy(self._copies[round((1 - age) * (len(self._copies) - 1))])
        if _contents(one) == _contents(self.service):
            return False
        one["metadata"]["resourceVersion"] = str(int(self.service["metadata"]["resourceVersion"]) + 1)
        self.service = one
        return True

    def suspend(self, member: Member) -> None:
        """Let its machine stand still, and its clock with it."""
        if member.alive and not member.frozen:
            member.frozen = True
            self._clock_stopped_at[member.name] = self._clock()

    def is_suspended(self, member: Member) -> bool:
        """Whether its machine stands still: it does not know how long, when it goes on."""
        return member.name in self._clock_stopped_at

    def standbys_of(self, leader: Member) -> list[Member]:
        """Return those on its side of the network."""
        return [one for one in super().standbys_of(leader) if self._same_side(one, leader)]

    def _same_side(self, one: Member, other: Member) -> bool:
        return (one.name in self.apart) == (other.name in self.apart)

    def _outside(self, member: Member) -> Outside:
        outside = super()._outside(member)
        peers = {
            name: status if self._same_side(member, self.members[name]) else None for name, status in outside.peers.items()
        }
        return replace(outside, peers=peers)

    def observe(self, when: str) -> None:
        """Check that one alone takes writes; one whose machine was suspended may for a while, and can confirm none."""
        taking = [one for one in self.members.values() if one.writes and not self.confirms_nothing_yet(one)]
        if len(taking) > 1:
            self.violations.append(f"{when}: {' and '.join(one.name for one in taking)} accept writes")

    def confirms_nothing_yet(self, member: Member) -> bool:
        """Whether its machine was suspended, so that it cannot know yet who leads, and can confirm no commit."""
        return self._clock() <= self._woken_until.get(member.name, -1.0) and not self._confirms(member)

    def _confirms(self, leader: Member) -> bool:
        return not leader.sync or bool({one.name for one in self.standbys_of(leader) if not one.asynchronous} & leader.sync)

    def insert(self, row: tuple[str, int]) -> bool:
        """Write through the Service; an asynchronous standby gets nothing yet, and no commit waits for it."""
        leader = self.behind_service()
        if leader is None or not leader.writes or not leader.reachable:
            return False
        following = [one for one in self.standbys_of(leader) if not (one.asynchronous or is_ahead(one, leader))]
        if leader.sync and not {one.name for one in following} & leader.sync:
            return False
        for one in [leader, *following]:
            self._replayed_at[one.name] = self._clock()
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
        taken_at, timeline, rows, position = snapshot
        is_last = not any(self.promised <= one.rows for one in self.members.values() if one is not member)
        if member.alive or timeline != member.timeline or position >= member.position or is_last:
            return False
        self._cut_off[member.name] = member.rows - rows
        member.rows, member.position, self._replayed_at[member.name] = set(rows), position, taken_at
        if member.name != self.record.leader:  # one copy less: nobody can know that, once the leader is gone
            self.promised &= set[tuple[str, int]]().union(
                *(one.rows for one in self.members.values() if one.name != self.record.leader)
            )
        return True

    def _keep_snapshots(self) -> None:
        for one in self.members.values():
            if one.alive and self._clock() - self._snapshots.get(one.name, (-_SNAPSHOT_SECONDS,))[0] >= _SNAPSHOT_SECONDS:
                self._snapshots[one.name] = self._clock(), one.timeline, set(one.rows), one.position

    def _act(self, member: Member, decision: Decision) -> None:
        """Let a gate act; a disk that was set back loses what nobody who answers has."""
        standbys = [one for one in self.members.values() if one.stands_by and self._same_side(one, member)]
        heard = [one for one in standbys if one.reachable and member.reachable]
        if decision.action is Action.START_LEADER and not any(one.position > member.position for one in heard):
            self.promised -= self._cut_off.pop(member.name, set()) - member.rows
        super()._act(member, decision)

    def tick(self) -> None:
        """Let standbys catch up, then let every gate look."""
        self._keep_snapshots()
        for one in self.members.values():
            leader = self.members.get(one.following)
            if not one.alive:
                self._heard.pop(one.name, None)
            if leader is not None and self._receives(one, leader):
                self._copy(leader, one)
                self._heard[one.name] = self._clock(), leader.position
        super().tick()

    def _copy(self, leader: Member, member: Member) -> None:
        if not is_ahead(member, leader) and leader.name in self._replayed_at:
            self._replayed_at[member.name] = self._replayed_at[leader.name]
        super()._copy(leader, member)

    def last_word(self, standby: Member) -> dict[str, Any]:
        """Return what its leader said last, and the time of its last transaction."""
        if not standby.stands_by:
            return {}
        replayed = self._replayed_at.get(standby.name)
        words: dict[str, Any] = {} if replayed is None else {"last_replay_at": _as_time(replayed)}
        if (heard := self._heard.get(standby.name)) is not None:
            words |= {"upstream_at": _as_time(heard[0]), "upstream_lsn": format_lsn(heard[1])}
        return words

    def _receives(self, one: Member, leader: Member) -> bool:
        lives = leader.writes and leader.reachable and one.stands_by and one.reachable and self._same_side(one, leader)
        return lives and one.timeline <= leader.timeline and not one.asynchronous

    def _tend(self) -> None:
        super()._tend()
        leader = self.members.get(self.record.leader)
        if leader is not None and leader.writes and leader.sync:
            waits_for = [self.members[name].rows for name in leader.sync]
            self.promised |= self.acknowledged & leader.rows.intersection(*waits_for)

    def thaw(self, member: Member) -> None:
        """Let a frozen container go on; its watchdog looks at the clock first, then holds the server."""
        super().thaw(member)
        if (stopped := self._clock_stopped_at.pop(member.name, None)) is not None:
            member.held, member.vouched_at = False, member.vouched_at + self._clock() - stopped
            self._woken_until[member.name] = member.vouched_at + self.isolation_seconds + 2 * _LOOK_EVERY_SECONDS
            return
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


def _as_time(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _contents(service: dict[str, Any]) -> tuple[Any, Any]:
    return service["metadata"].get("annotations"), service["spec"]
