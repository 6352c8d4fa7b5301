"""How the workflow that tells people stands, by its memo: no worker is asked."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

NOTICES = "notices"
"""Name, workflow ID and memo of the workflow."""


class TargetStanding(BaseModel):
    """How a target stands, as far as doctor needs it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    why: str = ""
    """Why it has not taken the last text; empty: it has."""


class NoticesStanding(BaseModel):
    """What the memo says, as far as doctor needs it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    targets: dict[str, TargetStanding] = Field(default={})


async def memo_of(client: Client) -> Any:  # noqa: ANN401 - as another version may have written it
    """Return the memo, empty where it has said nothing yet; ``None``: it does not run."""
    try:
        found = await client.get_workflow_handle(NOTICES).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if found.status is not WorkflowExecutionStatus.RUNNING:
        return None
    return await found.memo_value(NOTICES, {})
