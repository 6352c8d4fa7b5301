"""Readiness: what the workflow ``readiness`` says, where it runs. Where it does not there are no values, and no fault.

Its query tells of every case, and a worker must answer it. Where none does, its memo tells of what is not ready. What was
due to be looked at again long ago is unknown.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ConfigDict, ValidationError
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.run.models.wire import Wire, read
from starters.exporter import declared
from starters.exporter.declared import Sample

READINESS = "readiness"
"""Its workflow ID, its query's name and its memo's."""
_WITHIN = timedelta(seconds=3)
_LATE = timedelta(minutes=10)
_UNKNOWN = 3
_LEVELS = {"ready": 0, "warning": 1, "blocked": 2, "unknown": _UNKNOWN}


class _Said(Wire):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Case(_Said):
    """How one procedure stands for one target."""

    procedure: str
    target: str
    variant: str = ""
    readiness: str
    since: datetime


class Said(_Said):
    """What is said of all."""

    checked_at: datetime | None = None
    next_at: datetime | None = None
    checks: tuple[Case, ...] = ()

    def too_old(self, now: datetime) -> bool:
        """Whether the next pass was due long ago."""
        return self.next_at is not None and now > self.next_at + _LATE


async def readiness(client: Client, now: datetime) -> tuple[list[Sample], int]:
    """Return all values, and how much could not be read. RPCError: Temporal does not answer."""
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(READINESS)
    try:
        described = await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return [], 0
        raise
    if described.status is not WorkflowExecutionStatus.RUNNING:
        return [], 0
    answer = await _asked(handle) or await described.memo_value(READINESS, {})
    try:
        return samples_of(read(Said, answer), now)
    except ValidationError:
        return [], 1


def samples_of(said: Said, now: datetime) -> tuple[list[Sample], int]:
    """Return all values, and how many levels nobody knows here."""
    old, known = said.too_old(now), [one for one in said.checks if one.readiness in _LEVELS]
    found = list[Sample]()
    for one in known:
        labels = (one.procedure, one.target, one.variant)
        since = said.checked_at if old and said.checked_at and one.readiness != "unknown" else one.since
        found.append(declared.READY.of(_UNKNOWN if old else _LEVELS[one.readiness], *labels))
        found.append(declared.READY_SINCE.of(since if since.tzinfo else since.replace(tzinfo=UTC), *labels))
    return found, len(said.checks) - len(known)


async def _asked(handle: WorkflowHandle[Any, Any]) -> Any:  # noqa: ANN401 - another version may have answered
    """Return the query's answer; ``None``: no worker answers in time."""
    try:
        return await handle.query(READINESS, rpc_timeout=_WITHIN)
    except (RPCError, WorkflowQueryFailedError):
        return None
