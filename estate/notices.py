"""Who is told what of runs: targets of notifications, and how patient they are with people who do not answer.

The address of a target holds its token as a rule, so it is a reference to a secret like any other.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from estate.base import Entry, Name, SecretReference
from languages.choice import ENGLISH, language_of


class Event(StrEnum):
    """What there is to tell."""

    STARTED = "started"
    APPROVAL = "approval"
    """A run waits for an approval."""
    WAITING = "waiting"
    """A run waits for people otherwise: for an attestation, for a blocked drain, or because somebody holds it."""
    NO_WAY_BACK = "no-way-back"
    """The point of no return is passed."""
    DONE = "done"
    FAILED = "failed"
    """It ended otherwise: refused, rolled back, stranded, cancelled, terminated."""
    DRILL_BEGUN = "drill-begun"
    DRILL_ENDED = "drill-ended"
    DRILL_FAILED = "drill-failed"


class NoticeTarget(Entry):
    """One place that is told."""

    url: SecretReference
    """Where its address for apprise is, such as ``slack://…`` or ``mailto://…``; several, one a line, are one target."""
    events: tuple[Event, ...] = tuple(Event)
    """What it is told; empty: only what is escalated, if ``escalate_to`` names it."""


Span = Annotated[timedelta, Field(gt=timedelta(0))]


class Notifications(Entry):
    """The section ``notifications``."""

    targets: dict[Name, NoticeTarget] = Field(min_length=1)
    ui: Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$")] = ""
    """Address of Temporal's UI as people reach it, for links; empty: no links."""
    language: Annotated[str, AfterValidator(language_of)] = ENGLISH
    """In which language people are told: ``en`` or ``zh-TW``."""
    repeat_every: Span = timedelta(minutes=15)
    """A run that still waits for people is told of again."""
    escalate_after: Span = timedelta(minutes=30)
    """From then on ``escalate_to`` is told as well."""
    escalate_to: tuple[Name, ...] = ()
    look_every: Span = timedelta(seconds=5)
    """How often runs are looked at."""
    give_up_after: Span = timedelta(hours=1)
    """For so long a notice is tried again that a target does not take."""

    @model_validator(mode="after")
    def _escalates_to_targets(self) -> Self:
        if unknown := sorted(set(self.escalate_to) - set(self.targets)):
            message = f"escalate_to names {', '.join(unknown)}, which targets does not list"
            raise ValueError(f"{message}; known: {', '.join(sorted(self.targets))}")
        return self
