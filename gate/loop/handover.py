"""A leader whose pod is asked to end hands over first.

Its status says so (``hands_over``) to the detection that looks at it. That begins a planned failover, as a person would; the
gate waits until the record names another member. Writes stop for as long as a planned failover takes, and not until the pod
is back. Nothing here moves anybody. Without a detection that would begin a failover nobody is waited for, and if it comes
to nothing within ``hand_over_within`` the server is stopped as before.

A switch that has been claimed meanwhile is waited for beyond that time: whoever undoes it gives the writes back to this
member.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from gate.api import Role
from gate.loop.pause import is_paused
from gate.loop.situation import Action, Decision, Sample
from gate.record import is_older

_LOOKS_EVERY_SECONDS = 3.0
"""A watch looks several times a second; one that has not looked for so long is not there."""
_CLAIMED_SECONDS = 30.0
"""A planned failover moves or gives back within seconds (``thresholds.outage_budget``)."""
_AGAIN_SECONDS = 0.05
_FOLLOWS = {Action.START_STANDBY, Action.REJOIN, Action.BASE_BACKUP}


class HandOver:
    """Of one gate."""

    def __init__(self, within: float, sample: Callable[[], Sample], log: Callable[..., None]) -> None:
        """Wait for at most ``within`` seconds; ``sample`` returns what the gate knows."""
        self._within, self._sample, self._log = within, sample, log
        self._asked = self._waits = self._hurried = False
        self._looked_at: float | None = None

    def note_look(self) -> None:
        """Keep that a watch has looked that would begin a planned failover."""
        self._looked_at = time.monotonic()

    def hurry(self) -> None:
        """Wait for nobody: it was asked to end once more."""
        self._hurried = self._asked

    def is_wanted(self, sample: Sample) -> bool:
        """Whether another member should lead now: one that has everything could."""
        return self._waits and _leads(sample) and sample.record is not None and bool(sample.record.sync_members)

    def leaves(self, decision: Decision) -> bool:
        """Whether ``decision`` would have a member follow that is about to end."""
        return self._asked and decision.action in _FOLLOWS

    async def wait(self) -> None:
        """Return once another member leads, or nobody is to be waited for any more."""
        self._asked = True
        if why := self._in_vain():
            self._log(f"hands nothing over: {why}")
            return
        self._log("asked to end while it leads: waits until another member does", at_most_seconds=self._within)
        began, self._waits = time.monotonic(), True
        while self._waits:
            if over := self._over(time.monotonic() - began):
                self._log(over, seconds=round(time.monotonic() - began, 2))
                self._waits = False
            await asyncio.sleep(_AGAIN_SECONDS)

    def _in_vain(self) -> str:
        """Return why nobody is waited for; empty when somebody may take over."""
        sample = self._sample()
        if not _leads(sample):
            return "it does not lead"
        if self._within <= 0 or len(sample.members) == 1:
            return "there is nobody to hand over to" if self._within > 0 else "GATE_HAND_OVER_WITHIN is 0"
        if is_paused(sample.record, datetime.now(UTC)):
            return "automatic actions are paused"
        if self._looked_at is None or time.monotonic() - self._looked_at > _LOOKS_EVERY_SECONDS:
            return "no detection looks at it that would begin a planned failover"
        return ""

    def _over(self, waited: float) -> str:
        """Return why it waits no longer; empty while it does."""
        sample = self._sample()
        record, is_fenced = sample.record, sample.state.fenced_at is not None  # before it has read who has claimed
        claimed = is_fenced or (record is not None and record.intent is not None)
        if not claimed and record is not None and record.leader != sample.member:
            return f"{record.leader} leads now"
        if self._hurried or waited > self._within + (_CLAIMED_SECONDS if claimed else 0):
            return "nobody has taken over"
        return ""


def _leads(sample: Sample) -> bool:
    record = sample.record
    named = record is not None and record.leader == sample.member and not is_older(record, sample.state.epoch)
    return named and sample.facts.role is Role.PRIMARY
