"""What doctor asks of the API server: what we may do, and who else writes what is ours. Nothing is changed."""

from __future__ import annotations

from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from activities.clients.kubernetes.core import TIMEOUT, KubernetesClient
from estate.base import Region

_DENIED = {403, 422}
"""No Role allows it; an admission policy does not (422: one that names no reason of its own)."""


class PermissionsClient:
    """Asks for the account that the worker itself has."""

    def __init__(self, kubernetes: KubernetesClient) -> None:
        """Ask through ``kubernetes``."""
        self._kubernetes = kubernetes

    async def may(self, region: Region, verb: str, resource: str, name: str = "", group: str = "") -> bool:
        """Return whether the API server says that we may do ``verb`` on ``resource`` (``pods/log`` for a part of one)."""
        kind, _, part = resource.partition("/")
        attributes = {"namespace": region.namespace, "verb": verb, "resource": kind, "group": group}
        attributes |= {"name": name} if name else {}
        attributes |= {"subresource": part} if part else {}
        body: Any = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self._kubernetes.call(
            region,
            "ask what we may do",
            lambda api: client.AuthorizationV1Api(api).create_self_subject_access_review(body, _request_timeout=TIMEOUT),
        )
        return bool((answer.get("status") or {}).get("allowed"))

    async def may_delete(self, region: Region, pod: str) -> bool:
        """Return whether the API server would let us delete this pod: Role and admission policies, by a dry run."""

        def call(api: client.ApiClient) -> bool:
            try:
                client.CoreV1Api(api).delete_namespaced_pod(pod, region.namespace, dry_run="All", _request_timeout=TIMEOUT)
            except ApiException as error:
                if error.status in _DENIED:
                    return False
                raise
            return True

        may: bool = await self._kubernetes.run(region, f"try to delete Pod {pod}", call)
        return may

    async def selector_managers(self, region: Region, service: str) -> tuple[str, ...]:
        """Return the field managers that own the selector of ``service``."""
        found = await self._kubernetes.service(region, service)
        owners = (
            entry.get("manager", "?")
            for entry in found["metadata"].get("managedFields") or []
            if "f:selector" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        )
        return tuple(sorted(set(owners)))
