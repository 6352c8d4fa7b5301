"""What a region's failover needs of clusters, overlays and the application, as Protocols; errors are those of ``ports``."""

from __future__ import annotations

from typing import Any, Protocol

from activities.clients.reading_facts import BackupFact, ProbeFact, QuotaFact
from activities.region.failover_models import Answer, HeldLease, ReadySeen, Scale
from estate.base import Region
from estate.flexible import FlexibleTarget
from estate.regions import ApplicationChecks
from estate.traffic import TrafficTarget

Objects = tuple[dict[str, Any], ...]
"""Kubernetes objects as JSON."""


class RegionClusters(Protocol):
    """The clusters of both regions. Each call raises UnreachableError, ForbiddenError or MissingError besides its own."""

    async def scale(self, region: Region, deployment: str) -> Scale:
        """Return what a Deployment asks for. MissingError: there is none of that name."""

    async def may_scale(self, region: Region, deployment: str) -> bool:
        """Return whether the API server says that we may patch a Deployment."""

    async def scale_down(self, region: Region, seen: Scale, run: str) -> Scale:
        """Scale to zero what ``seen`` describes, and keep its number in an annotation. ConflictError: it has changed."""

    async def scale_back(self, region: Region, seen: Scale) -> Scale:
        """Give back the number that is kept, and forget it. ConflictError: it has changed."""

    async def nodes(self, region: Region) -> tuple[int, int]:
        """Return how many nodes are Ready and take pods, and how many there are."""

    async def images(self, region: Region) -> tuple[frozenset[str], ...]:
        """Return the images that each node names which is Ready and takes pods; a kubelet names 50 unless told otherwise."""

    async def missing_rights(self, region: Region, lease: str) -> tuple[str, ...]:
        """Return what serving from ``region`` needs and we may not, as ``verb resource``; with ``lease``, holding it too."""

    async def lease(self, region: Region, name: str) -> HeldLease:
        """Return the Lease; one that does not exist is held by nobody."""

    async def write_lease(self, region: Region, name: str, lease: HeldLease) -> None:
        """Write it, renewed now, over the version that ``lease`` names. ConflictError: another one was written meanwhile."""

    async def try_objects(self, region: Region, objects: Objects) -> tuple[str, ...]:
        """Return what the API server would change, a line a field. RequestRefusedError: it refuses an object, by name."""

    async def apply(self, region: Region, objects: Objects) -> None:
        """Apply the objects as our own. Safe to repeat. RequestRefusedError: it refuses an object, by name."""

    async def ready_pods(self, region: Region, selector: str) -> ReadySeen:
        """Return how many of the pods that Deployments make for ``selector`` are Ready and up to date."""


class Overlays(Protocol):
    """What turns an overlay into objects."""

    async def render(self, path: str) -> Objects:
        """Return the objects. RequestRefusedError: it cannot be rendered, in the program's own words."""


class Readings(Protocol):
    """What Azure says of backups, quotas and probes. Errors are those of ``ports``; nothing is changed."""

    async def backup(self, target: FlexibleTarget, server: str) -> BackupFact:
        """Return the newest completed backup of ``server``."""

    async def quotas(self, target: FlexibleTarget, region: str, location: str) -> tuple[QuotaFact, ...]:
        """Return used and allowed cores in ``location``, a fact for each family of sizes."""

    async def probes(self, target: TrafficTarget) -> tuple[ProbeFact, ...]:
        """Return the probe of everything that the entry names."""


class Application(Protocol):
    """The application as its clients reach it."""

    async def ask(self, checks: ApplicationChecks, run: str) -> tuple[Answer, ...]:
        """Return an answer per question; one that does not come is no fine one."""


class ApiServers(Protocol):
    """Whether a region's API server answers."""

    async def version(self, region: Region) -> str:
        """Return its version. UnreachableError: it is silent. ForbiddenError, MissingError: it answers, and not that."""
