"""The clusters of two regions: two real API servers on loopback, each behind a relay, and nothing else of a cluster.

The worker has the rights of ``deploy/kubernetes/region`` and no more. Each test has a namespace of its own in both, with the
platform's applications in it; a loop plays the controllers of the surviving one: it makes Ready pods for every Deployment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from kubernetes import client, config, utils
from kubernetes.client.exceptions import ApiException

from activities.clients.kubernetes.regions import KEPT, KEPT_FOR
from tests.deploy.api_server import ADMIN, ApiServer, api_server, shared_api_server
from tests.region.relay import Relay

CONTEXTS = {"eastus": "aiagent-aks", "westus2": "aiagent-aks-dr"}
API, OTHER = "api-deployment", "agents-deployment"
PODS = {API: 3, OTHER: 2}
_MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes" / "region"
_WORKER, _ACCOUNT = "worker", "failover-worker"
_SPEAKS = (f"system:serviceaccount:accounts:{_ACCOUNT}", "system:authenticated")
"""Whom the API servers take the worker for."""


class Clusters:
    """Both, as one test has them."""

    def __init__(self, servers: dict[str, ApiServer], relays: dict[str, Relay], folder: Path) -> None:
        self.servers, self.relays, self.space = servers, relays, f"aiagent-{uuid4().hex[:8]}"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(relays)), encoding="utf-8")
        self._playing: asyncio.Task[None] | None = None
        self.plays = True

    def install(self) -> None:
        """Make namespace, rights and applications in both."""
        for region in self.servers:
            named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.space}}
            rights = [one for name in ("lost", "surviving") for one in _manifests(name, self.space)]
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"{region}-1"}}
            applications = [deployment(name, pods, self.space) for name, pods in PODS.items()]
            with suppress(utils.FailToCreateError):  # another test has made it
                utils.create_from_dict(self.admin(region), node)  # type: ignore[no-untyped-call]
            for one in (named, *rights, *applications):
                utils.create_from_dict(self.admin(region), one)  # type: ignore[no-untyped-call]
            ready: Any = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
            self.core(region).patch_node_status(f"{region}-1", ready)

    def admin(self, region: str) -> client.ApiClient:
        """Return a client of an administrator's, past the relay."""
        return _administrator(self.servers[region].kubeconfig)

    def core(self, region: str) -> Any:
        return client.CoreV1Api(self.admin(region))

    def apps(self, region: str) -> Any:
        return client.AppsV1Api(self.admin(region))

    def leases(self, region: str) -> Any:
        return client.CoordinationV1Api(self.admin(region))

    def scales(self, region: str) -> dict[str, int]:
        """Return what each application of a region asks for."""
        found = self.apps(region).list_namespaced_deployment(self.space).items
        return {one.metadata.name: one.spec.replicas for one in found}

    def notes(self, region: str) -> dict[str, set[str]]:
        """Return which of our annotations each application of a region has."""
        found = self.apps(region).list_namespaced_deployment(self.space).items
        ours = (KEPT, KEPT_FOR)
        return {one.metadata.name: {key for key in one.metadata.annotations or {} if key in ours} for one in found}

    def scale_to(self, region: str, name: str, pods: int) -> None:
        """Have an application ask for so many pods; nothing is noted."""
        self.apps(region).patch_namespaced_deployment(name, self.space, {"spec": {"replicas": pods}})

    def sleep(self, region: str) -> None:
        """Leave the applications as a failover's fence leaves them."""
        for name, pods in PODS.items():
            notes = {KEPT: str(pods), KEPT_FOR: "region/earlier/run"}
            body = {"metadata": {"annotations": notes}, "spec": {"replicas": 0}}
            self.apps(region).patch_namespaced_deployment(name, self.space, body)

    def forget(self, region: str, name: str) -> None:
        """Take the notes of a fence away."""
        notes = {"metadata": {"annotations": {KEPT: None, KEPT_FOR: None}}}
        self.apps(region).patch_namespaced_deployment(name, self.space, notes)

    def overlay(self, region: str, pods: int, image: str) -> None:
        """Leave an application as an overlay leaves it."""
        container = {"name": "it", "image": image}
        body: Any = {"spec": {"replicas": pods, "template": {"spec": {"containers": [container]}}}}
        self.apps(region).patch_namespaced_deployment(API, self.space, body)

    def holder(self, region: str, lost: str) -> str:
        """Return who holds the Lease in ``region``; empty: nobody, or there is none."""
        try:
            found = self.leases(region).read_namespaced_lease(f"failover-region-{lost}", self.space)
        except ApiException:
            return ""
        return found.spec.holder_identity or ""

    def versions(self) -> dict[str, str]:
        """Return the version of every object that a failover could change, in both."""
        found: dict[str, str] = {}
        for region in self.servers:
            lists = [
                self.apps(region).list_namespaced_deployment(self.space),
                self.core(region).list_namespaced_config_map(self.space),
                self.core(region).list_namespaced_secret(self.space),
                self.core(region).list_namespaced_pod(self.space),
                self.leases(region).list_namespaced_lease(self.space),
            ]
            for number, one in enumerate(lists):
                found |= {f"{region} {number} {item.metadata.name}": item.metadata.resource_version for item in one.items}
        return found

    @asynccontextmanager
    async def controlled(self, region: str) -> AsyncIterator[None]:
        """Play the controllers of ``region`` while the block lasts."""
        await asyncio.to_thread(self._turn, region)
        playing = asyncio.create_task(self._play(region))
        try:
            yield
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing

    def make_one_ready(self, region: str, name: str, labels: dict[str, str]) -> None:
        """Play the kubelet for one pod."""
        _make_ready(self.core(region), self.space, name, labels)

    async def _play(self, region: str) -> None:
        while True:
            if self.plays:
                await asyncio.to_thread(self._turn, region)
            await asyncio.sleep(0.2)

    def _turn(self, region: str) -> None:
        apps, core = self.apps(region), self.core(region)
        for one in apps.list_namespaced_deployment(self.space).items:
            name, wanted = one.metadata.name, one.spec.replicas
            if (one.status.observed_generation, one.status.ready_replicas or 0) == (one.metadata.generation, wanted):
                continue
            for number in range(wanted):
                _make_ready(core, self.space, f"{name}-{number}", one.spec.template.metadata.labels)
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
            body: Any = {"status": {"observedGeneration": one.metadata.generation, **counts}}
            apps.patch_namespaced_deployment_status(name, self.space, body)


