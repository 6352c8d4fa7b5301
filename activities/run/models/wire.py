"""What every value that crosses between workflows and activities has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """Base of everything that travels between workflows and activities."""

    model_config = ConfigDict(frozen=True)


class RunId(Wire):
    """Who is acting: goes into records, gate logs and restart annotations."""

    workflow_id: str
    run_id: str

    def __str__(self) -> str:
        """Return ``WORKFLOW_ID/RUN_ID``."""
        return f"{self.workflow_id}/{self.run_id}"


def workflow_of(run: str) -> str:
    """Return the workflow ID in what ``str(RunId)`` has written; empty when ``run`` is no such text."""
    return run.rpartition("/")[0]
