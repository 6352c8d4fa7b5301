"""What is put into a real API server: nobody makes pods of it, and nothing runs."""

from __future__ import annotations

from typing import Any

from tests.deploy.manifests import LAB, Object, build, of_kind

SHOP, EMPTY, TEAM = "shop-prod", "empty", "team"
LAB_SPACE = "aiagent-prod"
_READ = ("Namespace", "StatefulSet", "Deployment", "Service", "ConfigMap", "PodDisruptionBudget")


def lab() -> list[Object]:
    """Return the lab's own manifests, as far as they are read; with a user in the place of the machine's own."""
    found = of_kind(build(LAB), *_READ)
    for one in found:
        context = one.get("spec", {}).get("template", {}).get("spec", {}).get("securityContext") or {}
        context |= {key: 999 for key, value in context.items() if key.startswith("runAs") and isinstance(value, str)}
    return found


def node(name: str, **labels: str) -> Object:
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"azure:///subscriptions/0/{name}"} if labels else {},
    }  # fmt: skip


def azure_nodes() -> list[Object]:
    """Return two pools, each in three zones, as AKS labels them."""
    return [
        node(
            f"aks-{pool}-{number}",
            **{
                "kubernetes.azure.com/agentpool": pool, "agentpool": pool, "kubernetes.azure.com/mode": mode,
                "topology.kubernetes.io/region": "westeurope", "topology.kubernetes.io/zone": f"westeurope-{number}",
            },
        )
        for pool, mode in (("system", "system"), ("apps", "user"))
        for number in (1, 2, 3)
    ]  # fmt: skip


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def controller(kind: str, space: str, name: str, container: Object, **more: Any) -> Object:
    """Return a StatefulSet or Deployment. ``more``: ``replicas``, ``labels``, ``others`` (containers)."""
    labels = more.get("labels") or {"app": name}
    spec: Object = {
        "replicas": more.get("replicas", 1),
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "containers": [{"name": "main", **container}, *more.get("others", ())],
                "volumes": more.get("volumes", []),
            },
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = f"{name}-hl"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": space}, "spec": spec}


def service(space: str, name: str, port: int, selector: dict[str, str], **more: Any) -> Object:
    spec = {"ports": [{"port": port, **({"targetPort": more["target"]} if "target" in more else {})}], "selector": selector}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": space}, "spec": spec}


def _chart(instance: str, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "postgresql", "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/component": component,
    }  # fmt: skip


def _postgres(instance: str, standbys: int, database: str) -> list[Object]:
    """Return one cluster as a well-known chart makes it: two StatefulSets, four Services."""
    image: Object = {"image": "registry.example/bitnami/postgresql:16", "ports": [{"containerPort": 5432}]}
    image["env"] = [{"name": "POSTGRES_DATABASE", "value": database}] if database else []
    primary, read = _chart(instance, "primary"), _chart(instance, "read")
    return [
        controller("StatefulSet", SHOP, f"{instance}-postgresql-primary", image, labels=primary),
        controller("StatefulSet", SHOP, f"{instance}-postgresql-read", image, labels=read, replicas=standbys),
        service(SHOP, f"{instance}-postgresql-primary", 5432, primary),
        service(SHOP, f"{instance}-postgresql-read", 5432, read),
    ]


LONG = "an-application-with-a-name-that-nobody-would-like-to-type-again"
"""63 letters, as many as a label may have."""


def shop() -> list[Object]:
    """Return two PostgreSQL clusters, Redis with Sentinels in its pods, and much that is neither."""
    redis: Object = {"image": "bitnami/redis:7.2", "ports": [{"containerPort": 6379}]}
    sentinel: Object = {
        "name": "sentinel", "image": "bitnami/redis-sentinel:7.2", "ports": [{"containerPort": 26379}],
        "env": [{"name": "REDIS_MASTER_SET", "value": "shop"}],
    }  # fmt: skip
    front: Object = {
        "image": "shop/front:1", "ports": [{"name": "web", "containerPort": 8080}],
        "env": [{"name": "DATABASE_URL", "value": f"postgresql://app@crm-postgresql-primary.{SHOP}:5432/crm"}],
        "readinessProbe": {"httpGet": {"path": "/ok", "port": "web"}},
    }  # fmt: skip
    cloud: Object = {"image": "shop/cloud:1", "env": [{"name": "PGHOST", "value": "shop.postgres.database.azure.com"}]}
    other: Object = {"image": "x/y:1", "env": [{"name": "HOST", "value": "old-crm-postgresql-primary"}]}
    return [
        *_postgres("crm", 1, "crm"),
        *_postgres("ledger", 2, ""),
        controller("StatefulSet", SHOP, "cache", redis, replicas=3, others=[sentinel]),
        controller("StatefulSet", SHOP, "sessions", redis),
        controller("StatefulSet", SHOP, "kafka", {"image": "kafka:3", "ports": [{"containerPort": 9092}]}, replicas=3),
        controller("StatefulSet", SHOP, "pooler", {"image": "pgbouncer:1", "ports": [{"containerPort": 5432}]}, replicas=2),
        controller("StatefulSet", SHOP, "metrics", {"image": "postgres-exporter:1", "ports": [{"containerPort": 9187}]}),
        controller("Deployment", SHOP, "front", front, replicas=2),
        controller("Deployment", SHOP, "cloud", cloud),
        controller("Deployment", SHOP, LONG, other),
        controller("Deployment", SHOP, "switched-off", {"image": "x/y:1"}, replicas=0),
        service(SHOP, "front", 80, {"app": "front"}, target="web"),
        _ingress(),
    ]


def _ingress() -> Object:
    backend = {"service": {"name": "front", "port": {"number": 80}}}
    rule = {"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec = {"ingressClassName": "azure-application-gateway", "rules": [rule]}
    meta = {"name": "front", "namespace": SHOP}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}


def reads(account: str, name: str, resources: list[str], space: str = "") -> list[Object]:
    """Return the right of ``account`` to get and list: in one namespace, or in the cluster."""
    kind, meta = ("Role", {"name": name, "namespace": space}) if space else ("ClusterRole", {"name": name})
    rules = [{"apiGroups": ["", "apps", "policy", "networking.k8s.io"], "resources": resources, "verbs": ["get", "list"]}]
    return [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, "rules": rules},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": f"{kind}Binding", "metadata": meta,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"kind": "User", "name": account, "apiGroup": "rbac.authorization.k8s.io"}],
        },
    ]  # fmt: skip
