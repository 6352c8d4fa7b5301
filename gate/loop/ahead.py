"""Standbys that have WAL which their leader has never written: its disk was set back, and its rows are on them only.

Once the leader has written past such a standby, nothing in their positions shows it any more, and the standby confirms
what it can never replay. So it is remembered, on disk, until a copy has been taken while it was away, or somebody else
leads.
"""

from __future__ import annotations

import contextlib
from typing import Any

from gate.loop.state import Store

COPYING = "pg_basebackup"
"""What a member calls itself while it copies its leader. A base backup streams WAL and reports it as flushed: under the
member's own name commits would wait for it as for a synchronous standby, and the record would say that a directory has
everything which is not there yet."""


class Ahead:
    """Of one leader."""

    def __init__(self, store: Store, peers: tuple[str, ...]) -> None:
        self._store, self._peers = store, peers

    def mark(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of standbys, without those of copies; ``ahead``: it is, or was and was not copied since."""
        copying = any(row["member"] == COPYING for row in rows)
        standbys = [row for row in rows if row["member"] != COPYING]
        there = {row["member"] for row in standbys}
        known = {name for name in self._store.state.ahead.split(",") if name in there or (name and not copying)}
        known |= {row["member"] for row in standbys if row["ahead"] and row["member"] in self._peers}
        with contextlib.suppress(OSError):  # a full disk forgets it with the gate's end
            self._store.write(ahead=",".join(sorted(known)))
        return [row | {"ahead": row["member"] in known} for row in standbys]
