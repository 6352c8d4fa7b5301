"""What the doctor looks at and finds."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from activities.run.models.wire import Wire


class ExamineRequest(Wire):
    """What doctor looks at; ``None`` looks at every cluster of the estate."""

    cluster: str | None = None


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    """A switch would be refused, or could go wrong."""


class Finding(Wire):
    """One line of doctor's answer."""

    severity: Severity
    subject: str
    message: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be done."""
        return self.severity is Severity.OK


class DoctorReport(Wire):
    """Everything that doctor found. Nothing was changed."""

    shown: ClassVar[bool] = True

    findings: tuple[Finding, ...]
