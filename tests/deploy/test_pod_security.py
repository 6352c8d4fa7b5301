"""Pods of the base in a namespace with the Pod Security level `restricted`: a real API server admits them."""

from __future__ import annotations

import pytest
import yaml

from tests.deploy.api_server import ApiServer
from tests.deploy.manifests import BASE, Object, build, of_kind

_ON_A_SERVER = [pytest.mark.servers, pytest.mark.timeout(1800)]  # builds the programs where they are missing
_NAMES = (
    "postgresql-primary", "postgresql-standby", "redis", "redis-sentinel", "failover-worker", "failover-witness",
)  # fmt: skip


def _templates() -> dict[str, Object]:
    return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(build(BASE), "StatefulSet", "Deployment")}


def test_these_are_all() -> None:
    assert set(_templates()) == set(_NAMES)


def _pod(name: str, template: Object) -> Object:
    """Return the pod that a controller would make; its claims are no matter of admission."""
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
    claimed = [{"name": "data", "emptyDir": {}}] if name.startswith(("postgresql", "redis")) else []
    spec["volumes"] = [*spec["volumes"], *claimed]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize("name", _NAMES)
def test_every_container_says_what_it_needs(name: str) -> None:
    for container in _templates()[name]["spec"]["containers"]:
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        limits = container["resources"].get("limits", {})
        assert "cpu" not in limits, "a throttled watchdog is a false freeze"
        keeps_data = name.startswith(("postgresql", "redis")) and name != "redis-sentinel"
        assert ("memory" in limits) is not keeps_data, "a limit that we guess kills a database that needs more"


@pytest.mark.parametrize("name", ["postgresql-primary", "postgresql-standby"])
def test_postgresql_has_more_shared_memory_than_a_container_has(name: str) -> None:
    spec = _templates()[name]["spec"]
    mounts = {one["mountPath"]: one["name"] for container in spec["containers"] for one in container["volumeMounts"]}
    volume = next(one for one in spec["volumes"] if one["name"] == mounts["/dev/shm"])
    assert volume["emptyDir"]["medium"] == "Memory"


@pytest.fixture
def strict(server: ApiServer) -> ApiServer:
    label = "pod-security.kubernetes.io/enforce=restricted"
    for command in (("create", "namespace", "strict"), ("label", "namespace", "strict", label)):
        done = server.kubectl(*command)
        assert done.returncode == 0 or "exists" in done.stderr, done.stderr
    return server


@pytest.mark.parametrize("name", [pytest.param(name, marks=_ON_A_SERVER) for name in _NAMES])
def test_a_strict_namespace_admits_every_pod_of_the_base(strict: ApiServer, name: str) -> None:
    pod = yaml.safe_dump(_pod(name, _templates()[name]))
    done = strict.kubectl("-n", "strict", "create", "--dry-run=server", "-f", "-", feed=pod)
    assert done.returncode == 0, done.stderr
