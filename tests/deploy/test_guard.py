"""What the admission policy keeps a worker from deleting, whatever its account is called, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.permissions import PermissionsClient
from activities.clients.ports import MissingError
from estate.base import Region
from tests.deploy.api_server import ApiServer, api_server, until
from tests.deploy.manifests import Object, of_kind, overlay

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]  # builds the programs where they are missing
_SPACE = "shop-prod"
_POLICY = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def _pod(name: str, owner: str) -> Object:
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "its", "uid": "42", "controller": True}]
    spec = {
        "containers": [{"name": "it", "image": "it"}],
        "nodeName": "node-1",
    }  # else it goes at once, without grace
    meta: dict[str, Any] = {"name": name, "namespace": _SPACE, "ownerReferences": owners}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Install the base under another namespace and other names, without its policy; and an account that may do all."""
    names = {"worker": "shop-failover-worker", "tool": "deployer"}
    accounts = {one: (f"system:serviceaccount:{_SPACE}:{name}", "system:authenticated") for one, name in names.items()}
    with api_server(tmp_path_factory.mktemp("api"), **accounts) as found:
        objects = overlay(tmp_path_factory.mktemp("shop"), namespace=_SPACE, namePrefix="shop-")
        found.apply(of_kind(objects, "Namespace"))
        found.apply(of_kind(objects, "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"))
        found.apply([_pod("pg-0", "StatefulSet"), _pod("api-0", "ReplicaSet"), _pod("job-0", "Job")])
        done = found.kubectl(
            "create", "clusterrolebinding", "tool", "--clusterrole=cluster-admin", f"--serviceaccount={_SPACE}:deployer"
        )
        assert done.returncode == 0, done.stderr
        found.policy = of_kind(objects, *_POLICY)
        yield found


@pytest.fixture
def guarded(server: ApiServer) -> Iterator[ApiServer]:
    """Apply the policy, and wait until the API server heeds it."""
    server.apply(server.policy)
    until(lambda: not _may_delete(server, "worker", "pg-0"))
    yield server
    for one in server.policy:
        server.kubectl("delete", one["kind"], one["metadata"]["name"])
    until(lambda: _may_delete(server, "worker", "pg-0"))


def _may_delete(server: ApiServer, account: str, pod: str, *more: str) -> bool:
    done = server.kubectl("-n", _SPACE, "delete", "pod", pod, "--dry-run=server", "--wait=false", *more, context=account)
    return done.returncode == 0


def test_a_renamed_worker_deletes_pods_of_deployments_only(guarded: ApiServer) -> None:
    assert _may_delete(guarded, "worker", "api-0")
    assert not _may_delete(guarded, "worker", "pg-0")
    assert not _may_delete(guarded, "worker", "job-0")
    assert _may_delete(guarded, "worker", "pg-0", "--force", "--grace-period=0")


def test_people_and_deployment_tools_are_left_alone(guarded: ApiServer) -> None:
    for account in ("admin", "tool"):
        assert all(_may_delete(guarded, account, pod) for pod in ("pg-0", "api-0", "job-0"))


async def test_a_worker_finds_out_whether_the_guard_holds(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(server.kubeconfig))
    asks = PermissionsClient(KubernetesClient())
    region = Region(location="East US", namespace=_SPACE, context="worker")
    assert await asks.may_delete(region, "pg-0")
    server.apply(server.policy)
    until(lambda: not _may_delete(server, "worker", "pg-0"))
    assert not await asks.may_delete(region, "pg-0")
    with pytest.raises(MissingError):
        await asks.may_delete(region, "pg-9")
    found = server.kubectl("-n", _SPACE, "get", "pods", "-o", "name").stdout.split()
    assert found == ["pod/api-0", "pod/job-0", "pod/pg-0"]
