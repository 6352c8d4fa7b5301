"""What a drill leaves behind: what was asked, what was measured, what a person has said of it.

``passed`` is the product's own judgement, by the criteria. ``word`` is a person's, who may see more than a clock does: a
drill has passed where both say so.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from activities.run.models.measure import Measurement
from activities.run.models.wire import RunId, Wire


def in_utc(at: datetime) -> datetime:
    """Return a time of a record in UTC; one without a zone is meant so."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class Criterion(Wire):
    """One thing that must be so for a drill to pass."""

    name: str
    """``new row within 300 s``."""
    wanted: str
    seen: str
    """As measured, with its unit; empty: it could not be looked at."""
    met: bool | None = None
    """``None``: it could not be looked at, which is a gap and does not pass."""


class Part(Wire):
    """One run that the drill has begun."""

    role: str
    """``there`` or ``back``."""
    workflow: str
    """Its type."""
    run: RunId
    outcome: str
    explanation: str = ""
    seconds: float | None = None
    """From its begin to its end."""
    outage_seconds: float | None = None
    """For so long writes were refused, as its own client measured."""
    recovery_seconds: float | None = None
    """For so long it took until all was ready again, by the run itself."""
    lost: int | None = None
    """Acknowledged rows that were lost."""


class DrillWord(Wire):
    """What a person says of a drill that has ended."""

    by: str
    passed: bool
    notes: str
    at: datetime
    key: str = ""
    """Fingerprint of the SSH key that has signed it; empty: nothing proved who sent it."""


class DrillRecord(Wire):
    """One drill."""

    drill: str
    """Name in the estate's calendar."""
    kind: str
    target: str
    run: RunId
    by: str
    """Who has begun it: a person, or the schedule."""
    reason: str = ""
    participants: tuple[str, ...] = ()
    due_at: datetime | None = None
    """When the calendar wanted it; ``None``: a person has begun it without."""
    began_at: datetime
    ended_at: datetime
    passed: bool
    criteria: tuple[Criterion, ...]
    parts: tuple[Part, ...] = ()
    rto_seconds: float | None = None
    """Measured: what the objective of the target counts."""
    rpo_rows: int | None = None
    """Measured: acknowledged rows that were lost."""
    objective_seconds: float | None = None
    differences: tuple[str, ...] = ()
    """What was not as before when all was over; empty: proved equal, if ``compared``."""
    compared: bool = False
    """Whether the state before and after could be compared."""
    word: DrillWord | None = None
    notice: str = ""
    """How and when customers were told."""
    answers: Measurement | None = None
    """What a client of the application saw through it all."""
    rows: dict[str, str] = Field(default_factory=dict)
    """Database: ``before`` and ``after`` the failover → UUID of the row in ``failover_tests``."""
    gaps: tuple[str, ...] = ()
    """Checks that could not be made, steps that were skipped, votes that nobody has proved."""

    @property
    def counts(self) -> bool:
        """Whether it has passed by criteria and by a person's word."""
        return self.passed and self.word is not None and self.word.passed
