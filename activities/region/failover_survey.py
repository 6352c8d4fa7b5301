"""Looks at the clusters of both regions before one fails over to the other. Changes nothing: what is tried is a dry run."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from functools import partial

from activities.clients.ports import ConflictError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.clients.region_ports import Objects, Overlays, RegionClusters
from activities.region.evidence import EvidenceReader, images_there
from activities.region.evidence_models import Evidence
from activities.region.failover_models import HeldLease, Overlay, RegionLook, RegionSurvey, Scale
from activities.region.images import images_of
from activities.run.declare import step
from activities.run.open_runs import open_run
from activities.run.postures import READ_LONG
from estate.regions import RegionTarget

_DIGEST_LENGTH = 16
NO_ANSWER = (UnreachableError, ForbiddenError, MissingError, ConflictError)


def digest_of_overlay(objects: Objects) -> str:
    """Return the short hash of what an overlay renders."""
    return hashlib.sha256(json.dumps(objects, sort_keys=True, default=str).encode()).hexdigest()[:_DIGEST_LENGTH]


def lease_of(target: RegionTarget) -> str:
    """Return the name of the Lease in the surviving region."""
    return f"failover-region-{target.name}"


class RegionLookActivities:
    """The read-only half of ``region-failover``."""

    def __init__(self, clusters: RegionClusters, overlays: Overlays, evidence: EvidenceReader | None = None) -> None:
        """Ask clusters by ``clusters``, render by ``overlays``; without ``evidence`` nobody reads any."""
        self._clusters, self._overlays, self._evidence = clusters, overlays, evidence

    @step("region.survey", READ_LONG, lambda request: f"survey region {request.target.name}")
    async def survey(self, request: RegionLook) -> RegionSurvey:
        """Return both clusters as they are now. Who does not answer is in it with that."""
        target = request.target
        overlay = None if request.back else target.settings.overlay
        applications, surviving, home, (overlay_seen, evidence), light_seen, fencing = await asyncio.gather(
            asyncio.gather(*map(partial(self._scale, target), target.settings.applications)),
            self._surviving(target),
            self._home(request),
            self._with_evidence(target, overlay, back=request.back),
            self._overlay(target, target.settings.pilot_light),
            open_run(request.fence),
        )
        silent = [one.error for one in applications if one.error and not one.refused]
        return surviving.model_copy(
            update={
                "applications": tuple(applications),
                "lost_error": silent[0] if silent and len(silent) == len(applications) else "",
                "overlay": overlay_seen or Overlay(),
                **home,
                "fencing": fencing,
                "pilot_light": light_seen,
                "evidence": evidence,
            }
        )

    async def _scale(self, target: RegionTarget, name: str) -> Scale:
        try:
            seen = await self._clusters.scale(target.region, name)
            if await self._clusters.may_scale(target.region, name):
                return seen
            return seen.model_copy(update={"refused": True, "error": f"we may not patch Deployment {name}"})
        except (ForbiddenError, MissingError) as error:
            return Scale(name=name, error=str(error), refused=True)
        except NO_ANSWER as error:
            return Scale(name=name, error=str(error))

    async def _surviving(self, target: RegionTarget) -> RegionSurvey:
        """Return rights, nodes and the Lease of the surviving region."""
        now = datetime.now(UTC)
        try:
            missing = await self._clusters.missing_rights(target.to, lease_of(target))
            ready, nodes = (0, 0) if "list nodes" in missing else await self._clusters.nodes(target.to)
            may_read = f"get leases {lease_of(target)}" not in missing
            lease = await self._clusters.lease(target.to, lease_of(target)) if may_read else HeldLease()
        except NO_ANSWER as error:
            return RegionSurvey(at=now, surviving_error=str(error))
        return RegionSurvey(at=now, rights_missing=missing, nodes_ready=ready, nodes=nodes, lease=lease)

    async def _home(self, request: RegionLook) -> dict[str, object]:
        """Return rights and nodes of the region that is to serve again, as fields of the survey; none of a failover."""
        target = request.target
        if not request.back:
            return {}
        try:
            missing = await self._clusters.missing_rights(target.region, "")
            ready, nodes = (0, 0) if "list nodes" in missing else await self._clusters.nodes(target.region)
        except NO_ANSWER as error:
            return {"home_error": str(error), "nodes_ready": 0, "nodes": 0}
        return {"home_rights_missing": missing, "nodes_ready": ready, "nodes": nodes}

    async def _overlay(self, target: RegionTarget, path: str | None) -> Overlay | None:
        """Return what would be applied, by a dry run; ``None``: there is no such overlay."""
        if path is None:
            return None
        seen = Overlay()
        try:
            objects = await self._overlays.render(path)
            seen = Overlay(digest=digest_of_overlay(objects), objects=len(objects), images=images_of(objects))
            changes = await self._clusters.try_objects(target.to, objects)
        except (RequestRefusedError, *NO_ANSWER) as error:
            return seen.model_copy(update={"error": str(error)})
        return seen.model_copy(update={"changes": changes})

    async def _with_evidence(
        self, target: RegionTarget, path: str | None, *, back: bool
    ) -> tuple[Overlay | None, Evidence | None]:
        """Return the overlay, and what people should know beside it."""
        if self._evidence is None:
            return await self._overlay(target, path), None
        overlay, read = await asyncio.gather(self._overlay(target, path), self._evidence.read(target, back=back))
        images = await images_there(self._clusters, target.to, overlay.images) if overlay and overlay.images else None
        return overlay, read.model_copy(update={"images": images})
