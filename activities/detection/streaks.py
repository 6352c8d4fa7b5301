"""What a witness makes of one look after another: what is down, what is up again, and for how long.

A subject is down once its trouble has lasted for the patience of its condition. It is well again once it has been up for
long enough: one answer ends a silence, a server that was down must be up for 2 s, and one that has failed repeatedly for
``watch.steady_after``. Between the two it is *recovering*: it is neither down nor well, and it is down again at once.

That what was taken out of service can be put in again is counted the same way, and one bad look begins the count anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from activities.detection.models import Condition, Failures, Finding, Look, Sighting
from estate.watching import Watching

_RECOVERED_SECONDS = 2.0
"""After a first failure: a server that crashes in a loop is up for moments."""
_REPEATED_WITHIN = timedelta(minutes=10)
"""Kubernetes, too, forgets the back-off of a container that has run for so long."""
_REPEATED = 2
_REMEMBERED = 5


@dataclass(frozen=True)
class Judged:
    """What is not well after a look."""

    findings: tuple[Finding, ...] = ()
    """Down for long enough."""
    recovering: tuple[Finding, ...] = ()
    """Was said to be down, and is up for too short a time."""
    undecided: tuple[str, ...] = ()
    """In trouble for too short a time."""


@dataclass(frozen=True)
class _Streak:
    finding: Finding
    began: float
    """Monotonic, as ``seen``."""
    at: datetime
    seen: float
    """When the last look began that found it."""
    said: bool = False
    """Whether it has lasted long enough to be said."""
    up: bool = False
    """Whether the last look did not find it."""
    counted: bool = False
    """Whether it is among the failures."""


class Streaks:
    """Since when each subject has been in trouble, moments without trouble included."""

    def __init__(self, limits: Watching, told: Sighting | None = None, *, of_old: bool = False) -> None:
        """Judge by ``limits``; what was ``told`` before has lasted for long enough already, unless that is ``of_old``."""
        self._patience = {
            Condition.STOPPED: limits.stopped_after.total_seconds(),
            Condition.REFUSED: limits.refused_after.total_seconds(),
            Condition.SILENT: limits.silent_after.total_seconds(),
            Condition.RETURNED: limits.returned_after.total_seconds(),
        }
        self._steady = limits.steady_after.total_seconds()
        self._failures = {one.subject: one.at for one in told.failures} if told else {}
        self._streaks: dict[str, _Streak] = {}
        for one in told.findings if told and not of_old else ():
            self._remember(one, up=False)
        for one in told.recovering if told else ():
            self._remember(one, up=True)

    def _remember(self, said: Finding, *, up: bool) -> None:
        now = time.monotonic()
        began, at = now - self._patience[said.condition], said.since or datetime.now(UTC)
        counted = said.condition is not Condition.RETURNED
        self._streaks[said.subject] = _Streak(said, began, at, now, said=True, up=up, counted=counted)

    @property
    def going_on(self) -> tuple[str, ...]:
        """Who is in trouble, for however short a time."""
        return tuple(sorted(self._streaks))

    @property
    def failures(self) -> tuple[Failures, ...]:
        """When each subject has failed of late."""
        return tuple(Failures(subject=name, at=at) for name, at in sorted(self._failures.items()))

    def judge(self, look: Look, asked: float, at: datetime) -> Judged:
        """Return what is not well now; ``asked`` (monotonic) and ``at``: the look began."""
        found = {finding.subject: finding for finding in look.findings}
        self._forget_old_failures(at)
        before, self._streaks = self._streaks, {}
        for name, streak in before.items():
            if name not in found and asked - streak.seen <= self._up_for(streak):
                self._streaks[name] = replace(streak, up=True)
        for name, finding in found.items():
            self._streaks[name] = self._found(finding, before.get(name), asked, at)
        return Judged(
            findings=tuple(one for _, one in self._chosen(said=True, up=False)),
            recovering=tuple(one for _, one in self._chosen(said=True, up=True)),
            undecided=tuple(name for name, _ in self._chosen(said=False)),
        )

    def _chosen(self, *, said: bool, up: bool | None = None) -> list[tuple[str, Finding]]:
        chosen = [
            (name, one.finding.model_copy(update={"since": one.at}))
            for name, one in self._streaks.items()
            if one.said is said and up in {None, one.up}
        ]
        return sorted(chosen, key=lambda one: one[0])

    def _up_for(self, streak: _Streak) -> float:
        """Return how long a subject must be up before its trouble is over; negative: one look is enough."""
        if streak.finding.condition is Condition.RETURNED:
            return -1.0
        if streak.said and len(self._failures.get(streak.finding.subject, ())) >= _REPEATED:
            return self._steady
        return -1.0 if streak.finding.condition is Condition.SILENT else min(_RECOVERED_SECONDS, self._steady)

    def _found(self, finding: Finding, before: _Streak | None, asked: float, at: datetime) -> _Streak:
        """Return the streak of what this look has found in trouble."""
        if before is None or _is_another(before, finding):
            known = before is not None and before.counted and finding.condition is not Condition.RETURNED
            streak = _Streak(finding, asked, at, asked, counted=known)
        else:
            fails_again = before.up and finding.condition is not Condition.SILENT
            streak = replace(before, finding=finding, seen=asked, up=False, counted=before.counted and not fails_again)
        lasted = time.monotonic() - streak.began >= self._patience[finding.condition]
        streak = replace(streak, said=streak.said or lasted)
        fails = finding.condition is not Condition.RETURNED and (streak.said or finding.condition is not Condition.SILENT)
        if fails and not streak.counted:
            self._failures[finding.subject] = (*self._failures.get(finding.subject, ()), at)[-_REMEMBERED:]
            streak = replace(streak, counted=True)
        return streak

    def _forget_old_failures(self, now: datetime) -> None:
        recent = {name: tuple(one for one in at if now - one <= _REPEATED_WITHIN) for name, at in self._failures.items()}
        self._failures = {name: at for name, at in recent.items() if at}


def _is_another(before: _Streak, finding: Finding) -> bool:
    """Whether what is found now is another fault; what was said to be down stays down in whatever way."""
    now, then = finding.condition, before.finding.condition
    return now is not then and (not before.said or Condition.RETURNED in {now, then})
