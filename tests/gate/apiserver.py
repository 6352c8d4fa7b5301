"""The four Kubernetes objects that gates talk about, with ``resourceVersion`` as the real API server keeps it."""

from __future__ import annotations

import copy
from typing import Any

from aiohttp import web

from gate.record import Record, read_record, record_patch

NAMESPACE = "aiagent-prod"
SERVICE = "postgresql-primary"


def merge_selector(spec: dict[str, Any], patch: dict[str, Any]) -> None:
    """Change the selector of a Service as a merge patch does: labels that are not named stay."""
    if "selector" in patch:
        labels = {**(spec.get("selector") or {}), **(patch["selector"] or {})}
        spec["selector"] = {key: value for key, value in labels.items() if value is not None}


class ApiServer:
    """A write Service, its Lease, and pods' labels."""

    def __init__(self, service: dict[str, Any] | None = None) -> None:
        """Begin with ``service``, or with one that has no record yet."""
        self.service = service or {"metadata": {"name": SERVICE, "namespace": NAMESPACE}, "spec": {}}
        self.version = int(self.service["metadata"].get("resourceVersion", 1))
        self.lease: dict[str, Any] | None = None
        self.labels: dict[str, str] = {}
        self.silent = False
        self.lease_forbidden = False
        """Nobody may write the Lease any more."""
        self._stamp()

    def _stamp(self) -> None:
        self.version += 1
        self.service["metadata"]["resourceVersion"] = str(self.version)

    @property
    def record(self) -> Record | None:
        return read_record(copy.deepcopy(self.service))

    def write(self, **changes: Any) -> Record:
        """Change the record as a worker would."""
        record = self.record
        assert record is not None
        self.patch(record_patch(record.model_copy(update=changes)))
        written = self.record
        assert written is not None
        return written

    def patch(self, patch: dict[str, Any]) -> None:
        version = patch["metadata"].get("resourceVersion")
        if version is not None and version != self.service["metadata"]["resourceVersion"]:
            raise web.HTTPConflict
        notes = self.service["metadata"].setdefault("annotations", {})
        for key, value in patch["metadata"].get("annotations", {}).items():
            if value is None:
                notes.pop(key, None)
            else:
                notes[key] = value
        merge_selector(self.service["spec"], patch.get("spec", {}))
        self._stamp()

    def application(self) -> web.Application:
        app = web.Application()
        space = f"/api/v1/namespaces/{NAMESPACE}"
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
        app.router.add_get(f"{space}/services/{SERVICE}", self._get_service)
        app.router.add_patch(f"{space}/services/{SERVICE}", self._patch_service)
        app.router.add_get(f"{leases}/{SERVICE}", self._get_lease)
        app.router.add_patch(f"{leases}/{SERVICE}", self._patch_lease)
        app.router.add_post(leases, self._post_lease)
        app.router.add_patch(f"{space}/pods/{{pod}}", self._patch_pod)
        return app

    def _speak(self) -> None:
        if self.silent:
            raise web.HTTPServiceUnavailable

    async def _get_service(self, _: web.Request) -> web.Response:
        self._speak()
        return web.json_response(self.service)

    async def _patch_service(self, request: web.Request) -> web.Response:
        self._speak()
        self.patch(await request.json())
        return web.json_response(self.service)

    async def _get_lease(self, _: web.Request) -> web.Response:
        self._speak()
        if self.lease is None:
            raise web.HTTPNotFound
        return web.json_response(self.lease)

    async def _patch_lease(self, request: web.Request) -> web.Response:
        self._speak()
        if self.lease is None:
            raise web.HTTPNotFound
        self.write_lease(await request.json())
        return web.json_response(self.lease)

    async def _post_lease(self, request: web.Request) -> web.Response:
        self._speak()
        self.lease = {"metadata": {"name": SERVICE}, "spec": {}}
        self.write_lease(await request.json())
        return web.json_response(self.lease)

    def write_lease(self, patch: dict[str, Any]) -> None:
        """Write the Lease; with a version only if it is the current one."""
        assert self.lease is not None
        if patch["metadata"].get("resourceVersion", self.lease_version) != self.lease_version or self.lease_forbidden:
            raise web.HTTPConflict
        self.lease["spec"].update(patch["spec"])
        self.version += 1
        self.lease["metadata"]["resourceVersion"] = str(self.version)

    @property
    def lease_version(self) -> str:
        return str(self.lease["metadata"].get("resourceVersion", "")) if self.lease else ""

    async def _patch_pod(self, request: web.Request) -> web.Response:
        self._speak()
        body = await request.json()
        self.labels[request.match_info["pod"]] = body["metadata"]["labels"]["role"]
        return web.json_response({})
