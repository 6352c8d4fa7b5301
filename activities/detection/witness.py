"""A witness: looks at a target several times a second, and speaks only when it has something new to say.

One step lasts for minutes and comes back when the witness changes its mind: that keeps a watch's history small, and costs
no detour through Temporal between a fault and the word about it. What a witness cannot see it does not guess: it is
*blind*, keeps what it said last, and goes on from there when it sees again. One that has itself been frozen for a moment is
blind for that moment, and forgets what it had counted. ``activities.detection.streaks`` says what is down and what is well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from temporalio import activity

from activities.detection.models import Look, Sighting, WatchedTarget, WatchRequest
from activities.detection.streaks import Judged, Streaks
from activities.run.polling import sleep

_SLEPT_SECONDS = 4.0
"""A look takes three seconds at most; a gap that is longer than that means that this process did not run."""

_GOES_ON_WITHIN = timedelta(minutes=1)
"""A worker that is replaced is back by then."""


class Eye(Protocol):
    """Looks at one target."""

    async def look(self) -> Look:
        """Return what is wrong now. Never raises for what it looks at; takes three seconds at most."""


class WitnessActivities:
    """What a witness does."""

    def __init__(self, eye_of: Callable[[WatchedTarget], Eye]) -> None:
        """Look with the eye that ``eye_of`` gives for a target."""
        self._eye_of = eye_of

    @activity.defn(name="watch.look")
    async def look(self, request: WatchRequest) -> Sighting:
        """Return once there is something new to say, or time is up and nothing new is the matter. Changes nothing."""
        watching, told = request.target.watching, request.told
        eye, pause = self._eye_of(request.target), watching.interval.total_seconds()
        streaks = Streaks(watching, told, of_old=_is_of_old(request))
        ends, woke = time.monotonic() + request.lasts.total_seconds(), time.monotonic()
        while True:
            asked, at = time.monotonic(), datetime.now(UTC)
            look = await eye.look()
            slept = max(asked - woke - pause, time.monotonic() - asked)
            if slept > _SLEPT_SECONDS:
                streaks = Streaks(watching, told, of_old=_is_of_old(request))
                look = Look(blind=f"this witness did not run for {slept:.1f} s")
            woke = time.monotonic()
            said = (
                _blind(request, look.blind)
                if look.blind
                else _seen(request, streaks, streaks.judge(look, asked, at), look.leaving)
            )
            if _is_news(said, request) or (woke > ends and told and {*told.not_well}.issuperset(streaks.going_on)):
                return said
            await sleep(max(0.0, pause - (time.monotonic() - asked)))


def _is_of_old(request: WatchRequest) -> bool:
    """Whether what it said last is from before so long a silence that trouble now is another trouble."""
    return request.silent_since is not None and datetime.now(UTC) - request.silent_since > _GOES_ON_WITHIN


def _blind(request: WatchRequest, why: str) -> Sighting:
    """Return that the witness cannot see; what it said last is kept, and is no vote meanwhile."""
    kept = request.told or Sighting(witness=request.witness, at=datetime.now(UTC))
    return kept.model_copy(update={"witness": request.witness, "at": datetime.now(UTC), "blind": why, "leaving": ()})


def _seen(request: WatchRequest, streaks: Streaks, judged: Judged, leaving: tuple[str, ...]) -> Sighting:
    """Return what the witness sees. Trouble that begins under its eyes is said once it has lasted."""
    told = request.told
    unclear = told is None or told.blind or not request.heard
    return Sighting(
        witness=request.witness,
        at=datetime.now(UTC),
        findings=judged.findings,
        recovering=judged.recovering,
        undecided=tuple(name for name in judged.undecided if unclear or (told and name in told.undecided)),
        leaving=leaving,
        failures=streaks.failures,
    )


def _is_news(said: Sighting, request: WatchRequest) -> bool:
    before = request.told
    if before is None or not request.heard or bool(said.blind) != bool(before.blind):
        return True
    return _told(said) != _told(before)


def _told(said: Sighting) -> tuple[tuple[str, ...], ...]:
    return said.down, said.not_well, said.leaving, said.returned
