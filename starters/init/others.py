"""Recognises the rest: Deployments, node pools, our own workers and witnesses, and what leads out of the cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starters.init.guesses import Guess
from starters.init.podsets import PodSet, environment_of
from starters.init.postgres import is_ours
from starters.init.seen import Seen

POOLS = ("kubernetes.azure.com/agentpool", "agentpool", "eks.amazonaws.com/nodegroup", "cloud.google.com/gke-nodepool")
REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
_FLEXIBLE = re.compile(r"[a-z0-9][a-z0-9.-]*\.postgres\.database\.azure\.com")
EVERY_NODE = "workers"


@dataclass(frozen=True)
class FoundWorkload:
    """One Deployment."""

    deployment: str
    service: str = ""
    port: int = 0
    path: str = ""
    """``service``, ``port`` and ``path``: how it is asked over HTTP; empty: it is not."""
    remark: str = ""


@dataclass(frozen=True)
class FoundPool:
    """Nodes with one label."""

    name: str
    selector: Mapping[str, str]
    remark: str
    azure: bool


def worker_of(seen: Seen) -> PodSet | None:
    """Return the Deployment of our workers, if it is there."""
    return next((one for one in seen.stateless if is_ours(one)), None)


def witnesses_of(seen: Seen) -> Guess:
    """Return the pods that observe."""
    for one in seen.stateful:
        if any(each["name"] == "FAILOVER_WITNESS" for container in one.containers for each in container.get("env") or ()):
            return Guess(one.pods, f"StatefulSet {one.name}", sure=True)
    return Guess(tuple(f"failover-witness-{number}" for number in range(3)), "the names of the shipped manifests")


def records_of(worker: PodSet | None) -> Guess:
    """Return the directory that workers keep records in."""
    claimed = {one["name"] for one in worker.spec.get("volumes") or () if one.get("persistentVolumeClaim")} if worker else ()
    for container in worker.containers if worker else ():
        for mount in container.get("volumeMounts") or ():
            if mount["name"] in claimed and worker:
                return Guess(mount["mountPath"], f"the volume of Deployment {worker.name}", sure=True)
    return Guess("/var/lib/failover/records", "where the shipped manifests have a volume for it")


def workloads_of(seen: Seen) -> list[FoundWorkload]:
    """Return the Deployments, but for ours and those that are scaled to zero."""
    return [_workload(one, seen) for one in seen.stateless if not is_ours(one) and one.replicas]


def _workload(one: PodSet, seen: Seen) -> FoundWorkload:
    budget = next(
        (found for found in seen.objects["poddisruptionbudgets"] if _selects(found["spec"].get("selector"), one)), None
    )
    remarks = [f"{one.replicas} replica{'s' if one.replicas > 1 else ''}"]
    remarks.append(f"PodDisruptionBudget {budget['metadata']['name']}" if budget else "no PodDisruptionBudget")
    spread = one.spec.get("topologySpreadConstraints") or (one.spec.get("affinity") or {}).get("podAntiAffinity")
    remarks.append("spread over nodes" if spread else "may share a node")
    if one.claims:
        remarks.append("has a volume")
    probed = _probed(one)
    asked = _asked(one, seen, probed[0]) if probed else None
    return FoundWorkload(one.name, *(asked or ("", 0)), probed[1] if asked and probed else "", ", ".join(remarks))


def _selects(selector: Mapping[str, Any] | None, one: PodSet) -> bool:
    labels = (selector or {}).get("matchLabels") or {}
    return bool(labels) and labels.items() <= one.labels.items()


def _probed(one: PodSet) -> tuple[int | str, str] | None:
    """Return port and path of the readiness probe, if it is plain HTTP."""
    for container in one.containers:
        probe = (container.get("readinessProbe") or {}).get("httpGet") or {}
        if probe.get("path") and probe.get("scheme", "HTTP") == "HTTP" and probe["path"][0] == "/":
            names = {each.get("name"): each["containerPort"] for each in container.get("ports") or ()}
            return names.get(probe["port"], probe["port"]), probe["path"]
    return None


def _asked(one: PodSet, seen: Seen, port: int | str) -> tuple[str, int] | None:
    """Return the Service, and its port, that leads to the probed port of these pods."""
    names = {
        each.get("name"): each["containerPort"] for container in one.containers for each in container.get("ports") or ()
    }
    for service in seen.objects["services"]:
        selector = service["spec"].get("selector") or {}
        if not selector or not selector.items() <= one.labels.items():
            continue
        for each in service["spec"].get("ports") or ():
            target = each.get("targetPort", each["port"])
            if names.get(target, target) == port:
                return service["metadata"]["name"], each["port"]
    return None


def pools_of(seen: Seen) -> list[FoundPool]:
    """Return the node pools by their label; one of all nodes where none has such a label."""
    pools: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for node in seen.objects["nodes"]:
        labels = node["metadata"].get("labels") or {}
        key = next((one for one in POOLS if one in labels), "")
        pools.setdefault((key, labels.get(key, "")), []).append(node)
    if set(pools) == {("", "")}:
        return [_pool(EVERY_NODE, {}, pools["", ""], "no node has a label of a pool: every node")]
    return [_pool(value, {key: value}, nodes, f"label {key}") for (key, value), nodes in sorted(pools.items()) if key]


def _pool(name: str, selector: dict[str, str], nodes: list[dict[str, Any]], why: str) -> FoundPool:
    labels = [one["metadata"].get("labels") or {} for one in nodes]
    zones = sorted({one[ZONE] for one in labels if ZONE in one})
    system = any(one.get("kubernetes.azure.com/mode") == "system" for one in labels)
    azure = all(re.match("azure://", one["spec"].get("providerID") or "") for one in nodes)
    count = f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}"
    remark = f"{why}; {count}, {'zones ' + ', '.join(zones) if zones else 'no zones'}{'; mode system' if system else ''}"
    return FoundPool(name.lower(), selector, remark, azure)


def region_of(seen: Seen) -> Guess:
    """Return the region that the nodes tell."""
    regions = {(one["metadata"].get("labels") or {}).get(REGION) for one in seen.objects["nodes"]} - {None, ""}
    if len(regions) == 1:
        return Guess(str(regions.pop()).lower(), f"label {REGION} of the nodes")
    return Guess(None, f"the nodes are in {', '.join(sorted(map(str, regions)))}" if regions else "no node tells its region")


def outside_of(seen: Seen) -> list[str]:
    """Return a sentence for each thing that leads out of the cluster, which this file cannot describe."""
    found = []
    for one in seen.stateless:
        texts = (value for container in one.containers for value in environment_of(container, seen.settings).values())
        servers = sorted({server for text in texts for server in _FLEXIBLE.findall(text)})
        found += [
            f"Deployment {one.name} names {server}: a Flexible Server belongs to flexible_servers" for server in servers
        ]
    for ingress in seen.objects["ingresses"]:
        spec = ingress["spec"]
        hosts = ", ".join(rule["host"] for rule in spec.get("rules") or () if rule.get("host")) or "all hosts"
        given = (ingress["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
        kind = spec.get("ingressClassName") or given or "the default class"
        belongs = "an Application Gateway belongs to gateways" if "application-gateway" in kind else "see traffic"
        found.append(f"Ingress {ingress['metadata']['name']} ({kind}) takes {hosts}: {belongs}")
    return found + _operated(seen)


def _operated(seen: Seen) -> list[str]:
    """Return a sentence for each database whose pods another operator makes: it moves them, not this product."""
    owners = set()
    for pod in seen.objects["pods"]:
        labels = pod["metadata"].get("labels") or {}
        if name := labels.get("cnpg.io/cluster"):
            owners.add(f"PostgreSQL {name} is run by CloudNativePG, which moves it; it is left out")
    return sorted(owners)
