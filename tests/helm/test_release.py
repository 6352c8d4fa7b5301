"""Helm against a real API server: what it admits, and what an upgrade, a rollback and an uninstall leave alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.helm.__main__ import CHART
from deploy.helm.base import Object
from tests.deploy.api_server import ApiServer, api_server
from tests.helm.helm import helm, rendered
from tests.helm.overlay import VALUES
from tests.helm.renamed import SPACE, renamed_base

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]  # builds the programs where they are missing
_RECORD = {"failover/leader": "pg-b-0", "failover/epoch": "7"}
_WORKLOADS = ("StatefulSet", "Deployment")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Start one, with a namespace whose Pod Security level is the strictest."""
    with api_server(tmp_path_factory.mktemp("api")) as found:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        found.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}}])
        yield found


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the values of a platform under other names; the server knows no PodMonitors and no PrometheusRules."""
    folder = tmp_path_factory.mktemp("shop")
    bare = {"enabled": True, "podMonitor": "", "rules": False}
    return {**VALUES, "estate": renamed_base(folder), "observability": bare}


def _pod(one: Object) -> Object:
    """Return a pod that the controller of a workload would make; its claims and its account are no matter of admission."""
    spec = {key: value for key, value in one["spec"]["template"]["spec"].items() if key != "serviceAccountName"}
    claims = one["spec"].get("volumeClaimTemplates", [])
    spec["volumes"] = [*spec.get("volumes", []), *({"name": claim["metadata"]["name"], "emptyDir": {}} for claim in claims)]
    meta = {"name": one["metadata"]["name"], "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def test_every_object_and_every_pod_is_admitted_where_security_is_strictest(
    server: ApiServer, values: dict[str, Any]
) -> None:
    objects = rendered(namespace=SPACE, **values)
    pods = [_pod(one) for one in objects if one["kind"] in _WORKLOADS]
    assert len(pods) == 7
    said = server.apply(objects + pods, "--dry-run=server")
    assert "would violate" not in said
    assert "unknown field" not in said


class _Release:
    """One that is installed, upgraded and removed as people do it."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self._server, self._values = server, folder / "values.yaml"
        self._where = (f"--kubeconfig={server.kubeconfig}", "--kube-context=admin", f"--namespace={SPACE}")

    def brought_about(self, values: dict[str, Any], *more: str) -> str:
        """Install or upgrade it; return what Helm tells the person."""
        self._values.write_text(yaml.safe_dump(values), encoding="utf-8")
        return self.helm("upgrade", "--install", "shop", str(CHART), "--values", str(self._values), *more)

    def helm(self, *arguments: str) -> str:
        done = helm(*arguments, *self._where)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def there(self, kind: str, name: str) -> Object:
        """Return an object as the API server has it."""
        done = self._server.kubectl("-n", SPACE, "get", kind, name, "-o", "yaml")
        assert done.returncode == 0, done.stderr
        found: Object = yaml.safe_load(done.stdout)
        return found

    def record(self) -> tuple[Any, dict[str, str]]:
        """Return where writes go, and the leader record."""
        found = self.there("service", "pg-a")
        annotations = found["metadata"]["annotations"]
        return found["spec"].get("selector"), {
            key: value for key, value in annotations.items() if key.startswith("failover/")
        }

    def selectors(self) -> dict[str, Any]:
        """Return how each workload finds its pods."""
        done = self._server.kubectl("-n", SPACE, "get", "statefulsets,deployments", "-o", "yaml")
        return {one["metadata"]["name"]: one["spec"]["selector"] for one in yaml.safe_load(done.stdout)["items"]}


def test_upgrade_rollback_and_uninstall_keep_the_leader_record(
    server: ApiServer, values: dict[str, Any], tmp_path: Path
) -> None:
    """The gates write both the selector and the record. Were Helm to touch them, writes would go to a former primary."""
    release = _Release(server, tmp_path)
    told = release.brought_about(values)
    assert "get service pg-a -o yaml" in told
    assert "TEMPORAL_ADDRESS=temporal.example.com:7233 TEMPORAL_NAMESPACE=shop FAILOVER_TASK_QUEUE=shop-queue" in told
    assert release.record() == (None, {})
    selectors = release.selectors()
    assert len(selectors) == 7
    _gate_writes(server)
    led = ({"statefulset.kubernetes.io/pod-name": "pg-b-0"}, _RECORD)
    assert release.record() == led

    settings = _settings_of(release)
    changed = {
        **values,
        "temporal": {**values["temporal"], "address": "elsewhere.example.com:7233"},
        "worker": {"replicas": 5},
    }
    release.brought_about(changed)
    assert release.record() == led
    assert release.selectors() == selectors
    assert release.there("deployment", "failover-worker")["spec"]["replicas"] == 5
    assert _settings_of(release) != settings
    release.there("configmap", settings)  # for pods that are not replaced yet

    release.helm("rollback", "shop")
    assert _settings_of(release) == settings
    release.helm("uninstall", "shop")
    assert release.selectors() == {}
    assert release.record() == led
    release.there("persistentvolumeclaim", "failover-records")

    release.brought_about(values)
    assert release.record() == led
    assert release.selectors() == selectors


def _settings_of(release: _Release) -> str:
    container = release.there("deployment", "failover-worker")["spec"]["template"]["spec"]["containers"][0]
    return str(container["envFrom"][0]["configMapRef"]["name"])


def _gate_writes(server: ApiServer) -> None:
    patch = {"metadata": {"annotations": _RECORD}, "spec": {"selector": {"statefulset.kubernetes.io/pod-name": "pg-b-0"}}}
    done = server.kubectl(
        "-n", SPACE, "patch", "service", "pg-a", "--field-manager=failover", "--type=merge", "-p", yaml.safe_dump(patch)
    )
    assert done.returncode == 0, done.stderr