@cache
def _administrator(kubeconfig: Path) -> client.ApiClient:
    """Return one for all tests of this process: to make one costs as much as dozens of requests."""
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), context=ADMIN, client_configuration=settings)  # type: ignore[no-untyped-call]
    return client.ApiClient(settings)


def _make_ready(core: Any, space: str, name: str, labels: dict[str, str]) -> None:
    pod: Any = {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "it", "image": "it"}], "nodeName": "one"},
    }
    with suppress(ApiException):
        core.create_namespaced_pod(space, pod)
    ready: Any = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    core.patch_namespaced_pod_status(name, space, ready)


def deployment(name: str, pods: int, space: str | None = None, *, image: str = "api:1") -> dict[str, Any]:
    """Return a Deployment of the platform."""
    labels = {"app": name.removesuffix("-deployment")}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **({"namespace": space} if space else {})},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "it", "image": image}]}},
        },
    }


def _manifests(name: str, space: str) -> list[dict[str, Any]]:
    """Return the shipped rights as an installation in ``space`` has them."""
    found = list(yaml.safe_load_all((_MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8")))
    for one in found:
        if one["kind"] in {"Role", "RoleBinding"}:
            one["metadata"]["namespace"] = space
        else:
            one["metadata"]["name"] = f"{one['metadata']['name']}-{space}"
        if one["kind"].endswith("Binding"):
            one["subjects"] = [
                {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": "accounts"},
            ]
        if one["kind"] == "ClusterRoleBinding":
            one["roleRef"]["name"] = one["metadata"]["name"]
        if name == "lost" and one["kind"] == "Role":
            one["rules"][0]["resourceNames"] = list(PODS)
        if name == "surviving" and one["kind"] == "Role":
            one["rules"][0]["resourceNames"] = [f"failover-region-{region}" for region in CONTEXTS]
            secret = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["keys"]}
            one["rules"].append({**secret, "verbs": ["get", "create", "patch"]})
    return found


def _kubeconfig(relays: dict[str, Relay]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXTS[region],
                "cluster": {"server": f"https://127.0.0.1:{relay.port}", "insecure-skip-tls-verify": True},
            }
            for region, relay in relays.items()
        ],
        "users": [{"name": _WORKER, "user": {"token": f"{_WORKER}-token"}}],
        "contexts": [
            {"name": CONTEXTS[region], "context": {"cluster": CONTEXTS[region], "user": _WORKER}} for region in relays
        ],
    }


@contextmanager
def two_servers(folder: Path) -> Iterator[dict[str, ApiServer]]:
    """Start one a region."""
    for region in CONTEXTS:
        (folder / region).mkdir()
    with api_server(folder / "eastus", worker=_SPEAKS) as east, api_server(folder / "westus2", worker=_SPEAKS) as west:
        yield {"eastus": east, "westus2": west}


def shared_servers() -> dict[str, ApiServer]:
    """Return those of this run of the tests, one a region."""
    return {region: shared_api_server(region, worker=_SPEAKS) for region in CONTEXTS}


@asynccontextmanager
async def clusters_of(servers: dict[str, ApiServer], folder: Path) -> AsyncIterator[Clusters]:
    """Give a test its own namespace in both, behind relays of its own."""
    async with Relay(servers["eastus"].port) as east, Relay(servers["westus2"].port) as west:
        clusters = Clusters(servers, {"eastus": east, "westus2": west}, folder)
        await asyncio.to_thread(clusters.install)
        yield clusters
