"""Items of a run's checklists: what was looked at or said, where and when it was read, by whom it was said."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from activities.run.models.wire import Wire
from estate.checklists import Gate

HUMAN = "human"
"""Kind of an item that only a person can say to be done."""


class CheckState(StrEnum):
    """How an item stands."""

    OPEN = "open"
    """Nobody has looked or said anything yet."""
    DONE = "done"
    NOT_DONE = "not done"
    """It was looked at, and is not so; or a person says so."""
    UNKNOWN = "not known"
    """It could not be looked at; that never counts as done."""
    SKIPPED = "skipped"
    """A person lets the run go on without it."""


class Looked(Wire):
    """What one look has found."""

    met: bool | None = None
    """``None``: it could not be looked at."""
    source: str
    """Where it was read: host, command or URL, never a secret."""
    seen: tuple[str, ...]
    """What was read, a sentence each, at most ten."""
    at: datetime


class CheckEntry(Wire):
    """One item of a run."""

    gate: Gate
    key: str
    title: str
    kind: str
    mandatory: bool
    state: CheckState = CheckState.OPEN
    source: str = ""
    seen: tuple[str, ...] = ()
    at: datetime | None = None
    """When it was looked at or said."""
    by: str = ""
    """Who has said it, or skips it."""
    note: str = ""
    signed_with: str = ""
    """Fingerprint of the SSH key that has signed what was said; empty: nothing proves who said it."""

    @property
    def human(self) -> bool:
        """Whether only a person can say that it is done."""
        return self.kind == HUMAN

    @property
    def holds(self) -> bool:
        """Whether a run waits for it."""
        return self.mandatory and self.state not in {CheckState.DONE, CheckState.SKIPPED}

    def after(self, looked: Looked) -> CheckEntry:
        """Return the item as it was looked at."""
        states = {True: CheckState.DONE, False: CheckState.NOT_DONE, None: CheckState.UNKNOWN}
        update = {"state": states[looked.met], "source": looked.source, "seen": looked.seen, "at": looked.at}
        return self.model_copy(update=update)

    def told(self) -> str:
        """Return the item in one line: how it stands, what was read where, or who has said it; without the time."""
        said = f" by {self.by}" if self.by else ""
        proof = f" (signed with {self.signed_with})" if self.signed_with else " (unverified)" if self.by else ""
        what = "; ".join((*self.seen, *((self.note,) if self.note else ())))
        where = f" [{self.source}]" if self.source else ""
        free = "" if self.mandatory else " (not mandatory)"
        return f"{self.key}: {self.title}{free}: {self.state.value}{said}{proof}{f': {what}' if what else ''}{where}"


def holding(checks: tuple[CheckEntry, ...], gate: Gate) -> tuple[CheckEntry, ...]:
    """Return the items of one gate that a run waits for."""
    return tuple(one for one in checks if one.gate is gate and one.holds)
