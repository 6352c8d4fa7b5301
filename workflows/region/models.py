"""What people send to the region's procedures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from gate.record import Mode
from workflows.run.durations import Duration
from workflows.run.models import FailoverMode, Request, Run, ShortName, lock_of

CONFIRM, CONFIRM_BACK = "ACTIVATE DR", "FAIL BACK"
"""What a person types so that a region is left; and so that it serves again."""


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
        return _only_forced(self) or super().fault


class RegionFailoverRequest(Request):
    """Input of ``region-failover``."""

    subject = "region"
    names = "region"
    modes = ("planned", "forced")
    instead: ClassVar = {
        "attest": "a database that answers is given up by its own failover: failover start postgres-region-failover",
        "member": "leave it out: the estate says what moves with the region",
        "pod": "leave it out: the estate says what moves with the region",
    }

    region: ShortName
    """The region that is left: an entry of the estate's ``region_failovers``."""
    to: ShortName | None = None
    """The surviving region; refused when the estate names another one. ``None``: the one that it names."""
    confirm: ShortName | None = None
    """Real: ``ACTIVATE DR``, typed as it stands."""
    mode: FailoverMode = Mode.PLANNED
    """Of every database: planned while the region answers, forced when it is lost."""
    down_since: Annotated[datetime, AfterValidator(_in_utc)] | None = None
    """Forced: since when the region has not worked."""
    max_missing: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    """Forced: commits of at most this much time may be missing; instead of the estate's limit."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first."""
        return _not_confirmed(self, CONFIRM) or _only_forced(self) or super().fault


class RegionFailbackRequest(Request):
    """Input of ``region-failback``."""

    subject = "region"
    names = "region"
    kind = "failback"
    instead: ClassVar = {
        "to": "leave it out: a failback leads to the region that it names",
        **dict.fromkeys(("member", "pod"), "leave it out: the estate says what moves with the region"),
    }
    mode: ClassVar[Mode] = Mode.PLANNED
    """Of every database: both regions answer, and no acknowledged write is lost."""
    down_since: ClassVar[datetime | None] = None
    max_missing: ClassVar[timedelta | None] = None

    region: ShortName
    """The region that is to serve again: an entry of the estate's ``region_failovers``."""
    confirm: ShortName | None = None
    """Real: ``FAIL BACK``, typed as it stands."""

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first."""
        return _not_confirmed(self, CONFIRM_BACK) or super().fault


RegionMove = RegionFailoverRequest | RegionFailbackRequest
"""What moves a region's application, databases and traffic."""


def _not_confirmed(request: RegionMove, confirm: str) -> str | None:
    """Return what is wrong with what a person has typed. A plan changes nothing and needs none."""
    if request.confirm == confirm or (request.confirm is None and request.run is Run.PLAN):
        return None
    got = "nothing" if request.confirm is None else repr(request.confirm)
    return f"confirm: type {confirm!r}, as it stands here; got {got:.80}"


def _only_forced(request: RegionDatabaseRequest | RegionFailoverRequest) -> str | None:
    """Return what is wrong with options that a planned failover does not have."""
    for field in ("down_since", "max_missing"):
        if getattr(request, field) is not None and request.mode is not Mode.FORCED:
            return f"{field}: only with mode forced: a planned failover loses nothing"
    return None


def region_lock_id(region: str) -> str:
    """Return the workflow ID of a run that moves ``region``."""
    return lock_of(RegionFailoverRequest.subject, region)


def flexible_lock_id(database: str) -> str:
    """Return the workflow ID of a run that moves ``database`` to the other region."""
    return lock_of(RegionDatabaseRequest.subject, database)
