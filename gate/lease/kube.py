"""The few calls that a gate makes to the Kubernetes API server, with its own service account."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any

import aiohttp

from gate.record import MalformedRecordError, Mirror, Record, read_record, record_patch
from gate.settings import Settings

SILENT = (aiohttp.ClientError, TimeoutError, OSError)
_MERGE = "application/merge-patch+json"
_MANAGER = "failover"


class ConflictError(Exception):
    """The record changed between read and write; nothing was written."""


class ApiServer:
    """Reads and writes the leader record, its Lease, and this pod's role label."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http: aiohttp.ClientSession | None = None
        self._lease = (0, "")
        self._renewing = asyncio.Lock()
        """Epoch and version of the Lease as this gate wrote it last; of another epoch it must be read first."""
        space, service = settings.namespace, settings.service
        self._service = f"/api/v1/namespaces/{space}/services/{service}"
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases"
        self._pods = f"/api/v1/namespaces/{space}/pods"

    async def record(self) -> Record | None:
        """Return the leader record, ``None`` when there is none.

        Raises:
            aiohttp.ClientError, TimeoutError: no answer, or not the one that we may act on.
            MalformedRecordError: there is no write Service, or what it carries is no record.
        """
        if (service := await self._find(self._service)) is None:
            raise MalformedRecordError(f"there is no Service {self._settings.namespace}/{self._settings.service}")
        return read_record(service)

    async def write(self, record: Record) -> Record:
        """Write with compare-and-swap; return the record as written.

        Raises:
            ConflictError: somebody wrote in between.
        """
        written = read_record(await self._call("PATCH", self._service, record_patch(record)))
        if written is None:
            raise ConflictError("the record vanished")
        return written

    async def version(self) -> str:
        """Return the write Service's ``resourceVersion``, for the first record."""
        service = await self._call("GET", self._service)
        return str(service["metadata"]["resourceVersion"])

    async def mirror(self) -> Mirror | None:
        """Return what the Lease says that mirrors the record, ``None`` when there is none."""
        if (lease := await self._find(f"{self._leases}/{self._settings.service}")) is None:
            return None
        spec = lease.get("spec") or {}
        return Mirror(holder=spec.get("holderIdentity") or "", epoch=int(spec.get("leaseTransitions") or 0))

    async def renew(self, record: Record) -> None:
        """Let the Lease say what the record says, and that its leader has just been here; with compare-and-swap.

        Whoever sees it unchanged for ``isolation_timeout`` knows that the API server has vouched for nobody meanwhile
        (``gate.lease.renewal``). ``leaseDurationSeconds`` says that it is kept so; a Lease without it is only a mirror.

        Raises:
            ConflictError: it is another's by now: a later epoch has been written, or somebody wrote in between.
        """
        async with self._renewing:
            await self._renew(record)

    async def _renew(self, record: Record) -> None:
        spec = {
            "holderIdentity": record.leader,
            "leaseTransitions": record.epoch,
            "leaseDurationSeconds": max(1, int(self._settings.isolation_timeout)),
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        (epoch, version), self._lease = self._lease, (0, "")
        if not version or epoch != record.epoch:
            version = await self._free_lease(record.epoch)
        name = self._settings.service
        if version:
            body = {"metadata": {"resourceVersion": version}, "spec": spec}
            written = await self._call("PATCH", f"{self._leases}/{name}", body)
        else:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
            written = await self._call("POST", self._leases, body)
        self._lease = record.epoch, written["metadata"]["resourceVersion"]

    async def _free_lease(self, epoch: int) -> str:
        """Return the Lease's version if a record of ``epoch`` may renew it; empty when there is none yet."""
        if (lease := await self._find(f"{self._leases}/{self._settings.service}")) is None:
            return ""
        if int((lease.get("spec") or {}).get("leaseTransitions") or 0) > epoch:
            raise ConflictError("the Lease has a later epoch")
        return str(lease["metadata"]["resourceVersion"])

    async def address_of(self, member: str) -> str | None:
        """Return the address of a member's pod, ``None`` when it has none.

        Raises:
            aiohttp.ClientError, TimeoutError: no answer, or we may not ask.
        """
        pod = await self._find(f"{self._pods}/{member}")
        return None if pod is None else (pod.get("status") or {}).get("podIP")

    async def label(self, role: str) -> None:
        """Set label ``role`` on this pod."""
        await self._call("PATCH", f"{self._pods}/{self._settings.member}", {"metadata": {"labels": {"role": role}}})

    async def close(self) -> None:
        """Let go of the connection."""
        if self._http is not None:
            await self._http.close()

    async def _find(self, path: str) -> dict[str, Any] | None:
        """Return what is at ``path``, ``None`` when there is nothing."""
        try:
            return await self._call("GET", path)
        except aiohttp.ClientResponseError as error:
            if error.status == 404:  # noqa: PLR2004 - HTTP: not found
                return None
            raise

    async def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token()}"}
        if method == "PATCH":
            headers["Content-Type"] = _MERGE
        query = {} if method == "GET" else {"fieldManager": _MANAGER}
        session = self._session()
        async with session.request(
            method, self._settings.api_server + path, json=body, headers=headers, params=query
        ) as answer:
            if answer.status == 409:  # noqa: PLR2004 - HTTP: conflict
                raise ConflictError(path)
            answer.raise_for_status()
            content: dict[str, Any] = await answer.json()
            return content

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            authority = self._settings.account / "ca.crt"
            trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(authority)) if authority.exists() else True
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=2), connector=aiohttp.TCPConnector(ssl=trust)
            )
        return self._http

    def _token(self) -> str:
        """Return the service account's token; it is rotated, so it is read each time."""
        path = self._settings.account / "token"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""
