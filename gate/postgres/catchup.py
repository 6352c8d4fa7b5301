"""Lets a standby that is to lead receive what it must have, from its leader or from another standby that has it.

Commits wait for any one of several standbys. So the one that was ahead when the plan was made may be behind by a few records
when the primary stops, and nobody sends it the rest. The rest is WAL of the same timeline, and a standby passes that on as a
primary does: for this once the candidate follows the standby that has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gate.api import GateStatus, Role
from gate.postgres.lsn import parse_lsn
from gate.postgres.sql import Session

_LOOK_AGAIN_SECONDS = 0.005
_ON_ITS_WAY_SECONDS = 0.2
"""After so long without it, others are asked."""
_ASK_AGAIN_SECONDS = 0.2
_WITHIN_SECONDS = 2.0
_FROM_ANOTHER_WITHIN_SECONDS = 5.0


class BehindError(Exception):
    """Nobody has sent it in time; the sentence says what is missing."""


@dataclass(frozen=True)
class CatchUp:
    """Of one standby."""

    received: Callable[[], Awaitable[str]]
    """Returns the LSN up to which it has WAL."""
    receives: Callable[[], Awaitable[bool]]
    """Whether it is connected to somebody who sends WAL."""
    timeline: Callable[[], int | None]
    statuses: Callable[[], Awaitable[Mapping[str, GateStatus | None]]]
    """Asks the peers' gates."""
    follow: Callable[[str], Awaitable[None]]
    """Lets the standby receive WAL from another member."""
    log: Callable[..., None]

    async def to(self, wanted: str, within: float = _WITHIN_SECONDS) -> None:
        """Return once WAL up to ``wanted`` has been received. Follows another standby meanwhile if it must.

        After ``within`` seconds, two at most, nobody is waited for any more.

        Raises:
            BehindError: neither the leader nor another standby has sent it in time.
            gate.postgres.sql.NOT_ANSWERING: the server does not answer.
        """
        clock = asyncio.get_running_loop().time
        began, helper = clock(), ""
        ask_at, deadline = began + _ON_ITS_WAY_SECONDS, began + min(_WITHIN_SECONDS, within)
        while parse_lsn(received := await self.received()) < parse_lsn(wanted):
            if clock() > deadline:
                raise BehindError(f"has received {received}, needs {wanted}" + (f", and {helper} has it" if helper else ""))
            if not helper and clock() > ask_at:
                helper, ask_at = await self._helper(wanted), clock() + _ASK_AGAIN_SECONDS
                if helper:
                    deadline = min(clock() + _FROM_ANOTHER_WITHIN_SECONDS, max(began + within, deadline))
                    self.log("receives what it lacks from another standby", follows=helper, wanted=wanted, has=received)
                    await self.follow(helper)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def while_it_comes(self, wanted: str) -> str:
        """Wait for WAL up to ``wanted`` while more keeps coming; return what is missing in the end, empty when nothing is.

        From nobody nothing comes. What was received is on disk before its receiver ends, so one more look tells.

        Raises:
            gate.postgres.sql.NOT_ANSWERING: the server does not answer.
        """
        clock = asyncio.get_running_loop().time
        received, came_at, deadline, alone = "0/0", clock(), clock() + _WITHIN_SECONDS, False
        while parse_lsn(now := await self.received()) < parse_lsn(wanted):
            if alone:
                return f"{now} to {wanted}"
            alone = not await self.receives()
            if now != received:
                received, came_at = now, clock()
            if clock() > min(came_at + _ON_ITS_WAY_SECONDS, deadline):
                return f"{now} to {wanted}"
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return ""

    async def _helper(self, wanted: str) -> str:
        """Return a standby on this server's timeline that has ``wanted``; empty when there is none."""
        timeline, statuses = self.timeline(), (await self.statuses()).values()
        return next((one.member for one in statuses if one is not None and _has(one, wanted, timeline)), "")


async def received_lsn(session: Session) -> str:
    """Return the LSN up to which the server has received or replayed WAL."""
    row = await session.row("select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0')::text as lsn")
    return str(row["lsn"])


async def receives_wal(session: Session) -> bool:
    """Whether a WAL receiver of the server is there."""
    return bool((await session.row("select exists (select from pg_stat_wal_receiver) as yes"))["yes"])


def _has(status: GateStatus, wanted: str, timeline: int | None) -> bool:
    if status.role is not Role.STANDBY or status.timeline != timeline or status.receive_lsn is None:
        return False
    return parse_lsn(status.receive_lsn) >= parse_lsn(wanted)
