"""Nodes and what runs on them, through the Kubernetes API."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from activities.clients.foreign import Message, says
from activities.clients.kubernetes.core import MANAGER, MERGE, TIMEOUT, KubernetesClient
from activities.clients.kubernetes.nodestate import CORDONED_FOR, bound_claims, is_homeless, node_fact, pod_fact
from activities.clients.ports import ConflictError, ForbiddenError, MissingError
from activities.nodes.models import NodeFact, NodePod, NodeWitness
from estate.base import Region

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
_KUBELET_PORT, _ASKED, _KNOCK_SECONDS, _ANSWERS = 10250, 5, 1.0, "answers"
_BUDGET_SAYS_NO = 429
_READERS = {
    "ReplicaSet": "read_namespaced_replica_set",
    "StatefulSet": "read_namespaced_stateful_set",
    "Deployment": "read_namespaced_deployment",
}


class NodesClient:
    """Speaks for any number of clusters."""

    def __init__(self, kubernetes: KubernetesClient) -> None:
        """Ask through ``kubernetes``."""
        self._kubernetes = kubernetes

    async def nodes(self, region: Region) -> tuple[NodeFact, ...]:
        """Return every node, sorted by name."""
        found = await self._kubernetes.call(
            region, "list Nodes", lambda api: client.CoreV1Api(api).list_node(_request_timeout=TIMEOUT)
        )
        return tuple(sorted((node_fact(one) for one in found.get("items", [])), key=lambda node: node.name))

    async def pods_on(self, region: Region, node: str) -> tuple[NodePod, ...]:
        """Return the pods that were given to ``node``, sorted by path."""
        pods = await self._pods(region, f"spec.nodeName={node}")
        return tuple(sorted((pod_fact(one) for one in pods), key=lambda pod: pod.path))

    async def homeless(self, region: Region, node: str, others: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the UIDs of the pods of ``node`` that none of the nodes ``others`` would take, and their bound claims."""
        pods, volumes = await asyncio.gather(self._pods(region), self._volumes(region))
        here = [one for one in pods if (one.get("spec") or {}).get("nodeName") == node]
        bound = {one["metadata"]["uid"]: bound_claims(one, set(others), volumes) for one in here}
        return {
            one["metadata"]["uid"]: claims
            for one in here
            if (claims := bound[one["metadata"]["uid"]]) or is_homeless(one, set(others), pods)
        }

    async def _volumes(self, region: Region) -> list[dict[str, Any]]:
        try:
            found = await self._kubernetes.call(
                region,
                "list PersistentVolumes",
                lambda api: client.CoreV1Api(api).list_persistent_volume(_request_timeout=TIMEOUT),
            )
        except ForbiddenError:
            return []
        items: list[dict[str, Any]] = found.get("items", [])
        return items

    async def _pods(self, region: Region, selector: str = "") -> list[dict[str, Any]]:
        found = await self._kubernetes.call(
            region,
            "list Pods",
            lambda api: client.CoreV1Api(api).list_pod_for_all_namespaces(field_selector=selector, _request_timeout=TIMEOUT),
        )
        items: list[dict[str, Any]] = found.get("items", [])
        return items

    async def cordon(self, region: Region, node: str, run: str) -> None:
        """Keep new pods away, and write down for which run. Safe to repeat."""
        await self._write(region, node, _cordon(run))

    async def uncordon(self, region: Region, node: str) -> None:
        """Let new pods on again, and forget for which run they were kept away. Safe to repeat."""
        await self._write(region, node, _cordon(None))

    async def evict(self, region: Region, pod: NodePod) -> str:
        """Evict this very pod; return why its budget does not let it go, empty when it goes or has gone."""
        body: Any = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }

        def call(api: client.ApiClient) -> str:
            try:
                client.CoreV1Api(api).create_namespaced_pod_eviction(pod.name, pod.namespace, body, _request_timeout=TIMEOUT)
            except ApiException as error:
                words = _budget(error)
                if error.status == _BUDGET_SAYS_NO or says(words, Message.SEVERAL_BUDGETS):
                    return words
                raise
            return ""

        try:
            said: str = await self._kubernetes.run(region, f"evict Pod {pod.path}", call)
        except (MissingError, ConflictError):
            return ""  # gone, or another one of that name
        return said

    async def delete(self, region: Region, pod: NodePod, *, at_once: bool = False) -> None:
        """Delete this very pod, whatever its budget says; one that is gone is success. ``at_once`` waits for no kubelet."""
        await self._kubernetes.delete_pod(region, pod.namespace, pod.name, pod.uid, at_once=at_once)

    async def witness(self, region: Region, node: NodeFact, pods: tuple[NodePod, ...]) -> NodeWitness:
        """Return what lease, kubelet port and pods tell of a node, each asked for at most a second."""
        asked = [pod for pod in pods if pod.address and pod.port and not pod.stays][:_ASKED]
        lease, port, *answers = await asyncio.gather(
            self._lease_age(region, node.name),
            _knock(node.address, _KUBELET_PORT),
            *(_knock(pod.address, pod.port) for pod in asked),
        )
        told = dict(zip((pod.path for pod in asked), answers, strict=True))
        return NodeWitness(
            lease_age_seconds=lease,
            port=port,
            answering=tuple(path for path, answer in told.items() if answer == _ANSWERS),
            silent=tuple(path for path, answer in told.items() if answer != _ANSWERS),
        )

    async def _lease_age(self, region: Region, node: str) -> float | None:
        try:
            lease = await self._kubernetes.call(
                region,
                f"get Lease {node}",
                lambda api: client.CoordinationV1Api(api).read_namespaced_lease(
                    node, "kube-node-lease", _request_timeout=TIMEOUT
                ),
            )
        except (MissingError, ForbiddenError):
            return None
        renewed = (lease.get("spec") or {}).get("renewTime")
        return (datetime.now(UTC) - datetime.fromisoformat(renewed)).total_seconds() if renewed else None

    async def give_up(self, region: Region, node: str) -> None:
        """Taint a node as out of service: its volumes may be used elsewhere. Only after proof that it is stopped."""
        await self._taint(region, node, given_up=True)

    async def take_back(self, region: Region, node: str) -> None:
        """Remove that taint. Safe to repeat."""
        await self._taint(region, node, given_up=False)

    async def _taint(self, region: Region, node: str, *, given_up: bool) -> None:
        """Add or remove the taint by compare-and-swap: others write this list too."""
        found = await self._kubernetes.call(
            region, f"get Node {node}", lambda api: client.CoreV1Api(api).read_node(node, _request_timeout=TIMEOUT)
        )
        taints = [one for one in (found.get("spec") or {}).get("taints") or [] if one["key"] != OUT_OF_SERVICE]
        taints += [{"key": OUT_OF_SERVICE, "value": "nodeshutdown", "effect": "NoExecute"}] if given_up else []
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await self._write(region, node, {"metadata": version, "spec": {"taints": taints}})

    async def _write(self, region: Region, node: str, body: dict[str, Any]) -> None:
        await self._kubernetes.call(
            region,
            f"patch Node {node}",
            lambda api: client.CoreV1Api(api).patch_node(
                node, body, field_manager=MANAGER, _content_type=MERGE, _request_timeout=TIMEOUT
            ),
        )

    async def unready(self, region: Region, pods: tuple[NodePod, ...]) -> tuple[str, ...]:
        """Return a line per controller of ``pods`` that has fewer ready pods than it wants; one that is gone wants none."""
        owners = sorted({(pod.namespace, pod.owner_kind, pod.owner) for pod in pods if pod.owner_kind in _READERS})
        lines = []
        for namespace, kind, name in owners:
            try:
                found = await self._owner(region, namespace, kind, name)
            except MissingError:
                continue
            wanted = (found.get("spec") or {}).get("replicas")
            ready = int((found.get("status") or {}).get("readyReplicas") or 0)
            if ready < (1 if wanted is None else int(wanted)):
                lines.append(f"{kind} {namespace}/{name}: {ready} of {wanted} ready")
        return tuple(lines)

    async def _owner(self, region: Region, namespace: str, kind: str, name: str) -> dict[str, Any]:
        return await self._kubernetes.call(
            region,
            f"get {kind} {namespace}/{name}",
            lambda api: getattr(client.AppsV1Api(api), _READERS[kind])(name, namespace, _request_timeout=TIMEOUT),
        )


async def _knock(address: str, port: int) -> str:
    """Return what connecting is like: ``answers``, ``refused`` or ``silent``."""
    if not address:
        return "silent"
    try:
        async with asyncio.timeout(_KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return "refused"
    except (OSError, TimeoutError):
        return "silent"
    writer.close()
    return _ANSWERS


def _cordon(run: str | None) -> dict[str, Any]:
    """Return the change of a node that keeps pods away for ``run``; ``None`` lets them on."""
    return {"metadata": {"annotations": {CORDONED_FOR: run}}, "spec": {"unschedulable": True if run else None}}


def _budget(error: ApiException) -> str:
    """Return the API server's words about the budget: its causes name it."""
    try:
        told = json.loads(error.body or "{}")
    except ValueError:
        told = {}
    causes = (told.get("details") or {}).get("causes") or []
    return next((one["message"] for one in causes if one.get("message")), told.get("message") or str(error.reason))
