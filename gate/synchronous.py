"""Synchronous replication on the leader: tightened when a standby has everything, relaxed only with the record's leave.

Tightening: server first, record second, so that a record that names standbys is never a promise that the server does not
keep. Relaxing: record first (``sync: none``, a new epoch, compare-and-swap), server second, so that nobody can promote a
standby in the belief that it has every acknowledged write. Commits that wait are never cancelled: a cancelled wait is an
acknowledged write that may exist once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gate.configuration import write_configuration
from gate.lsn import parse_lsn
from gate.record import NO_SYNC, Record
from gate.sql import NOT_ANSWERING

if TYPE_CHECKING:
    from gate.core import Gate


class Synchronous:
    """Keeps ``synchronous_standby_names`` and the record's ``sync`` in step."""

    def __init__(self, gate: Gate) -> None:
        """Start with whatever the configuration said."""
        self._gate = gate
        self.names: tuple[str, ...] = ()
        """Members that the running server waits for."""
        self._gone_since: float | None = None

    async def tend(self, record: Record) -> None:
        """Do the next thing that is due; called again and again while this member leads undisputed."""
        followers = {row.member: row for row in self._gate.sampler.facts.get("followers", ())}
        streaming = tuple(sorted(name for name, row in followers.items() if row.state == "streaming"))
        if record.sync != NO_SYNC:
            await self._watch(record, streaming)
        elif streaming and self._gate.settings.durability == "available":
            await self._tighten(record, streaming)
        elif self._gate.settings.durability == "strict" and streaming:
            await self._tighten(record, self._gate.settings.peers)

    async def _watch(self, record: Record, streaming: tuple[str, ...]) -> None:
        """Relax when every listed standby has been gone for too long."""
        if set(record.sync_members) & set(streaming) or self._gate.settings.durability == "strict":
            self._gone_since = None
            if self.names != record.sync_members:
                self._set(record.sync_members)
            return
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        if now - self._gone_since < self._gate.settings.standby_timeout:
            return
        relaxed = record.model_copy(
            update={"sync": NO_SYNC, "epoch": record.epoch + 1, "run": f"gate/{self._gate.settings.member}"}
        )
        self._gate.record = await self._gate.api.write(relaxed)
        self._gate.store.write(epoch=relaxed.epoch)
        self._set(())
        self._gone_since = None
        self._gate.log("NOT REDUNDANT: commits no longer wait", gone=record.sync, epoch=relaxed.epoch)

    async def _tighten(self, record: Record, members: tuple[str, ...]) -> None:
        """Wait for ``members`` from now on, and say so in the record once all of them have everything."""
        if self.names != members:
            self._set(members)
            return
        try:
            here = (await self._gate.control_session.row("select pg_current_wal_flush_lsn()::text as lsn"))["lsn"]
            rows = await self._gate.control_session.rows(
                "select application_name as name, sync_state, flush_lsn::text as lsn from pg_stat_replication"
            )
        except NOT_ANSWERING:
            return
        reached = {
            row["name"] for row in rows if row["sync_state"] in {"sync", "quorum"} and row["lsn"]
            and parse_lsn(row["lsn"]) >= parse_lsn(here)
        }  # fmt: skip
        if reached >= set(members) or (self._gate.settings.durability == "strict" and reached):
            wanted = record.model_copy(
                update={"sync": ",".join(members), "run": record.run or f"gate/{self._gate.settings.member}"}
            )
            self._gate.record = await self._gate.api.write(wanted)
            self._gate.log("redundant: commits wait", sync=wanted.sync)

    def _set(self, members: tuple[str, ...]) -> None:
        self.names = members
        write_configuration(self._gate.settings, leader="", sync=members)
        self._gate.server.reload()
