"""What people send, what is decided, and what is found out."""

from __future__ import annotations

from activities.run.models.plan import Plan
from activities.run.models.report import Details
from activities.run.models.wire import Wire
from estate.workloads import WorkloadTarget
from workflows.run.models import Request, ShortName


class FlushRequest(Request):
    """Input of ``cache-flush``."""

    subject = "cache"
    names = "workload"

    workload: ShortName


class Cache(Wire):
    """A cache as it was found or left."""

    entries: int
    paused: bool


class FlushPlan(Plan):
    """How much is thrown away."""

    decided_by = (*Plan.decided_by, "entries")

    entries: int = 0

    def heading(self) -> str:
        """Return what changes."""
        return f"{self.entries} entries → none"


class FlushDetails(Details):
    """What a run has found and done."""

    survey: Cache | None = None
    flushed: Cache | None = None


class CacheRequest(Wire):
    """Do something to the cache of ``target``."""

    target: WorkloadTarget
