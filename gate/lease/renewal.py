"""Renews the leadership lease of this member's server when somebody vouches for it (``gate.lease.vouching``).

The API server's answer counts for a leader only once it has renewed the record's Kubernetes Lease: whoever watches that one
knows how long nobody has vouched. Where it cannot be renewed, a peer must vouch, as if the API server had not answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gate.lease.kube import SILENT, ConflictError
from gate.lease.lease import Lease
from gate.lease.vouching import Outside, to_show, vouches
from gate.record import Record


@dataclass(frozen=True)
class Renewal:
    """Of ``member``'s lease."""

    member: str
    lease: Lease
    epoch: Callable[[], int]
    """Returns the highest epoch that this gate has seen."""
    leads: Callable[[], bool]
    """Returns whether the server runs as primary."""
    timeline: Callable[[], int]
    """Returns the timeline of the server, as it said last; 0: it has not."""
    show: Callable[[Record], Awaitable[None]]
    """Renews the record's Kubernetes Lease."""
    log: Callable[..., None]

    def by_a_look(self, asked: float, outside: Outside) -> None:
        """Renew it if what was seen vouches for this member, and nothing more is asked of it."""
        if self._vouched(outside) and to_show(outside, self.member, self.epoch(), leads=self.leads()) is None:
            self.lease.renew(asked)

    async def by_showing_itself(self, asked: float, outside: Outside) -> None:
        """As ``by_a_look``; a leader renews the Kubernetes Lease first."""
        if self._vouched(outside) and (shown := to_show(outside, self.member, self.epoch(), leads=self.leads())) is not None:
            try:
                await self.show(shown)
            except (ConflictError, *SILENT) as error:
                self.log("the Lease is not renewed", why=str(error))
                outside = replace(outside, api_answers=False)
        if self._vouched(outside):
            self.lease.renew(asked)

    def _vouched(self, outside: Outside) -> bool:
        return vouches(outside, self.member, self.epoch(), leads=self.leads(), timeline=self.timeline())
