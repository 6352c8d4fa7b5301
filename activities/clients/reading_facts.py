"""What is read before a region moves, beside what the move itself asks: backups, quotas, probes. Neutral words."""

from __future__ import annotations

from datetime import datetime

from activities.run.models.wire import Wire


class BackupFact(Wire):
    """The newest backup of a server that is completed."""

    server: str
    name: str = ""
    """Empty: there is none, or nobody knows (``error``)."""
    completed_at: datetime | None = None
    error: str = ""
    """Why nothing is known of it."""


class QuotaFact(Wire):
    """Cores of one family of sizes in one region."""

    region: str
    family: str = ""
    """As Azure words it: ``standardDDSv5Family``."""
    used: int | None = None
    limit: int | None = None
    error: str = ""
    """Why nothing is known of it."""


class ProbeFact(Wire):
    """How an edge asks the hosts behind it for their health."""

    traffic: str
    what: str = ""
    """What has the probe: ``origin group GROUP`` or ``profile PROFILE``."""
    enabled: bool = True
    path: str = ""
    interval_seconds: int | None = None
    moves_after_seconds: int | None = None
    """From the silence of a host until traffic leaves it, by this probe; what the edge adds is not in it."""
    error: str = ""
    """Why nothing is known of it."""
