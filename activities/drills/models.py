"""What the steps of a drill ask and answer."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from activities.drills.record import Criterion, DrillRecord, DrillWord, Part
from activities.run.models.measure import Measurement
from activities.run.models.plan import Plan
from activities.run.models.report import RecoveryDetails
from activities.run.models.wire import RunId, Wire
from estate.drilled import DrillTarget
from estate.reference import Named


class Standing(Wire):
    """All that a drill may change, by name, as it was at one moment."""

    at: datetime
    facts: dict[str, str]
    """``leader`` → ``postgresql-primary-0``. Equal facts before and after prove that all is as it was."""
    troubles: tuple[str, ...] = ()
    """What is not well, one sentence each: a drill does not begin with it."""

    def differences(self, before: Standing) -> tuple[str, ...]:
        """Return what is not as ``before``, one sentence each, sorted by name."""
        names = sorted(self.facts.keys() | before.facts.keys())
        was, now = before.facts, self.facts
        return tuple(
            f"{name}: was {was.get(name, 'not there')}, is {now.get(name, 'not there')}"
            for name in names
            if was.get(name) != now.get(name)
        )


class StandingRequest(Wire):
    """Look at what a drill may change."""

    target: Named[DrillTarget]
    node: str = ""
    """Node: the one that is drilled; empty: none is chosen yet."""
    before: Standing | None = None
    """Wait until all is as it was then, and well."""
    until: datetime | None = None
    """When to stop waiting and say what is not."""


class NodeChoice(Wire):
    """Which node of the pool is drilled."""

    node: str
    """Empty: none can be."""
    why: str
    """Why this one; or why none."""


class LeverSeen(Wire):
    """Whether drills are stopped."""

    stopped: str = ""
    """By whom, since when and why; empty: they are not."""
    others: tuple[str, ...] = ()
    """Other drills that move something now: it would be taken for what this one has changed."""


class LeverLook(Wire):
    """Look whether drills are stopped."""

    target: Named[DrillTarget]


class RowRequest(Wire):
    """A row in ``failover_tests``, by the write Service."""

    target: Named[DrillTarget]
    row: str
    """UUID."""
    run: RunId


class RowSeen(Wire):
    """An acknowledged row, and who has it."""

    row: str = ""
    """Its UUID."""
    written_at: datetime
    on_standby_after: float | None = None
    """Seconds until a standby, asked by its own address, had it; ``None``: within the time it had not."""
    standby: str = ""


class DrillPlan(Plan):
    """What is drilled, on what, and back."""

    decided_by = ("cluster", "mode", "kind", "subject", "node", "there", "back")

    kind: str = ""
    subject: str = ""
    node: str = ""
    there: str = ""
    """Type of the run that leads there."""
    back: str = ""
    """Type of the run that leads back; empty: nothing has to."""
    window_ends: datetime | None = None
    """A drill that has not begun by then does not begin."""

    def heading(self) -> str:
        """Return what is drilled."""
        return f"{self.kind} drill of {self.node or self.subject}"

    def about(self) -> tuple[str, ...]:
        """Return what else an approver must know."""
        return self.remarks


class DrillDetails(RecoveryDetails):
    """What a drill has found and done."""

    before: Standing | None = None
    after: Standing | None = None
    rows: dict[str, RowSeen] = Field(default_factory=dict)
    """Database: ``before`` and ``after`` the failover."""
    parts: tuple[Part, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    answers: Measurement | None = None
    """What a client of the application saw through it all."""
    word: DrillWord | None = None
    record: DrillRecord | None = None
    sealed: str = ""
    """Where the sealed record lies, or why there is none."""

    @property
    def healthy(self) -> bool:
        """Whether it has passed by its criteria."""
        return self.record is not None and self.record.passed
