"""Standbys that are connected and dead: their machine has lost power, or is cut off, and TCP has not noticed.

PostgreSQL waits ``wal_sender_timeout`` (10 s) for them, and commits wait meanwhile. Two things together show it sooner: WAL
was sent that the standby does not confirm, and its machine takes no connection, or its gate answers nobody. A kernel takes
connections however busy its programs are, so the machine is given up sooner than the gate. A standby that is only slow has
a gate that answers, and one that nobody writes to need not answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gate.api import Follower

_EVERY_SECONDS = 0.1
_UNCONFIRMED_SECONDS = 0.3
"""So long nothing of what was sent has come back; the sampler looks every 0.2 s. Its machine is asked then,"""
_LONG_UNCONFIRMED_SECONDS = 0.7
"""and after this its gate."""
_GATE_SILENT_SECONDS = 1.0
"""So long its gate is asked then. Less would take a busy machine for dead, and commits would wait for nobody."""


@dataclass
class _Seen:
    flushed: str | None
    since: float
    """When the first look was that saw WAL on its way and nothing more confirmed."""


class SilentStandbys:
    """Of one primary."""

    def __init__(
        self,
        followers: Callable[[], tuple[Follower, ...]],
        answers: Callable[[str], Awaitable[bool]],
        is_there: Callable[[str], Awaitable[bool]],
        sampled_at: Callable[[], float] = time.monotonic,
    ) -> None:
        """``followers`` returns what the server said last, and ``sampled_at`` when: old words show no silence.

        ``answers`` asks a member's gate, ``is_there`` its machine.
        """
        self._followers, self._answers, self._is_there, self._sampled_at = followers, answers, is_there, sampled_at
        self._seen: dict[str, _Seen] = {}
        self._names: frozenset[str] = frozenset()

    @property
    def seconds(self) -> dict[str, float]:
        """Silent standby → for how long it has confirmed nothing."""
        now = time.monotonic()
        return {name: now - seen.since for name, seen in self._seen.items() if name in self._names}

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """Look once; ask those that do not confirm."""
        suspects = self.suspects()
        self._names &= suspects
        asked = [name for name in suspects if name not in self._names]
        silent = await asyncio.gather(*(self._is_silent(name) for name in asked))
        still = self.suspects()
        self._names |= {name for name, is_silent in zip(asked, silent, strict=True) if is_silent and name in still}

    def suspects(self) -> frozenset[str]:
        """Return who has confirmed nothing for a while of what was sent."""
        now = self._sampled_at()
        rows = {row.member: row for row in self._followers() if row.state == "streaming" and row.sent_lsn != row.flush_lsn}
        kept = {name: seen for name, seen in self._seen.items() if name in rows and rows[name].flush_lsn == seen.flushed}
        self._seen = {name: kept.get(name) or _Seen(row.flush_lsn, now) for name, row in rows.items()}
        return frozenset(name for name, seen in self._seen.items() if now - seen.since >= _UNCONFIRMED_SECONDS)

    async def _is_silent(self, name: str) -> bool:
        if not (await self._is_there(name) or await self._is_there(name)):
            return True
        if self._unconfirmed(name) < _LONG_UNCONFIRMED_SECONDS:
            return False
        try:
            async with asyncio.timeout(_GATE_SILENT_SECONDS):
                return not await self._answers(name)
        except TimeoutError:
            return True

    def _unconfirmed(self, name: str) -> float:
        seen = self._seen.get(name)
        return 0.0 if seen is None else self._sampled_at() - seen.since
