"""What a gate observes of API server and peers, and when its peers have observed it.

Whoever has vouched for the leader (``gate.lease.vouching``) can tell when: what the API server says to the leader counts
only once the leader has renewed the record's Kubernetes Lease, and each gate keeps when a peer asked it last. So isolation
is known to have begun when that Lease was last seen to change and the peers were last asked
(``activities.postgres.fencing``), and not only when somebody claims.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from gate.api import GateStatus
from gate.lease.kube import SILENT, ApiServer
from gate.lease.lease import now
from gate.lease.peers import Peers
from gate.lease.vouching import Outside
from gate.loop.pause import is_paused
from gate.record import MalformedRecordError, is_older

_HEAR_EVERY_SECONDS = 1.0
_RECENT_SECONDS = 5.0
"""Two looks, one of them at a peer that does not answer."""


class Observer:
    """Looks at API server and peers."""

    def __init__(self, api: ApiServer, peers: Peers, epoch: Callable[[], int], log: Callable[[str, str], None]) -> None:
        """``epoch`` returns the highest that this gate has seen; ``log`` gets a sentence and its reason."""
        self._api, self._peers, self._epoch, self._log = api, peers, epoch, log
        self._heard_at: dict[str, float] = {}
        self._asked_at = dict.fromkeys(peers.names, now())
        self._last: tuple[float, dict[str, GateStatus | None]] = (0.0, {})

    async def look(self, *, ask_peers: bool, to_lead: bool = False) -> Outside:
        """Ask the API server, and the peers if ``ask_peers`` or if it gives no record that this member may go by.

        ``to_lead``: the record's Lease is looked at, too, and before the record: it is never later than its record.
        """
        record, mirror, answers, unreadable = None, None, True, ""
        try:
            mirror = await self._api.mirror() if to_lead else None
            record = await self._api.record()
        except MalformedRecordError as error:
            unreadable = str(error)
            self._log("the leader record cannot be read", unreadable)
        except SILENT as error:
            answers = False
            self._log("the API server does not answer", str(error))
        counts = record is not None and not is_older(record, self._epoch())
        peers = await self._ask_peers() if ask_peers or not counts else {}
        if answers and not counts and not to_lead:
            try:
                mirror = await self._api.mirror()
            except SILENT as error:  # then the peers are all there is
                answers = False
                self._log("the API server does not answer", str(error))
        paused = is_paused(record, datetime.now(UTC))
        return Outside(
            api_answers=answers, record=record, mirror=mirror, peers=peers, paused=paused, unreadable=unreadable
        )  # fmt: skip

    async def hear(self, seen: Callable[[float, Outside], Awaitable[None]]) -> None:
        """Look again and again, for ever, and tell ``seen`` when was asked and what was seen.

        Beside the gate's own looks, which wait while a command is carried out: the lease must not run out meanwhile. And who
        hears whom is evidence when one of them is gone.
        """
        while True:
            asked = now()
            with contextlib.suppress(*SILENT):
                await seen(asked, await self.look(ask_peers=True))
            await asyncio.sleep(_HEAR_EVERY_SECONDS)

    def recent(self) -> dict[str, GateStatus | None]:
        """Return what the peers have answered last; empty when that was too long ago."""
        asked, answers = self._last
        return answers if now() - asked < _RECENT_SECONDS else {}

    def note_question(self, member: str) -> None:
        """Keep that ``member``'s gate has just asked this one how it is; empty: anybody's, an older gate says no name."""
        for name in [member] if member else list(self._asked_at):
            if name in self._asked_at:
                self._asked_at[name] = now()

    @property
    def asked(self) -> dict[str, float]:
        """Peer → seconds since its gate asked this one last; since this gate began, for one that never did."""
        return {name: round(now() - at, 3) for name, at in self._asked_at.items()}

    @property
    def heard(self) -> dict[str, float]:
        """Peer → seconds since it answered last; those that never did are missing."""
        return {name: round(now() - at, 3) for name, at in self._heard_at.items()}

    async def _ask_peers(self) -> dict[str, GateStatus | None]:
        asked = now()
        answers = await self._peers.statuses()
        self._heard_at |= {name: asked for name, status in answers.items() if status is not None}
        self._last = asked, answers
        return answers
