"""What the API server's words about nodes and their pods mean. Pure."""

from __future__ import annotations

from typing import Any

from activities.clients.kubernetes.podstate import data_volumes
from activities.nodes.models import NodeFact, NodePod
from gate.record import ANNOTATION_PREFIX

_ROLES, _LEADERS = ("role", "spilo-role", "cnpg.io/instanceRole"), {"primary", "master", "leader"}
"""Labels that gates and other managers of databases give to the pod of a leader."""
CORDONED_FOR = f"{ANNOTATION_PREFIX}cordoned-for"


def node_fact(node: dict[str, Any]) -> NodeFact:
    """Return what a node's JSON says."""
    metadata, spec = node["metadata"], node.get("spec") or {}
    conditions = {one["type"]: one for one in (node.get("status") or {}).get("conditions") or []}
    ready = conditions.get("Ready", {})
    addresses = (node.get("status") or {}).get("addresses") or []
    return NodeFact(
        name=metadata["name"],
        ready=ready.get("status") or "Unknown",
        reason=f"{ready.get('reason') or ''}: {ready.get('message') or ''}".strip(": "),
        cordoned=bool(spec.get("unschedulable")),
        cordoned_for=(metadata.get("annotations") or {}).get(CORDONED_FOR, ""),
        labels=metadata.get("labels") or {},
        address=next((one["address"] for one in addresses if one["type"] == "InternalIP"), ""),
        taints=tuple(f"{one['key']}:{one['effect']}" for one in spec.get("taints") or []),
        provider_id=spec.get("providerID") or "",
    )


def pod_fact(pod: dict[str, Any]) -> NodePod:
    """Return what a pod's JSON says."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    owner: dict[str, Any] = next((one for one in metadata.get("ownerReferences") or [] if one.get("controller")), {})
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or []}
    return NodePod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner_kind=owner.get("kind", ""),
        owner=owner.get("name", ""),
        ready=conditions.get("Ready") == "True",
        address=status.get("podIP") or "",
        port=_first_port(pod),
        leaving=metadata.get("deletionTimestamp") is not None,
        stays=_why_it_stays(metadata, status, owner),
        volumes=data_volumes(pod),
        leads=_leads(metadata, owner),
    )


def _leads(metadata: dict[str, Any], owner: dict[str, Any]) -> str:
    """Return the label by which a pod says that it leads a database; a Deployment's pods lead none."""
    labels = metadata.get("labels") or {}
    told = [f"{key}={labels[key]}" for key in _ROLES if labels.get(key) in _LEADERS]
    return told[0] if told and owner.get("kind") != "ReplicaSet" else ""


def _why_it_stays(metadata: dict[str, Any], status: dict[str, Any], owner: dict[str, Any]) -> str:
    if "kubernetes.io/config.mirror" in (metadata.get("annotations") or {}) or owner.get("kind") == "Node":
        return "belongs to the node itself"
    if owner.get("kind") == "DaemonSet":
        return "belongs to a DaemonSet"
    return "is over" if status.get("phase") in {"Succeeded", "Failed"} else ""


def _first_port(pod: dict[str, Any]) -> int:
    containers = (pod.get("spec") or {}).get("containers") or []
    ports = [one["containerPort"] for container in containers for one in container.get("ports") or []]
    return int(ports[0]) if ports else 0


def is_homeless(pod: dict[str, Any], others: set[str], pods: list[dict[str, Any]]) -> bool:
    """Whether a pod's required anti-affinity rules out every one of the nodes ``others``, by what runs there now.

    Terms by host name only, and plain labels only; what else keeps a pod from a node shows when it stays unscheduled.
    """
    anti = ((pod.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") or {}
    for term in anti.get("requiredDuringSchedulingIgnoredDuringExecution") or []:
        wanted = (term.get("labelSelector") or {}).get("matchLabels") or {}
        if (
            term.get("topologyKey") != "kubernetes.io/hostname"
            or not wanted
            or term["labelSelector"].get("matchExpressions")
        ):
            continue
        taken = {
            (one.get("spec") or {}).get("nodeName")
            for one in pods
            if one["metadata"]["namespace"] == pod["metadata"]["namespace"]
            and one["metadata"].get("deletionTimestamp") is None
            and wanted.items() <= (one["metadata"].get("labels") or {}).items()
        }
        if others and others <= taken:
            return True
    return False


def bound_claims(pod: dict[str, Any], others: set[str], volumes: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return a pod's claims whose volumes can be reached from none of the nodes ``others``, by host name."""
    used = (pod.get("spec") or {}).get("volumes") or []
    claims = {one["persistentVolumeClaim"]["claimName"] for one in used if one.get("persistentVolumeClaim")}
    found = []
    for volume in volumes:
        claim = (volume.get("spec") or {}).get("claimRef") or {}
        if claim.get("namespace") == pod["metadata"]["namespace"] and claim.get("name") in claims:
            hosts = _hosts(volume)
            if others and hosts is not None and not hosts & others:
                found.append(claim["name"])
    return tuple(sorted(found))


def _hosts(volume: dict[str, Any]) -> set[str] | None:
    """Return the host names from which a volume can be reached; ``None``: not bound to host names."""
    required = ((volume["spec"].get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or []
    hosts: set[str] = set()
    for term in required:
        named = [
            one["values"]
            for one in term.get("matchExpressions") or []
            if one["key"] == "kubernetes.io/hostname" and one["operator"] == "In"
        ]
        if not named:
            return None
        hosts |= set.intersection(*map(set, named))
    return hosts or None
