"""Whether, and after how long, silence proves that a primary's own watchdog has killed it.

Estate and gates each have a list of members and a time of their own. A gate that knows a member which the estate does not
list may be vouched for by it for ever: nobody tells that member of a claim. And a watchdog that waits longer than the estate
believes lets two write. So what the gates say counts, where it asks for more.
"""

from __future__ import annotations

from datetime import timedelta

from activities.postgres.models.transfer import Switch
from estate.postgres import PostgresTarget, ProofKind
from gate.api import GateStatus
from gate.record import NO_SYNC

_MARGIN = timedelta(seconds=0.25)
"""The watchdog looks every 50 ms and kills; this is five times that."""


def unlisted(target: PostgresTarget, gate: GateStatus) -> set[str]:
    """Return the members that ``gate`` knows and the estate does not list."""
    return {*gate.members, *gate.asked} - {*target.cluster.members}


def is_accepted(target: PostgresTarget, sync: str) -> bool:
    """Whether silence for long enough is a proof here.

    Not while commits wait for no standby: a machine that was paused may find that its clock stood still, and its primary
    would go on to commit alone.
    """
    return ProofKind.ISOLATION in target.cluster.forced.proof and sync != NO_SYNC


class Isolation:
    """What the gates that were told of a claim say of it."""

    def __init__(self, switch: Switch) -> None:
        """Nobody has said anything yet."""
        self._target, self._accepted = switch.target, is_accepted(switch.target, switch.plan.sync)
        self.timeout = switch.target.cluster.forced.isolation_timeout
        """The longest that anybody says."""
        self._unlisted: set[str] = set()

    def hear(self, gate: GateStatus) -> None:
        """Take in what a gate says."""
        self.timeout = max(self.timeout, timedelta(seconds=gate.isolation_seconds or 0))
        self._unlisted |= unlisted(self._target, gate)

    def proves(self, silent_seconds: float) -> bool:
        """Whether so long a silence is a proof."""
        return self._accepted and not self._unlisted and silent_seconds > (self.timeout + _MARGIN).total_seconds()
