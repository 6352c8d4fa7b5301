"""Work for which the server is stopped: rewinding its directory, or copying another member's.

It may take hours, so it runs outside the lock that serialises decisions and commands. Nothing is decided until it is done; a
command that needs the server is refused meanwhile, ``revoke`` is still answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from gate.api import GateStatus, Role
from gate.lease.peers import Peers
from gate.lease.vouching import Outside
from gate.loop import rejoin
from gate.loop.situation import Action, Decision
from gate.postgres.controldata import ControlFile
from gate.record import Record
from gate.settings import Settings

_RESTS_SECONDS, _RESTS_LONGEST = 1.0, 5.0
"""Between attempts, twice as long each time: what has just failed rarely succeeds at once, and every attempt asks something
of the leader."""


class Work:
    """At most one at a time."""

    def __init__(
        self, settings: Settings, peers: Peers, control: ControlFile, say: Callable[[str], None], wake: Callable[[], None]
    ) -> None:
        """``wake`` is called whenever work is done."""
        self._settings, self._peers, self._control, self._say, self._wake = settings, peers, control, say, wake
        self._task: asyncio.Task[None] | None = None
        self._rests_seconds, self._rests_until = _RESTS_SECONDS, 0.0

    @property
    def is_going_on(self) -> bool:
        """Whether the directory is being rewound or copied."""
        return self._task is not None and not self._task.done()

    @property
    def rests(self) -> bool:
        """Whether work has just failed, and is not to be tried again yet."""
        return time.monotonic() < self._rests_until

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work``; the loop looks again when it is done."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(lambda _: self._wake())

    def collect(self) -> None:
        """Say how the last work failed, if it did; it is decided anew whether to try again."""
        task, self._task = self._task, None
        if task is None or task.cancelled():
            return
        if task.exception() is None:
            self._rests_seconds = _RESTS_SECONDS
            return
        self._rests_until = time.monotonic() + self._rests_seconds
        self._rests_seconds = min(2 * self._rests_seconds, _RESTS_LONGEST)
        self._say(f"rejoin failed; tries again: {task.exception()}")

    async def become_standby(self, decision: Decision, outside: Outside, record: Record) -> None:
        """Make a standby of the leader that ``decision`` names out of this directory."""
        if decision.action is Action.BASE_BACKUP and self._settings.data.exists():
            return
        leader = outside.peers.get(decision.leader)
        if leader is None or leader.role is not Role.PRIMARY:
            self._say(f"waits for {decision.leader} to lead before following it")
            await asyncio.sleep(0.1)
            return
        await (self.copy_anew(leader) if decision.action is Action.BASE_BACKUP else self.rewind(leader, record.epoch))

    async def rewind(self, leader: GateStatus, epoch: int) -> None:
        """Rewind this member's directory to ``leader``'s history, or copy it anew; the server is stopped."""
        await self._control.refresh()
        await rejoin.rejoin(self._settings, self._peers, leader, epoch, self._say)
        await self._control.refresh()

    async def copy_anew(self, leader: GateStatus) -> None:
        """Replace this member's directory by a copy of ``leader``; the server is stopped."""
        await rejoin.base_backup(self._settings, self._peers, leader, self._say)
        await self._control.refresh()
