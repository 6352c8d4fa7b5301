"""How a long-running operation of Azure stands, for every port that has some."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple


class OperationState(StrEnum):
    """How a long-running operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Or canceled: it goes on no more, and did not do it."""
    BUSY = "busy"
    """Failed since another operation was going on."""


class OperationFact(NamedTuple):
    """What Azure says of one operation."""

    state: OperationState
    code: str = ""
    message: str = ""
    after: timedelta | None = None
    """When Azure wants to be asked again, if it has said so."""
