"""The clusters of two regions, as a region's failover uses them: Deployments, the Lease, nodes, pods, rights.

Every change names the ``resourceVersion`` that it was decided by, so that two runs cannot both believe theirs was written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kubernetes import client

from activities.clients.kubernetes.core import MANAGER, MERGE, TIMEOUT, KubernetesClient
from activities.clients.kubernetes.nodestate import node_fact
from activities.clients.kubernetes.objects import Applying
from activities.clients.kubernetes.permissions import PermissionsClient
from activities.clients.kubernetes.podstate import rollout_of
from activities.clients.ports import MissingError
from activities.clients.region_ports import Objects
from activities.region.failover_models import LEASE_LASTS, HeldLease, ReadySeen, Scale
from estate.base import Region

KEPT, KEPT_FOR = "failover/scaled-from", "failover/scaled-for"
"""Annotations of a Deployment: how many pods it asked for, and which run has scaled it to zero."""
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_RIGHTS = (
    ("list", "nodes", ""),
    ("list", "pods", ""),
    ("list", "deployments", "apps"),
)
_BY_NAME = ("get", "update")
"""What is done with the Lease once there is one."""


class RegionsClient:
    """Speaks for any number of clusters."""

    def __init__(self, kubernetes: KubernetesClient) -> None:
        """Ask through ``kubernetes``."""
        self._kubernetes, self._permissions = kubernetes, PermissionsClient(kubernetes)
        self._applying = Applying(kubernetes)

    async def scale(self, region: Region, deployment: str) -> Scale:
        """Return what a Deployment asks for."""
        return _scale(await self._kubernetes.deployment(region, deployment))

    async def may_scale(self, region: Region, deployment: str) -> bool:
        """Return whether the API server says that we may patch a Deployment."""
        return await self._permissions.may(region, "patch", "deployments", deployment, group="apps")

    async def scale_down(self, region: Region, seen: Scale, run: str) -> Scale:
        """Scale to zero what ``seen`` describes, and keep what it asks for now: an older note is out of date."""
        return await self._scale(region, seen, 0, {KEPT: str(seen.wanted), KEPT_FOR: run})

    async def scale_back(self, region: Region, seen: Scale) -> Scale:
        """Give back the number that is kept. What somebody has scaled up meanwhile keeps its own."""
        back = seen.kept if seen.wanted == 0 else seen.wanted
        return await self._scale(region, seen, back, {KEPT: None, KEPT_FOR: None})

    async def _scale(self, region: Region, seen: Scale, pods: int | None, notes: dict[str, str | None]) -> Scale:
        body = {
            "metadata": {"resourceVersion": seen.version, "annotations": notes},
            "spec": {} if pods is None else {"replicas": pods},
        }
        found = await self._kubernetes.call(
            region,
            f"scale Deployment {seen.name}",
            lambda api: client.AppsV1Api(api).patch_namespaced_deployment(
                seen.name, region.namespace, body, field_manager=MANAGER, _content_type=MERGE, _request_timeout=TIMEOUT
            ),
        )
        return _scale(found).model_copy(update={"untouched": False})

    async def nodes(self, region: Region) -> tuple[int, int]:
        """Return how many nodes are Ready and take pods, and how many there are."""
        found = await self._nodes(region)
        return sum(node_fact(one).takes_pods for one in found), len(found)

    async def images(self, region: Region) -> tuple[frozenset[str], ...]:
        """Return the images that each node names which is Ready and takes pods."""
        return tuple(
            frozenset(name for image in one.get("status", {}).get("images") or [] for name in image.get("names") or [])
            for one in await self._nodes(region)
            if node_fact(one).takes_pods
        )

    async def _nodes(self, region: Region) -> list[dict[str, Any]]:
        found = await self._kubernetes.call(
            region, "list Nodes", lambda api: client.CoreV1Api(api).list_node(_request_timeout=TIMEOUT)
        )
        nodes: list[dict[str, Any]] = found.get("items", [])
        return nodes

    async def missing_rights(self, region: Region, lease: str) -> tuple[str, ...]:
        """Return what it needs to serve from ``region`` and we may not. What the overlay needs, its dry run shows."""
        needed = [(*one, "") for one in _RIGHTS]
        if lease:
            needed.append(("create", "leases", "coordination.k8s.io", ""))
            needed += [(verb, "leases", "coordination.k8s.io", lease) for verb in _BY_NAME]
        return tuple(
            [
                f"{verb} {resource} {name}".strip()
                for verb, resource, group, name in needed
                if not await self._permissions.may(region, verb, resource, name, group=group)
            ]
        )

    async def lease(self, region: Region, name: str) -> HeldLease:
        """Return the Lease; one that does not exist is held by nobody."""
        try:
            found = await self._kubernetes.call(
                region,
                f"get Lease {name}",
                lambda api: client.CoordinationV1Api(api).read_namespaced_lease(
                    name, region.namespace, _request_timeout=TIMEOUT
                ),
            )
        except MissingError:
            return HeldLease()
        spec, version = found.get("spec") or {}, found["metadata"]["resourceVersion"]
        renewed = spec.get("renewTime")
        at = datetime.fromisoformat(renewed) if renewed else None
        return HeldLease(holder=spec.get("holderIdentity") or "", renewed_at=at, version=version)

    async def write_lease(self, region: Region, name: str, lease: HeldLease) -> None:
        """Write it, renewed now, over the version that ``lease`` names; none: it must not exist."""
        meta = {"name": name, **({"resourceVersion": lease.version} if lease.version else {})}
        body: Any = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": meta,
            "spec": {
                "holderIdentity": lease.holder,
                "leaseDurationSeconds": int(LEASE_LASTS.total_seconds()),
                "renewTime": datetime.now(UTC).strftime(_TIME),
            },
        }

        def call(api: client.ApiClient) -> object:
            leases = client.CoordinationV1Api(api)
            options: Any = {"field_manager": MANAGER, "_request_timeout": TIMEOUT}
            if lease.version:
                return leases.replace_namespaced_lease(name, region.namespace, body, **options)
            return leases.create_namespaced_lease(region.namespace, body, **options)

        await self._kubernetes.call(region, f"write Lease {name}", call)

    async def try_objects(self, region: Region, objects: Objects) -> tuple[str, ...]:
        """Return what the API server would change, a line a field."""
        return await self._applying.tried(region, objects)

    async def apply(self, region: Region, objects: Objects) -> None:
        """Apply the objects as our own."""
        await self._applying.applied(region, objects)

    async def ready_pods(self, region: Region, selector: str) -> ReadySeen:
        """Return how many of the pods that Deployments make for ``selector`` are Ready and up to date."""
        wanted = dict(part.split("=", 1) for part in selector.split(","))
        found = await self._kubernetes.call(
            region,
            "list Deployments",
            lambda api: client.AppsV1Api(api).list_namespaced_deployment(region.namespace, _request_timeout=TIMEOUT),
        )
        making = [one for one in found.get("items", []) if wanted.items() <= _pod_labels(one).items()]
        pods = await self._kubernetes.call(
            region,
            f"list Pods {selector}",
            lambda api: client.CoreV1Api(api).list_namespaced_pod(
                region.namespace, label_selector=selector, _request_timeout=TIMEOUT
            ),
        )
        return _ready(selector, making, pods.get("items", []))


def _ready(selector: str, making: list[dict[str, Any]], pods: list[dict[str, Any]]) -> ReadySeen:
    """Return how far the Deployments that make ``pods`` are."""
    rollouts = {one["metadata"]["name"]: rollout_of(one) for one in making}
    ready = sum(map(_is_ready, pods))
    behind = [
        f"Deployment {name}: {one.ready} of {one.wanted} ready {one.hindrance}".strip()
        for name, one in rollouts.items()
        if not one.done
    ]
    wanted = sum(one.wanted for one in rollouts.values())
    if not wanted:
        behind = [f"no Deployment makes pods with {selector}, or it asks for none"]
    elif ready < wanted and not behind:
        behind = [f"{ready} of {wanted} pods with {selector} are Ready"]
    return ReadySeen(at=datetime.now(UTC), ready=ready, wanted=wanted, words="; ".join(behind))


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = {one["type"]: one["status"] for one in (pod.get("status") or {}).get("conditions") or []}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _pod_labels(deployment: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return labels


def _scale(found: dict[str, Any]) -> Scale:
    meta = found["metadata"]
    notes = meta.get("annotations") or {}
    kept = notes.get(KEPT)
    return Scale(
        name=meta["name"],
        wanted=int(found["spec"].get("replicas", 1)),
        kept=int(kept) if kept and kept.isdigit() else None,
        kept_for=notes.get(KEPT_FOR) or "",
        version=meta["resourceVersion"],
    )
