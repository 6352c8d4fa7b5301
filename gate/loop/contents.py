"""What a server holds that does not go where leadership goes, so that people hear of it before and not afterwards.

Unlogged tables are on every member by name only: on a member that is promoted they are empty. A replication slot exists on
the member that it was made on; its consumer must be set up again elsewhere, and the slot that is left keeps WAL for ever.
A tablespace lies outside the data directory. All of it changes seldom and may take long to ask, so it is asked now and
then, beside the loop. What a primary said last is not forgotten when its server stops.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from gate.api import Contents
from gate.postgres.sql import NOT_ANSWERING, Session
from gate.postgres.tablespaces import goes_with_the_container
from gate.settings import Settings

_EVERY_SECONDS, _SOON_SECONDS = 10.0, 0.5
_NAMED = 3
_DATABASES = """
select datname from pg_database where datallowconn and not datistemplate and datconnlimit <> -2
order by datname = %s desc, datname
"""
"""-2: what an interrupted DROP DATABASE has left."""
_UNLOGGED = """
select format('%I.%I.%I', current_database(), n.nspname, c.relname) as name,
       greatest(pg_total_relation_size(c.oid), c.relpages::bigint * current_setting('block_size')::bigint) as bytes
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relpersistence = 'u' and c.relkind = 'r'
"""
"""A standby has the files of none of them, and says how large they were when they were last vacuumed or analysed."""
_SLOTS = """
select slot_name as name, active,
       pg_wal_lsn_diff(case when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                            else pg_current_wal_lsn() end, restart_lsn)::bigint as bytes_held
from pg_replication_slots where not temporary order by 1
"""
_TABLESPACES = """
select spcname as name, pg_tablespace_location(oid) as location, pg_tablespace_size(oid) as bytes from pg_tablespace
where pg_tablespace_location(oid) like '/%' order by 1
"""


class ContentsLook:
    """Keeps what was seen last; ``None`` until the server has answered once."""

    def __init__(self, settings: Settings, answers: Callable[[], bool]) -> None:
        """``answers`` tells whether the server answers at all."""
        self._settings, self._answers = settings, answers
        self.seen: Contents | None = None

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            looked = False
            if self._answers():
                try:
                    self.seen, looked = await self._look(), True
                except NOT_ANSWERING:  # under load, or a table is locked: the next look may find it free
                    looked = False
            await asyncio.sleep(_EVERY_SECONDS if looked else _SOON_SECONDS)

    async def _look(self) -> Contents:
        session = Session(self._settings)
        try:
            databases = [row["datname"] for row in await session.rows(_DATABASES, self._settings.database)]
            slots, places = await session.rows(_SLOTS), await session.rows(_TABLESPACES)
        finally:
            await session.close()
        unlogged: list[dict[str, Any]] = []
        for database in databases:
            with contextlib.suppress(*NOT_ANSWERING):  # one that is locked, or closed to us, hides the others from nobody
                unlogged += await self._unlogged_in(database)
        unlogged.sort(key=lambda row: (-row["bytes"], row["name"]))
        return Contents.model_validate(
            {
                "unlogged_tables": len(unlogged),
                "unlogged_bytes": sum(row["bytes"] for row in unlogged),
                "largest_unlogged": [row["name"] for row in unlogged[:_NAMED]],
                "slots": slots,
                "outside": [
                    row | {"volatile": goes_with_the_container(row["location"], self._settings.directory)} for row in places
                ],
            }
        )

    async def _unlogged_in(self, database: str) -> list[dict[str, Any]]:
        session = Session(self._settings, database)
        try:
            return await session.rows(_UNLOGGED)
        finally:
            await session.close()
