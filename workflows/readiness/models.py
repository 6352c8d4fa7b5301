"""What a readiness pass finds, and what is carried from one pass to the next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from activities.run.models.wire import Wire

READINESS_ID = "readiness"
"""Workflow ID of the one run that checks."""
READINESS_MEMO = "readiness"
"""Name of the memo that says how everything stands; it can be read without any worker."""
UNHURRIED = timedelta(seconds=10)
"""How long a worker may think about one step of it: nobody waits for it, and a busy worker is not to begin anew."""
LATE = timedelta(minutes=10)
"""So long after the next pass was due, what is known is too old to count."""
_IN_MEMO, _LONGEST_IN_MEMO = 100, 300


class Readiness(StrEnum):
    """Whether a procedure could be started for a target."""

    READY = "ready"
    WARNING = "warning"
    """It could, and something should be mended before it is needed."""
    BLOCKED = "blocked"
    """It would be refused."""
    UNKNOWN = "unknown"
    """Nobody could look: never taken for ready."""


class _Carried(Wire):
    """Goes on from one history, and version, to the next."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Reason(_Carried):
    """Why something is not simply ready, or why a refusal is none here."""

    refusal: str = ""
    """``Refusal`` value; empty: no refusal."""
    message: str
    """One sentence, with a name or a number."""


class Case(_Carried):
    """One procedure for one target, in one of its modes."""

    procedure: str
    target: str
    """Its lock: ``postgres/orders``."""
    variant: str = ""
    """Mode, or ``to REGION``; empty: the procedure has only one."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a person may call its target: ``orders`` and ``postgres/orders``."""
        return self.target, self.target.partition("/")[2]


class Check(Case):
    """A case and how it stands."""

    readiness: Readiness
    reasons: tuple[Reason, ...] = ()
    since: datetime
    """Since when it is ``readiness``, whatever the reason."""

    @property
    def case(self) -> tuple[str, str, str]:
        """Which one it is."""
        return self.procedure, self.target, self.variant

    @property
    def kinds(self) -> tuple[str, ...]:
        """How it stands without drifting numbers: readiness and refusals."""
        return self.readiness.value, *(one.refusal for one in self.reasons)


class Change(Case):
    """A case that has come to stand otherwise."""

    at: datetime
    before: Readiness
    after: Readiness
    message: str = ""


class ReadinessStatus(_Carried):
    """Answer of the query ``readiness``. The memo has the same, but only of what is not ready, and no ``changes``."""

    shown: ClassVar[bool] = True

    checked_at: datetime | None = None
    """When the last pass ended; ``None``: none has ended yet."""
    took_seconds: float = 0.0
    next_at: datetime | None = None
    """When the next pass begins, unless somebody asks for one before."""
    passes: int = 0
    """How many have ended, whether they could be made or not."""
    unknown: str = ""
    """Why nothing is known: the last pass could not be made, or is too long ago. Empty: something is known."""
    unknown_since: datetime | None = None
    counts: dict[str, int] = Field(default={})
    """``Readiness`` value → how many cases, those included that are not listed."""
    checks: tuple[Check, ...] = ()
    """Worst first."""
    changes: tuple[Change, ...] = ()
    """What has changed, newest first; the last 200."""

    def of(self, target: str) -> tuple[Check, ...]:
        """Return the checks of a target that a person has named."""
        return tuple(one for one in self.checks if target in one.names)

    def as_of(self, now: datetime, why: str = "no pass has ended since") -> ReadinessStatus:
        """Return what of it still counts at ``now``: after ``LATE`` nothing is known any more."""
        if self.checked_at is None or self.next_at is None or now <= self.next_at + LATE:
            return self
        return nothing_known(self, f"{why} {self.checked_at:%Y-%m-%d %H:%M} UTC", self.checked_at)

    def brief(self) -> ReadinessStatus:
        """Return what the memo has: bounded, however many targets there are."""
        shown = [one for one in self.checks if one.readiness is not Readiness.READY][:_IN_MEMO]
        return self.model_copy(update={"checks": tuple(map(_shortened, shown)), "changes": ()})


class ReadinessInput(BaseModel):
    """Input of ``failover-readiness``: ``{}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: ReadinessStatus | None = None
    """Only from one of its own histories to the next."""
    at_once: bool = False
    """Likewise: somebody has asked for a pass, and none has begun since."""


_WORST_FIRST = {Readiness.BLOCKED: 0, Readiness.UNKNOWN: 1, Readiness.WARNING: 2, Readiness.READY: 3}


def worst_first(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks with those first that people must look at."""
    return tuple(sorted(checks, key=lambda one: (_WORST_FIRST[one.readiness], one.target, one.procedure, one.variant)))


def counted(checks: Iterable[Check]) -> dict[str, int]:
    """Return how many are ready, blocked and so on."""
    found = [one.readiness for one in checks]
    return {one.value: found.count(one) for one in Readiness}


def nothing_known(status: ReadinessStatus, why: str, since: datetime) -> ReadinessStatus:
    """Return ``status`` with everything unknown: since then, or for longer where it was already."""
    reason = (Reason(message=why),)
    checks = worst_first(
        one.model_copy(
            update={
                "readiness": Readiness.UNKNOWN,
                "reasons": reason,
                "since": one.since if one.readiness is Readiness.UNKNOWN else since,
            }
        )
        for one in status.checks
    )
    total = sum(status.counts.values())
    counts = {**dict.fromkeys((one.value for one in Readiness), 0), Readiness.UNKNOWN.value: total}
    begun = status.unknown_since or since
    return status.model_copy(update={"unknown": why, "unknown_since": begun, "counts": counts, "checks": checks})


def _shortened(check: Check) -> Check:
    reasons = tuple(one.model_copy(update={"message": one.message[:_LONGEST_IN_MEMO]}) for one in check.reasons[:2])
    return check.model_copy(update={"reasons": reasons})
