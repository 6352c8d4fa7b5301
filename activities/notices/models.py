"""What is seen of a run from outside it, and what is sent to a target."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from activities.run.models.wire import Wire
from estate.notices import Event


class Settings(Wire):
    """The estate's section ``notifications``, without where its targets are."""

    targets: dict[str, tuple[Event, ...]]
    """Name → what it is told."""
    ui: str = ""
    repeat_every: timedelta
    escalate_after: timedelta
    escalate_to: tuple[str, ...] = ()
    give_up_after: timedelta


class Need(Wire):
    """What a run waits for."""

    event: Event
    key: str
    """Of what it is about; another one is news."""
    what: str
    """``2 of DBA (dana), Manager (mona)``."""
    command: str
    """What a person types."""
    until: datetime | None = None


class Facts(Wire):
    """A run as far as it is told of. Texts are one clean line each."""

    workflow_id: str
    run_id: str
    workflow: str
    parent: str = ""
    """Workflow ID of what has begun it."""
    started_at: datetime
    drill: bool = False
    mode: str = ""
    by: str = ""
    reason: str = ""
    headline: str = ""
    """What changes, by its plan."""
    need: Need | None = None
    forward_only: bool = False
    ended: str = ""
    """Its outcome; where it has left none, how Temporal has closed it. Empty: it is open."""
    well: bool = False
    """It ended as it should."""
    why: str = ""
    """One sentence about its end."""
    closed_at: datetime | None = None


class LookRequest(Wire):
    """Look until something is other than known."""

    known: tuple[Facts, ...] = ()
    settings: Settings | None = None
    since: datetime | None = None
    """Runs that have closed since then are looked at as well; ``None``: since now."""
    patience_seconds: float


class Looked(Wire):
    """What is other than known."""

    at: datetime
    """By the worker's clock."""
    settings: Settings | None = None
    """As they are now; ``None``: the estate has no such section."""
    changed: tuple[Facts, ...] = ()
    gone: tuple[str, ...] = ()
    """Run IDs of what was known as open, and that Temporal does not know any more."""


class Message(Wire):
    """One text for one target."""

    number: int
    event: str
    run_id: str = ""
    title: str
    body: str
    queued_at: datetime
    tries: int = 0


class SendRequest(Wire):
    """Send ``messages`` in order to the target of that name."""

    target: str
    messages: tuple[Message, ...]


class Sent(Wire):
    """How far it came."""

    count: int
    """So many of the first are sent."""
    why: str = ""
    """Why the next one is not; empty: all are."""


class TargetsRequest(Wire):
    """Ask for the targets of the estate: for one of them, or for all."""

    target: str = ""


class CloseKind(StrEnum):
    """How Temporal calls the end of a run that has left no outcome."""

    TERMINATED = "terminated"
    TIMED_OUT = "timed out"
    FAILED = "failed"
    CANCELED = "cancelled"
    COMPLETED = "completed"


class _Tolerant(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Plan(_Tolerant):
    digest: str = ""
    headline: str = ""


class _Vote(_Tolerant):
    role: str = ""
    approve: bool = False


class _Approval(_Tolerant):
    needed: int = 0
    roles: tuple[str, ...] = ()
    votes: tuple[_Vote, ...] = ()
    expires_at: datetime | None = None
    people: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def of_whom(self) -> str:
        """How many votes are missing, and who can give them."""
        filled = {vote.role for vote in self.votes}
        named = [
            f"{role} ({', '.join(self.people[role])})" if self.people.get(role) else role
            for role in self.roles
            if role not in filled
        ]
        return f"{max(self.needed - sum(vote.approve for vote in self.votes), 0)} of {', '.join(named)}"


class Said(_Tolerant):
    """What a run answers to the query ``status``, whichever version it is of, as far as notices need it."""

    phase: str = ""
    mode: str = ""
    by: str = ""
    reason: str = ""
    plan: _Plan | None = None
    approval: _Approval | None = None
    outcome: str | None = None
    explanation: str = ""
    forward_only: bool | None = None
    waits_for_attestation: str = ""

    @classmethod
    def of(cls, answer: Any) -> Said | None:  # noqa: ANN401 - what a query answers
        """Return what was said; ``None``: nothing that can be read."""
        try:
            return cls.model_validate(answer)
        except ValueError:
            return None
