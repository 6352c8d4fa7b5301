"""What people and schedules send to drills."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from workflows.run.models import Input, Person, Reason, Request, ShortName, Signable


class DrillRequest(Request):
    """Input of ``failover-drill``."""

    subject = "drill"
    names = "drill"
    kind = "drill"
    instead: ClassVar = dict.fromkeys(
        ("mode", "to", "member", "pod", "attest"), "leave it out: the calendar says what is drilled"
    )

    drill: ShortName
    """An entry of the estate's calendar."""
    notice: Reason = ""
    """Region: how and when customers were told; instead of the calendar's words."""
    due: datetime | None = None
    """When the calendar wanted it."""


class DueRequest(Input):
    """Input of ``drill-due``, which a schedule begins."""

    drill: ShortName
    by: Person = ""


class Judgement(Signable):
    """Input of the update ``judge`` and the signal ``judged``: a person's word on a drill that is over."""

    by: ShortName
    passed: bool
    notes: ShortName
    """What was seen: never empty."""

    @property
    def said_of(self) -> str:
        """PASS or FAIL: a signature covers it."""
        return "PASS" if self.passed else "FAIL"

    @property
    def remark(self) -> str:
        """What was seen."""
        return self.notes


class CalendarRequest(Input):
    """Input of ``drills-calendar``."""

    drill: ShortName | None = None
    """Of this entry only; ``None``: of all."""


class StopRequest(Input):
    """Input of ``drills-stop``."""

    by: ShortName
    reason: ShortName
