"""A clean stop that no consumer of WAL can hold up.

A server that is asked to stop waits until every consumer of its WAL has confirmed the last record: standbys, but also a
backup, a subscriber or whatever else streams from it. One that answers and never confirms keeps the server stopping for
ever, and nobody can write meanwhile. Only those whose word counts are waited for: the candidate of the switch, or the
members. The others get a moment to receive the end, and are ended then; they go on with the new primary.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from gate.postgres.processes import children_of
from gate.postgres.server import Server
from gate.postgres.sql import NOT_ANSWERING, Session

_MOMENT_SECONDS = 0.3
"""A consumer that is alive has received and confirmed the last record long before."""
_END_AGAIN_SECONDS = 0.1
"""One that is asked to end may hang once more, telling its client so: the second time it goes."""
_ASK_WITHIN_SECONDS = 0.3
_CONSUMERS = "select pid, application_name as name from pg_stat_replication"


class CleanStop:
    """Of one member's server."""

    def __init__(self, server: Server, session: Session, log: Callable[..., None]) -> None:
        """Ask by ``session`` who streams; say by ``log`` who was ended."""
        self._server, self._session, self._log = server, session, log
        self._others: dict[int, str] = {}
        """Process and name of each consumer that is not waited for, as of the last answer: a server that stops has none."""
        self._told: set[int] = set()

    async def stop(self, wait_for: tuple[str, ...], *, within: float, in_vain: Callable[[], bool] = lambda: False) -> bool:
        """Stop the server, fast; of its consumers wait for those named ``wait_for``. Return whether it is down.

        Safe to repeat. Never kills the server: one that does not stop ``within`` seconds goes on stopping. It is no longer
        waited for once that would be ``in_vain``.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + within
        await self._look(wait_for)
        stopped = await self._server.stop(within=min(_MOMENT_SECONDS, within))
        while not stopped and clock() < deadline and not in_vain():
            self._end_others()
            stopped = await self._server.stop(within=min(_END_AGAIN_SECONDS, max(deadline - clock(), 0)))
        return stopped

    async def _look(self, wait_for: tuple[str, ...]) -> None:
        if self._server.serves:
            with contextlib.suppress(*NOT_ANSWERING):
                rows = await self._session.rows(_CONSUMERS, within=_ASK_WITHIN_SECONDS)
                self._others = {row["pid"]: row["name"] for row in rows if row["name"] not in wait_for}

    def _end_others(self) -> None:
        """End those that still run as processes of this server."""
        living = set(children_of(self._server.pid)) if self._server.pid is not None else set()
        for pid in living & set(self._others):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                if pid not in self._told:
                    self._log("ends a consumer of WAL that holds up the stop", consumer=self._others[pid])
                self._told.add(pid)
