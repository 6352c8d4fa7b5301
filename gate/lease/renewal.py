"""Renews the leadership lease of this member's server when somebody vouches for it (``gate.loop.observation``).

The API server's word counts for a leader only once it has renewed the record's Lease: whoever watches that Lease knows how
long nobody has vouched. Where it cannot be renewed, a peer must vouch, as if the API server had not answered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gate.lease.kube import SILENT, ConflictError
from gate.loop.decide import Outside
from gate.loop.observation import must_show_itself, vouches

if TYPE_CHECKING:
    from gate.loop.core import Gate


class Renewal:
    """Of one lease."""

    def __init__(self, gate: Gate) -> None:
        """Renew the lease of ``gate``."""
        self._gate = gate

    def by_a_look(self, asked: float, outside: Outside) -> None:
        """Renew it if what was seen vouches for this member, and nothing more is asked of it."""
        if self._vouched(outside) and not must_show_itself(outside, self._gate.settings.member):
            self._gate.lease.renew(asked)

    async def by_showing_itself(self, asked: float, outside: Outside) -> None:
        """As ``by_a_look``; a leader renews the Lease first."""
        gate = self._gate
        if self._vouched(outside) and must_show_itself(outside, gate.settings.member) and outside.record is not None:
            try:
                await gate.api.renew(outside.record)
            except (ConflictError, *SILENT) as error:
                gate.log("the Lease is not renewed", why=str(error))
                outside = replace(outside, api_answers=False)
        if self._vouched(outside):
            gate.lease.renew(asked)

    def _vouched(self, outside: Outside) -> bool:
        return vouches(outside, self._gate.settings.member, self._gate.store.state.epoch)
