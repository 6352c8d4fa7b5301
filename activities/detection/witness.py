"""A witness: looks at a target several times a second, and speaks only when it has something new to say.

One step lasts for minutes and comes back when the witness changes its mind: that keeps a watch's history small, and costs
no detour through Temporal between a fault and the word about it. A witness that has itself been frozen for a moment forgets
what it had counted; what it cannot see it does not guess (``blind``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from temporalio import activity

from activities.detection.models import Condition, Finding, Look, Sighting, WatchedTarget, WatchRequest
from estate.watching import Watching

_SLEPT_SECONDS = 4.0
"""A look takes three seconds at most; a gap that is longer than that means that this process did not run."""


_RECOVERED_SECONDS = 2.0
"""A server that crashes in a loop is up for moments; only one that has been up for so long is healthy again."""


class Eye(Protocol):
    """Looks at one target."""

    async def look(self) -> Look:
        """Return what is wrong now. Never raises for what it looks at; takes three seconds at most."""


@dataclass(frozen=True)
class _Streak:
    condition: Condition
    began: float
    """Monotonic, as ``seen``."""
    at: datetime
    seen: float
    """When the last look began that found it."""

    def goes_on(self, now: float) -> bool:
        """Whether it outlives a look that finds nothing: silence does not, since any answer proves life."""
        return self.condition is not Condition.SILENT and now - self.seen <= _RECOVERED_SECONDS


class Streaks:
    """Since when each subject has been in trouble, moments without trouble included."""

    def __init__(self, limits: Watching, told: tuple[Finding, ...] = ()) -> None:
        """Judge by ``limits``; what was ``told`` before has lasted for long enough already."""
        self._limits = {
            Condition.STOPPED: limits.stopped_after.total_seconds(),
            Condition.REFUSED: limits.refused_after.total_seconds(),
            Condition.SILENT: limits.silent_after.total_seconds(),
        }
        now = time.monotonic()
        self._streaks = {
            one.subject: _Streak(one.condition, now - self._limits[one.condition], one.since or datetime.now(UTC), now)
            for one in told
        }

    @property
    def going_on(self) -> tuple[str, ...]:
        """Who is in trouble, for however short a time."""
        return tuple(sorted(self._streaks))

    def forget(self) -> None:
        """Begin anew."""
        self._streaks.clear()

    def judge(self, look: Look, asked: float, at: datetime) -> tuple[Finding, ...]:
        """Return what is in trouble now, and has been for long enough; ``asked`` (monotonic) and ``at``: the look began."""
        found = {finding.subject: finding for finding in look.findings}
        lasting = {name: one for name, one in self._streaks.items() if one.goes_on(asked)}
        self._streaks = lasting | {name: self._went_on(name, one.condition, asked, at) for name, one in found.items()}
        now = time.monotonic()
        return tuple(
            finding.model_copy(update={"since": self._streaks[name].at})
            for name, finding in sorted(found.items())
            if now - self._streaks[name].began >= self._limits[finding.condition]
        )

    def _went_on(self, name: str, condition: Condition, asked: float, at: datetime) -> _Streak:
        before = self._streaks.get(name)
        if before is None:
            return _Streak(condition, asked, at, asked)
        if before.condition is condition:
            return replace(before, seen=asked)
        if before.seen - before.began >= self._limits[before.condition]:  # it was gone, and is so in another way
            return _Streak(condition, asked - self._limits[condition], before.at, asked)
        return _Streak(condition, asked, at, asked)


class WitnessActivities:
    """What a witness does."""

    def __init__(self, eye_of: Callable[[WatchedTarget], Eye]) -> None:
        """Look with the eye that ``eye_of`` gives for a target."""
        self._eye_of = eye_of

    @activity.defn(name="watch.look")
    async def look(self, request: WatchRequest) -> Sighting:
        """Return once there is something new to say, or time is up and nothing new is the matter. Changes nothing."""
        watching = request.target.watching
        eye, pause = self._eye_of(request.target), watching.interval.total_seconds()
        streaks = Streaks(watching, request.told.findings if request.told else ())
        ends, woke = time.monotonic() + request.lasts.total_seconds(), time.monotonic()
        while True:
            asked, at = time.monotonic(), datetime.now(UTC)
            look = await eye.look()
            if asked - woke > pause + _SLEPT_SECONDS or time.monotonic() - asked > _SLEPT_SECONDS:
                streaks.forget()
                look = Look()
            woke = time.monotonic()
            findings = () if look.blind else streaks.judge(look, asked, at)
            said = Sighting(witness=request.witness, at=datetime.now(UTC), findings=findings, blind=look.blind)
            told = set(request.told.down) if request.told else set()
            if _is_news(said, request.told) or (woke > ends and told.issuperset(streaks.going_on)):
                return said
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - asked)))


def _is_news(said: Sighting, before: Sighting | None) -> bool:
    return before is None or said.down != before.down or bool(said.blind) != bool(before.blind)
