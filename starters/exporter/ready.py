"""Readiness: what the workflow ``readiness`` answers, where it runs. Where it does not there are no values, and no fault."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.run.models.wire import Wire, read
from starters.exporter import declared
from starters.exporter.declared import Sample

READINESS = "readiness"
"""Its workflow ID, and the query's name."""
_WITHIN = timedelta(seconds=3)
_LEVELS = {"ready": 0, "warning": 1, "blocked": 2}


class Ready(Wire):
    """What is said of one procedure on one target."""

    procedure: str
    target: str
    state: str
    """``ready``, ``warning`` or ``blocked``."""
    since: datetime


async def readiness(client: Client) -> tuple[list[Sample], int]:
    """Return all values, and how much could not be read: a worker must answer, within 3 s. RPCError: Temporal is away."""
    try:
        answer: Any = await client.get_workflow_handle(READINESS).query(READINESS, rpc_timeout=_WITHIN)
    except WorkflowQueryFailedError:
        return [], 1
    except RPCError as error:
        if error.status is RPCStatusCode.UNAVAILABLE:
            raise
        return [], int(error.status is not RPCStatusCode.NOT_FOUND)
    entries = answer.get("entries", ()) if isinstance(answer, dict) else ()
    found, unread = list[Sample](), 0
    for entry in entries:
        try:
            one = read(Ready, entry)
            level = _LEVELS[one.state.lower()]
        except (ValidationError, KeyError):
            unread += 1
            continue
        found += [
            declared.READY.of(level, one.procedure, one.target),
            declared.READY_SINCE.of(one.since, one.procedure, one.target),
        ]
    return found, unread
