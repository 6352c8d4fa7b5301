"""Synchronous replication on the leader: commits wait for any one of the standbys that stream.

The record's ``sync`` is a promise: every acknowledged write is with one of the standbys that it names. So the server only
ever waits for some of these, never for others. A shorter list promises more: server first, record second, once each of the
listed has everything. A longer list, or none, promises less: record first (a new epoch, compare-and-swap), server second,
so that nobody can promote a standby in the belief that it has every acknowledged write. A standby that comes or goes is
waited for a while before the list follows, unless there is no list. Commits that wait are never cancelled: a cancelled wait
is an acknowledged write that may exist once. Only members count: whatever else streams from here (a base backup, an
archiver) is no standby.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from gate.api import SYNCHRONOUS
from gate.postgres.configuration import write_configuration
from gate.postgres.lsn import parse_lsn
from gate.postgres.sql import NOT_ANSWERING
from gate.record import NO_SYNC, Record

if TYPE_CHECKING:
    from gate.loop.core import Gate


class Synchronous:
    """Keeps ``synchronous_standby_names`` and the record's ``sync`` in step."""

    def __init__(self, gate: Gate) -> None:
        """Start with whatever the configuration said."""
        self._gate = gate
        self.names: tuple[str, ...] = ()
        """Members that the running server waits for."""
        self._differs_since: float | None = None
        self._checkpoint: asyncio.Task[None] | None = None
        self._waits = False
        """Commits are known to wait."""

    async def tend(self, record: Record) -> None:
        """Do the next thing that is due; called again and again while this member leads undisputed."""
        followers = {row.member: row for row in self._gate.sampler.facts.get("followers", ())}
        streaming = tuple(
            name for name in sorted(self._gate.settings.peers) if name in followers and followers[name].state == "streaming"
        )
        wanted = self._gate.settings.peers if self._strict else streaming
        if record.sync != NO_SYNC:
            await self._follow(record, wanted)
        elif streaming or self._strict:
            await self._tighten(record, wanted)
        elif self.names and not self._strict:
            self._set(())

    def begin(self, names: tuple[str, ...]) -> None:
        """Start from ``names``, which a configuration that was just written lets commits wait for."""
        self.names, self._differs_since = names, None
        self._forget_wait(known=bool(names))

    @property
    def _strict(self) -> bool:
        return self._gate.settings.durability == "strict"

    async def _follow(self, record: Record, wanted: tuple[str, ...]) -> None:
        """Bring the record's list to ``wanted`` when it has differed for so long that it is no hiccup."""
        listed = record.sync_members
        if set(wanted) == set(listed):
            self._differs_since = None
            if self.names != listed:
                self._set(listed)
        elif self._differs_for() < self._gate.settings.standby_timeout:
            if not self.names:
                self._set(listed)
        elif not wanted:
            await self._relax(record, ())
        elif set(wanted) <= set(listed):
            await self._tighten(record, wanted)
        else:
            await self._relax(record, tuple(sorted({*listed, *wanted})))

    def _differs_for(self) -> float:
        now = time.monotonic()
        self._differs_since = self._differs_since or now
        return now - self._differs_since

    async def _relax(self, record: Record, members: tuple[str, ...]) -> None:
        """Say in the record that a commit may wait for any of ``members``, or for nobody; only then let it."""
        relaxed = record.model_copy(
            update={
                "sync": ",".join(members) or NO_SYNC,
                "epoch": record.epoch + 1,
                "run": f"gate/{self._gate.settings.member}",
            }
        )
        self._gate.record = await self._gate.api.write(relaxed)
        self._gate.store.write(epoch=relaxed.epoch)
        self._set(members)
        self._differs_since = None
        words = "commits wait for one more" if members else "NOT REDUNDANT: commits no longer wait"
        self._gate.log(words, before=record.sync, sync=relaxed.sync, epoch=relaxed.epoch)

    async def _tighten(self, record: Record, members: tuple[str, ...]) -> None:
        """Wait for ``members`` from now on, and say so in the record once all of them have everything."""
        if self.names != members:
            self._set(members)
            return
        if not self._do_commits_wait():
            return
        try:
            here = (await self._gate.control_session.row("select pg_current_wal_flush_lsn()::text as lsn"))["lsn"]
            rows = await self._gate.control_session.rows(
                "select application_name as name, sync_state, flush_lsn::text as lsn from pg_stat_replication"
            )
        except NOT_ANSWERING:
            return
        reached = {
            row["name"] for row in rows if row["sync_state"] in SYNCHRONOUS and row["lsn"]
            and parse_lsn(row["lsn"]) >= parse_lsn(here)
        }  # fmt: skip
        if reached >= set(members) or (self._strict and reached):
            wanted = record.model_copy(
                update={"sync": ",".join(members), "run": record.run or f"gate/{self._gate.settings.member}"}
            )
            self._gate.record = await self._gate.api.write(wanted)
            self._gate.log("redundant: commits wait", sync=wanted.sync)

    def _do_commits_wait(self) -> bool:
        """Whether commits wait by now. Begins to find out when that is not known.

        Commits look at a flag in shared memory that only the checkpointer sets, once it has read the new configuration,
        which it does not do in the middle of a checkpoint. One that was asked for after the change and is over proves it.
        """
        if self._waits:
            return True
        if self._checkpoint is None:
            if self._has_read_configuration():
                self._checkpoint = asyncio.create_task(self._gate.checkpoint())
            return False
        if self._checkpoint.done():
            self._waits, self._checkpoint = self._checkpoint.exception() is None, None
        return self._waits

    def _has_read_configuration(self) -> bool:
        """Whether the server's processes were told: the senders of WAL call the listed standbys synchronous."""
        followers = self._gate.sampler.facts.get("followers", ())
        return any(row.member in self.names and row.sync_state in SYNCHRONOUS for row in followers)

    def _forget_wait(self, *, known: bool) -> None:
        self._waits = known
        if self._checkpoint is not None:
            self._checkpoint.cancel()
            self._checkpoint = None

    def _set(self, members: tuple[str, ...]) -> None:
        if not members:
            self._forget_wait(known=False)
        self.names = members
        write_configuration(self._gate.settings, leader="", sync=members)
        self._gate.server.reload()
