"""What the doctor looks at and finds."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from activities.run.models.wire import Wire


class ExamineRequest(Wire):
    """What doctor looks at; ``None`` looks at every cluster of the estate."""

    cluster: str | None = None
    brief: bool | None = None
    """Only whether each cluster takes writes, with a second of patience: for ``status``."""


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
    outage: bool = False
    """Nobody can write meanwhile: shown before everything else."""

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be done."""
        return self.severity is Severity.OK


class Standing(Wire):
    """Whether a cluster takes writes, in one line of ``status``. Unknown is ``None``, never no."""

    kind: str
    """``postgres``, ``redis`` or ``flexible``."""
    name: str
    leader: str = ""
    takes_writes: bool | None = None
    redundant: bool | None = None
    message: str = ""
    """Why it does not, or why that is unknown."""
    remedy: str = ""
    """What to type then."""


class DoctorReport(Wire):
    """Everything that doctor found. Nothing was changed."""

    shown: ClassVar[bool] = True

    findings: tuple[Finding, ...]
    clusters: tuple[Standing, ...] = ()
    """Only where no more than this was asked for (``ExamineRequest.brief``)."""
    targets: tuple[str, ...] = ()
    """Likewise: what the estate lists by name; nodes are not."""
