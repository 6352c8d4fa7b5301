"""Synchronous replication on the leader: commits wait for any one of the standbys that stream.

The record's ``sync`` is a promise: every acknowledged write is with one of the standbys that it names. So the server only
ever waits for some of these, never for others. A shorter list promises more: server first, record second, once each of the
listed has everything. A longer list, or none, promises less: record first (a new epoch, compare-and-swap), server second,
so that nobody can promote a standby in the belief that it has every acknowledged write. A standby that comes or goes is
waited for a while before the list follows, unless there is no list, or it has said that it ends (``gate.commands.leave``).
One that is connected and dead has gone when it fell silent (``gate.loop.silent_standbys``). Commits that wait are never
cancelled: a cancelled wait is an acknowledged write that may exist once. Only members count: whatever else streams from
here (a base backup, an archiver) is no standby. Nor is one that confirms WAL which was never written here: this leader's
disk was set back while that one was away, and it would confirm at once what it will never have.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from gate.api import SYNCHRONOUS, Follower
from gate.postgres.lsn import parse_lsn
from gate.postgres.sql import NOT_ANSWERING, Session
from gate.record import NO_SYNC, Record
from gate.settings import Settings

_ENDS_WITHIN_SECONDS = 30.0
"""A standby that said that it ends, and streams after so long, counts again."""


@dataclass(frozen=True)
class Change:
    """What is to change next: the record first (compare-and-swap), the server only once that is written."""

    record: Record | None = None
    names: tuple[str, ...] | None = None
    """Members that the server waits for from then on; ``None``: as before."""
    message: str = ""


_NOBODY = ("nobody",)
"""Commits wait, and no standby has this name."""


class Synchronous:
    """Says how ``synchronous_standby_names`` and the record's ``sync`` are kept in step."""

    def __init__(
        self,
        settings: Settings,
        checkpoint: Callable[[], Coroutine[Any, Any, None]],
        up_to_date: Callable[[], Awaitable[set[str]]],
    ) -> None:
        """``up_to_date`` returns the synchronous standbys that have all WAL there is at this moment."""
        self._settings, self._checkpoint_now, self._up_to_date = settings, checkpoint, up_to_date
        self.names: tuple[str, ...] = ()
        """Members that the running server waits for."""
        self._differs_since: float | None = None
        self._checkpoint: asyncio.Task[None] | None = None
        self._waits = False
        """Commits are known to wait."""
        self._going: dict[str, float] = {}
        """Standby that has said that it ends, and is still connected → when it said so."""

    async def tend(
        self, record: Record, followers: tuple[Follower, ...], silent: Mapping[str, float] | None = None
    ) -> Change | None:
        """Return what is due; asked again and again while this member leads undisputed.

        ``silent``: standby that is connected and dead → for how many seconds.
        """
        states = {row.member: row.state for row in followers}
        ahead = {row.member for row in followers if row.ahead}
        since = time.monotonic() - _ENDS_WITHIN_SECONDS
        self._going = {name: said for name, said in self._going.items() if name in states and said > since}
        silent = silent or {}
        gone = (
            ahead
            | self._going.keys()
            | {name for name, seconds in silent.items() if seconds >= self._settings.standby_timeout}
        )
        stay = set(self._settings.peers) - self._going.keys() - silent.keys() - ahead
        streaming = tuple(name for name in sorted(stay) if states.get(name) == "streaming")
        wanted = tuple(name for name in self._settings.peers if name not in ahead) if self._strict else streaming
        if self._strict and not wanted:  # what such a standby confirms is worth nothing
            return None if self.names == _NOBODY else Change(names=_NOBODY)
        if record.sync != NO_SYNC:
            return await self._follow(record, wanted, followers, gone)
        if streaming or self._strict:
            return await self._tighten(record, wanted, followers)
        return Change(names=()) if self.names else None

    def let_go(self, member: str) -> None:
        """Wait for ``member`` no longer, from the next look on until it has gone and come again, or does not end in time."""
        self._going[member] = time.monotonic()

    def begin(self, names: tuple[str, ...]) -> None:
        """Start from ``names``, which a configuration that was just written lets commits wait for."""
        self.names, self._differs_since = names, None
        self._forget_wait(known=bool(names))

    def carried_out(self, change: Change) -> None:
        """Know that record and server are as ``change`` wanted them."""
        if change.names is None:
            return
        if not change.names:
            self._forget_wait(known=False)
        self.names = change.names
        if change.record is not None:
            self._differs_since = None

    @property
    def _strict(self) -> bool:
        return self._settings.durability == "strict"

    async def _follow(
        self, record: Record, wanted: tuple[str, ...], followers: tuple[Follower, ...], gone: set[str]
    ) -> Change | None:
        """Bring the record's list to ``wanted`` when it has differed for so long that it is no hiccup."""
        listed = record.sync_members
        if set(wanted) == set(listed):
            self._differs_since = None
            return Change(names=listed) if self.names != listed else None
        if self._differs_for() < self._settings.standby_timeout:
            if gone.isdisjoint(listed):
                return None if self.names else Change(names=listed)
            wanted = tuple(name for name in listed if name not in gone)  # the others get their time
        if not wanted:
            return self._relax(record, ())
        if set(wanted) <= set(listed):
            return await self._tighten(record, wanted, followers)
        return self._relax(record, tuple(sorted({*listed, *wanted})))

    def _differs_for(self) -> float:
        now = time.monotonic()
        self._differs_since = self._differs_since or now
        return now - self._differs_since

    def _relax(self, record: Record, members: tuple[str, ...]) -> Change:
        """Say in the record that a commit may wait for any of ``members``, or for nobody; only then let it."""
        sync, run = ",".join(members) or NO_SYNC, f"gate/{self._settings.member}"
        relaxed = record.model_copy(update={"sync": sync, "epoch": record.epoch + 1, "run": run})
        message = "commits wait for one more" if members else "NOT REDUNDANT: commits no longer wait"
        return Change(relaxed, members, message)

    async def _tighten(self, record: Record, members: tuple[str, ...], followers: tuple[Follower, ...]) -> Change | None:
        """Wait for ``members`` from now on, and say so in the record once all of them have everything."""
        if self.names != members:
            return Change(names=members)
        if not self._do_commits_wait(followers) or _counts_another(members, followers):
            return None
        reached = await self._up_to_date()
        if not (reached >= set(members) or (self._strict and reached)):
            return None
        update = {"sync": ",".join(members), "run": record.run or f"gate/{self._settings.member}"}
        return Change(record.model_copy(update=update), message="redundant: commits wait")

    def _do_commits_wait(self, followers: tuple[Follower, ...]) -> bool:
        """Whether commits wait by now. Begins to find out when that is not known.

        Commits look at a flag in shared memory that only the checkpointer sets, once it has read the new configuration,
        which it does not do in the middle of a checkpoint. One that was asked for after the change and is over proves it.
        That the server's processes were told is seen by the senders of WAL: they call the listed standbys synchronous.
        """
        if self._waits:
            return True
        if self._checkpoint is None:
            if any(row.member in self.names and row.sync_state in SYNCHRONOUS for row in followers):
                self._checkpoint = asyncio.create_task(self._checkpoint_now())
            return False
        if self._checkpoint.done():
            self._waits, self._checkpoint = self._checkpoint.exception() is None, None
        return self._waits

    def _forget_wait(self, *, known: bool) -> None:
        self._waits = known
        if self._checkpoint is not None:
            self._checkpoint.cancel()
            self._checkpoint = None


def _counts_another(members: tuple[str, ...], followers: tuple[Follower, ...]) -> bool:
    """Whether a sender of WAL has not read the shorter list yet: it would still let a commit go for one that left it."""
    return any(row.sync_state in SYNCHRONOUS and row.member not in members for row in followers)


async def up_to_date(session: Session) -> set[str]:
    """Return the synchronous standbys that have flushed all WAL of this moment; nobody when the server does not answer."""
    try:
        here = (await session.row("select pg_current_wal_flush_lsn()::text as lsn"))["lsn"]
        rows = await session.rows(
            "select application_name as name, sync_state, flush_lsn::text as lsn from pg_stat_replication"
        )
    except NOT_ANSWERING:
        return set()
    return {
        row["name"] for row in rows
        if row["sync_state"] in SYNCHRONOUS and row["lsn"] and parse_lsn(row["lsn"]) >= parse_lsn(here)
    }  # fmt: skip
