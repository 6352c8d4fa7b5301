"""What people send to the workflows, and what queries answer.

Requests refuse unknown keys: a misspelt ``mode`` must not become a default at three in the morning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from activities.models import Outcome, Plan, Vote, Wire
from gate.record import Mode
from workflows.phases import Phase

TASK_QUEUE = "failover"
TASK_TIMEOUT = timedelta(seconds=2)
"""How long a worker may think about one step of a workflow: one that dies meanwhile holds the run up for as long.
Starters pass it; a run started in the Temporal UI gets the server's default (10 s unless its configuration says less)."""


class Run(StrEnum):
    """How real a run is; the same code serves all."""

    PLAN = "plan"
    DRILL = "drill"
    REAL = "real"


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


ShortName = Annotated[str, Field(min_length=1, max_length=253)]


class FailoverRequest(_Request):
    """Input of ``postgres-failover``: short enough to type into a form."""

    cluster: ShortName
    mode: Mode
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)
    to: ShortName | None = None
    """Member that is to lead; ``None`` chooses the best standby."""


class RejoinRequest(_Request):
    """Input of ``postgres-rejoin``."""

    cluster: ShortName
    member: ShortName | None = None
    """Member to bring back; ``None`` means every member that does not follow the leader."""
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)


class DoctorRequest(_Request):
    """Input of ``doctor``."""

    cluster: ShortName | None = None
    """``None`` looks at every cluster."""


class Decision(_Request):
    """Input of the update ``decide`` and the signal ``vote``."""

    by: ShortName
    plan: ShortName
    """Digest of the plan that is approved or rejected, as ``status`` shows it."""
    approve: bool
    role: str = ""
    """Role in which ``by`` votes; may be left out when only one of the person's roles is still needed."""
    note: str = Field(default="", max_length=1000)


class ApprovalStatus(Wire):
    """Where an approval stands."""

    needed: int
    roles: tuple[str, ...]
    votes: tuple[Vote, ...]
    expires_at: datetime | None = None


class Status(Wire):
    """Answer of the query ``status``."""

    phase: Phase
    cluster: str
    mode: str
    run: str
    by: str
    reason: str
    started_at: datetime
    rto_seconds: float | None = None
    plan: Plan | None = None
    approval: ApprovalStatus | None = None
    would_undo: tuple[str, ...] = ()
    outcome: Outcome | None = None
    explanation: str = ""
    """One sentence: what is going on, or why it ended."""
    left_to_do: tuple[str, ...] = ()


def lock_id(cluster: str) -> str:
    """Return the workflow ID that a run which changes ``cluster`` must have: it is the cluster's lock."""
    return f"postgres/{cluster}"


def plan_id(cluster: str) -> str:
    """Return the prefix that the ID of a run which changes nothing must have."""
    return f"plan/postgres/{cluster}"
