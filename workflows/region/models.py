"""What people send to the region's procedures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from gate.record import Mode
from workflows.run.durations import Duration
from workflows.run.models import FailoverMode, Request, ShortName, lock_of


def _in_utc(at: datetime) -> datetime:
    """Return the time in UTC. A time without a zone is refused: half of the people would mean another one."""
    if at.tzinfo is None:
        message = "say the time zone, for example 2026-11-29T02:14:00Z"
        raise ValueError(message)
    return at.astimezone(UTC)


class RegionDatabaseRequest(Request):
    """Input of ``postgres-region-failover``."""

    subject = "flexible"
    names = "database"
    modes = ("planned", "forced")
    instead: ClassVar = dict.fromkeys(("member", "pod"), "leave it out: Azure says which server leads")

    database: ShortName
    """A database of the estate's ``flexible_servers``."""
    mode: FailoverMode = Mode.PLANNED
    to: ShortName | None = None
    """The server that is to lead; refused when it leads already. ``None``: the other one."""
    attest: bool = False
    """Forced: ``by`` says that the old primary is to be given up although it answers."""
    down_since: Annotated[datetime, AfterValidator(_in_utc)] | None = None
    """Forced: since when the old primary has not worked. What was committed before and not replayed may be missing."""
    max_missing: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    """Forced: commits of at most this much time may be missing; instead of the estate's limit."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first."""
        given = {"down_since": self.down_since, "max_missing": self.max_missing}
        for field, value in given.items():
            if value is not None and self.mode is not Mode.FORCED:
                return f"{field}: only with mode forced: a planned failover loses nothing"
        return super().fault


def flexible_lock_id(database: str) -> str:
    """Return the workflow ID of a run that moves ``database`` to the other region."""
    return lock_of(RegionDatabaseRequest.subject, database)
