"""What is read before a region moves, so that people decide by numbers: backups, quotas, sizes, probes, images."""

from __future__ import annotations

from datetime import datetime

from activities.clients.reading_facts import BackupFact, ProbeFact, QuotaFact
from activities.region.models import AzureFact
from activities.run.models.wire import Wire


class DatabaseEvidence(Wire):
    """One database."""

    name: str
    old: AzureFact
    """The server in the region that is left."""
    new: AzureFact
    """The server in the region that is to serve."""
    backup: BackupFact
    """Of the one that leads."""
    quota_old: QuotaFact
    """Of the family of ``old``, in its region."""
    quota_new: QuotaFact
    """Of the family of ``new``, in its region."""


class ImageEvidence(Wire):
    """One image of the overlay."""

    name: str
    nodes: int
    """So many of the nodes that take pods name it among their images."""


class ImagesEvidence(Wire):
    """Images of the overlay, and the nodes that take pods in the region that is to serve."""

    images: tuple[ImageEvidence, ...] = ()
    nodes: int = 0
    error: str = ""
    """Why nothing is known of the nodes' images."""


class Evidence(Wire):
    """Everything, read at once."""

    at: datetime
    databases: tuple[DatabaseEvidence, ...] = ()
    probes: tuple[ProbeFact, ...] = ()
    images: ImagesEvidence | None = None
    """``None``: no overlay is applied, or it cannot be rendered."""
