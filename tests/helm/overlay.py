"""The same choices twice: as values of the chart, and as an overlay of a renamed base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deploy.helm.base import OBSERVABILITY, Object
from tests.deploy.manifests import build
from tests.helm.renamed import SPACE, renamed_base

_DIGEST = "sha256:" + "0123456789abcdef" * 4
_ID = "00000000-0000-0000-0000-00000000000a"
_FAST, _MORE = {"pool": "fast"}, {"requests": {"cpu": 2, "memory": "8Gi"}}
_TAINT = [{"key": "only", "operator": "Equal", "value": "data", "effect": "NoSchedule"}]
_IMAGE = "registry.example.com/failover"
VALUES: dict[str, Any] = {
    "clusterSuffix": "-shop",
    "temporal": {"address": "temporal.example.com:7233", "namespace": "shop", "queue": "shop-queue", "tls": True},
    "secrets": {
        name: f"shop-{secret}"
        for name, secret in {
            "postgresql": "postgresql-passwords",
            "gate": "gate-token",
            "redis": "redis-password",
            "signing": "failover-signing",
            "evidence": "failover-evidence",
            "temporal": "failover-temporal",
        }.items()
    },
    "images": {
        "postgresql": {"name": _IMAGE, "digest": _DIGEST},
        "worker": {"name": _IMAGE, "tag": "1", "digest": _DIGEST},
        "redis": {"name": "registry.example.com/redis", "tag": "7.2"},
    },
    "imagePullSecrets": ["puller"],
    "postgresql": {
        "gate": {"GATE_ISOLATION_TIMEOUT": "20"},
        "resources": _MORE,
        "storage": {"size": "200Gi", "class": "fast-ssd"},
        "nodeSelector": _FAST,
        "tolerations": _TAINT,
    },
    "redis": {"storage": {"size": "20Gi", "class": "fast-ssd"}},
    "sentinel": {"storage": {"class": "fast-ssd"}},
    "worker": {
        "replicas": 3,
        "secrets": {"flexible-login": "flexible"},
        "environment": {"KUBECONFIG": "/var/run/secrets/failover/flexible/c"},
    },
    "records": {"size": "2Gi", "class": "shared-files"},
    "workloadIdentity": {"worker": _ID},
    "regionFailover": {"surviving": True, "lost": True},
    "observability": {"enabled": True, "podMonitor": "azmonitoring.coreos.com/v1"},
}


def overlay_under_other_names(folder: Path) -> tuple[str, list[Object]]:
    """Return the estate, and what kustomize builds of a base under other names with what VALUES asks for."""
    estate = renamed_base(folder)
    (folder / "observability").symlink_to(OBSERVABILITY)
    document = {
        "namespace": SPACE,
        "resources": ["base", "surviving.yaml", "lost.yaml"],
        "components": ["observability"],
        "images": [
            {"name": "failover-postgresql", "newName": _IMAGE, "digest": _DIGEST},
            {"name": "failover-worker", "newName": _IMAGE, "newTag": "1", "digest": _DIGEST},
            {"name": "redis", "newName": "registry.example.com/redis", "newTag": "7.2"},
        ],
        "replicas": [{"name": "failover-worker", "count": 3}],
        "configMapGenerator": [
            _merged(
                "failover-temporal",
                "TEMPORAL_ADDRESS=temporal.example.com:7233",
                "TEMPORAL_NAMESPACE=shop",
                "FAILOVER_TASK_QUEUE=shop-queue",
                "TEMPORAL_TLS=true",
            ),
            {
                "options": {"disableNameSuffixHash": True},
                **_merged(
                    "postgresql-gate",
                    "GATE_ISOLATION_TIMEOUT=20",
                    "GATE_DURABILITY=strict",
                    "GATE_ADDRESS={member}.pg-members.{namespace}.svc.cluster.local",
                ),
            },
        ],
        "patches": _patches(),
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return estate, [_for_azure(one) for one in build(folder)]


def _merged(name: str, *literals: str) -> dict[str, Any]:
    return {"name": name, "behavior": "merge", "literals": list(literals)}


def _patches() -> list[dict[str, Any]]:
    spec, disk = "/spec/template/spec", "/spec/volumeClaimTemplates/0/spec"
    container, label = f"{spec}/containers/0", "/spec/template/metadata/labels/azure.workload.identity~1use"
    mounted = {"name": "flexible", "mountPath": "/var/run/secrets/failover/flexible", "readOnly": True}
    kubeconfig = {"name": "KUBECONFIG", "value": "/var/run/secrets/failover/flexible/c"}
    return [
        _patch(
            "StatefulSet",
            "pg-.*",
            ("add", f"{spec}/nodeSelector", _FAST),
            ("add", f"{spec}/tolerations", _TAINT),
            ("replace", f"{container}/resources", _MORE),
            ("replace", f"{disk}/resources/requests/storage", "200Gi"),
        ),
        _patch("StatefulSet", "cache", ("replace", f"{disk}/resources/requests/storage", "20Gi")),
        _patch("StatefulSet", "(pg|cache).*", ("add", f"{disk}/storageClassName", "fast-ssd")),
        _patch("(StatefulSet|Deployment)", ".*", ("add", f"{spec}/imagePullSecrets", [{"name": "puller"}])),
        _patch(
            "PersistentVolumeClaim",
            "failover-records",
            ("add", "/spec/storageClassName", "shared-files"),
            ("replace", "/spec/resources/requests/storage", "2Gi"),
        ),
        _patch(
            "ServiceAccount", "failover-worker", ("add", "/metadata/annotations", {"azure.workload.identity/client-id": _ID})
        ),
        _patch(
            "Deployment",
            "failover-worker",
            ("add", label, "true"),
            ("add", f"{container}/env/-", kubeconfig),
            ("add", f"{container}/volumeMounts/-", mounted),
            ("add", f"{spec}/volumes/-", {"name": "flexible", "secret": {"secretName": "flexible-login"}}),
        ),
        _patch(
            "Deployment", "failover-exporter", ("replace", f"{container}/envFrom/1/secretRef/name", "shop-failover-temporal")
        ),
    ]


def _patch(kind: str, name: str, *operations: tuple[str, str, Any]) -> dict[str, Any]:
    steps = [{"op": op, "path": path, "value": value} for op, path, value in operations]
    return {"target": {"kind": kind, "name": name}, "patch": yaml.safe_dump(steps)}


def _for_azure(one: Object) -> Object:
    return one | ({"apiVersion": "azmonitoring.coreos.com/v1"} if one["kind"] == "PodMonitor" else {})
