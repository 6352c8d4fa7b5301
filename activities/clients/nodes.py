"""Nodes and what runs on them, through the Kubernetes API."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from activities.clients.kubernetes import MANAGER, TIMEOUT, KubernetesClient
from activities.clients.nodestate import CORDONED_FOR, is_homeless, node_fact, pod_fact
from activities.clients.ports import ConflictError, ForbiddenError, MissingError
from activities.models.nodes import NodeFact, NodePod, NodeWitness
from estate.base import Region

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
_KUBELET_PORT, _ASKED, _KNOCK_SECONDS, _ANSWERS = 10250, 5, 1.0, "answers"
_MERGE = "application/merge-patch+json"
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
        found = await self._kubernetes.call(
            region,
            "list Pods",
            lambda api: client.CoreV1Api(api).list_pod_for_all_namespaces(_request_timeout=TIMEOUT),
        )
        pods = found.get("items", [])
        others = {one.name for one in await self.nodes(region) if one.takes_pods} - {node}
        here = [one for one in pods if (one.get("spec") or {}).get("nodeName") == node]
        facts = (pod_fact(one).model_copy(update={"homeless": is_homeless(one, others, pods)}) for one in here)
        return tuple(sorted(facts, key=lambda pod: pod.path))

    async def cordon(self, region: Region, node: str, run: str) -> None:
        """Keep new pods away, and write down for which run. Safe to repeat."""
        await self._patch(region, node, cordoned=True, run=run)

    async def uncordon(self, region: Region, node: str) -> None:
        """Let new pods on again, and forget for which run they were kept away. Safe to repeat."""
        await self._patch(region, node, cordoned=False, run=None)

    async def _patch(self, region: Region, node: str, *, cordoned: bool, run: str | None) -> None:
        body = {"metadata": {"annotations": {CORDONED_FOR: run}}, "spec": {"unschedulable": cordoned or None}}
        await self._kubernetes.call(
            region,
            f"patch Node {node}",
            lambda api: client.CoreV1Api(api).patch_node(
                node, body, field_manager=MANAGER, _content_type=_MERGE, _request_timeout=TIMEOUT
            ),
        )

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
                if error.status == _BUDGET_SAYS_NO or "PodDisruptionBudget" in words:  # of several at once it says 500
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
        options = client.V1DeleteOptions(
            preconditions=client.V1Preconditions(uid=pod.uid), grace_period_seconds=0 if at_once else None
        )
        try:
            await self._kubernetes.call(
                region,
                f"delete Pod {pod.path}",
                lambda api: client.CoreV1Api(api).delete_namespaced_pod(
                    pod.name, pod.namespace, body=options, _request_timeout=TIMEOUT
                ),
            )
        except (MissingError, ConflictError):
            return

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
        body = {"metadata": version, "spec": {"taints": taints}}
        await self._kubernetes.call(
            region,
            f"patch Node {node}",
            lambda api: client.CoreV1Api(api).patch_node(
                node, body, field_manager=MANAGER, _content_type=_MERGE, _request_timeout=TIMEOUT
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


def _budget(error: ApiException) -> str:
    """Return the API server's words about the budget: its causes name it."""
    try:
        told = json.loads(error.body or "{}")
    except ValueError:
        told = {}
    causes = (told.get("details") or {}).get("causes") or []
    return next((one["message"] for one in causes if one.get("message")), told.get("message") or str(error.reason))
