"""The leader record, as steps read and write it: the write Service's selector and annotations, and the Lease beside it.

``gate.record`` says what stands in it. Record and selector change in one patch that carries the ``resourceVersion`` that
was read, so of two writers one gets a conflict.
"""

from __future__ import annotations

import difflib
from typing import Any

import yaml
from kubernetes import client

from activities.clients.kubernetes.core import MANAGER, MERGE, TIMEOUT, KubernetesClient
from activities.clients.ports import ConflictError, ForbiddenError, MissingError
from activities.run.models.lease import Unrenewed
from estate.base import Region
from gate.record import ANNOTATION_PREFIX, Record, read_record, record_patch


class LeaderRecordClient:
    """Each region's records, through its API server."""

    def __init__(self, kubernetes: KubernetesClient) -> None:
        """Share the connections of ``kubernetes``."""
        self._kubernetes = kubernetes

    async def read(self, region: Region, service: str) -> Record | None:
        """Return the leader record on ``service``; ``None`` when it has none."""
        return read_record(await self._kubernetes.service(region, service))

    async def lease(self, region: Region, service: str, leader: str) -> Unrenewed | None:
        """Return the Lease that ``leader`` keeps renewing while it leads; ``None`` when none is kept by it."""
        try:
            found = await self._lease(region, service)
        except (MissingError, ForbiddenError):
            return None
        spec = found.get("spec") or {}
        if spec.get("holderIdentity") != leader or not spec.get("leaseDurationSeconds"):
            return None
        return Unrenewed(version=found["metadata"]["resourceVersion"], epoch=int(spec.get("leaseTransitions") or 0))

    async def lease_epoch(self, region: Region, service: str) -> int:
        """Return the epoch of the Lease, whoever has written it; 0 without one."""
        try:
            found = await self._lease(region, service)
        except MissingError:
            return 0
        return int((found.get("spec") or {}).get("leaseTransitions") or 0)

    async def _lease(self, region: Region, service: str) -> dict[str, Any]:
        return await self._kubernetes.call(
            region,
            f"get Lease {service}",
            lambda api: client.CoordinationV1Api(api).read_namespaced_lease(
                service, region.namespace, _request_timeout=TIMEOUT
            ),
        )

    async def seize_lease(self, region: Region, service: str, seen: Unrenewed, candidate: str, epoch: int) -> bool:
        """Write ``epoch`` into the Lease if it still is as ``seen``: nobody at an earlier epoch can renew it any more."""
        body = {
            "metadata": {"resourceVersion": seen.version},
            "spec": {"holderIdentity": candidate, "leaseTransitions": epoch},
        }
        try:
            await self._kubernetes.call(
                region,
                f"patch Lease {service}",
                lambda api: client.CoordinationV1Api(api).patch_namespaced_lease(
                    service,
                    region.namespace,
                    body,
                    field_manager=MANAGER,
                    _content_type=MERGE,
                    _request_timeout=TIMEOUT,
                ),
            )
        except (ConflictError, MissingError, ForbiddenError):
            return False
        return True

    async def write(self, region: Region, service: str, record: Record) -> Record:
        """Write record and selector if ``record.resource_version`` is still current; return it as written."""
        written = read_record(await self._patch(region, service, record))
        if written is None:
            raise ConflictError(f"the leader record on Service {service} vanished")
        return written

    async def version(self, region: Region, service: str) -> str:
        """Return the ``resourceVersion`` of ``service``, for its first record."""
        return str((await self._kubernetes.service(region, service))["metadata"]["resourceVersion"])

    async def preview(self, region: Region, service: str, record: Record) -> str:
        """Return what ``write`` would change, as a diff made from a server-side dry run."""
        before = await self._kubernetes.service(region, service)
        after = await self._patch(region, service, record, dry_run="All")
        names = (f"Service/{service}", f"Service/{service} (after)")
        lines = difflib.unified_diff(_relevant(before), _relevant(after), *names, lineterm="", n=1)
        return "\n".join(lines)

    async def _patch(self, region: Region, service: str, record: Record, dry_run: str | None = None) -> dict[str, Any]:
        return await self._kubernetes.call(
            region,
            f"patch Service {service}",
            lambda api: client.CoreV1Api(api).patch_namespaced_service(
                service,
                region.namespace,
                record_patch(record),
                field_manager=MANAGER,
                _content_type=MERGE,
                _request_timeout=TIMEOUT,
                dry_run=dry_run,
            ),
        )


def _relevant(service: dict[str, Any]) -> list[str]:
    """Return the part of a Service that a switch touches, as YAML lines."""
    notes = service["metadata"].get("annotations") or {}
    part = {
        "annotations": {key: value for key, value in notes.items() if key.removeprefix(ANNOTATION_PREFIX) != key},
        "selector": (service.get("spec") or {}).get("selector"),
    }
    return yaml.safe_dump(part, sort_keys=True).splitlines()
