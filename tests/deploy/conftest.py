"""A real API server with the shipped base in it, under another namespace and other names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.api_server import ApiServer, api_server
from tests.deploy.manifests import Object, of_kind, overlay

SPACE = "shop-prod"
_POLICY = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def _pod(name: str, owner: str, *containers: str) -> Object:
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "its", "uid": "42", "controller": True}]
    meta: dict[str, Any] = {"name": name, "namespace": SPACE, "ownerReferences": owners}
    named = [{"name": one, "image": "it"} for one in containers or ("it",)]
    return {  # one without a node would go at once, without grace
        "apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": named, "nodeName": "node-1"}
    }  # fmt: skip


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Install the base under another namespace and other names, without its policy; and an account that may do all."""
    names = {"worker": "shop-failover-worker", "tool": "deployer"}
    accounts = {one: (f"system:serviceaccount:{SPACE}:{name}", "system:authenticated") for one, name in names.items()}
    with api_server(tmp_path_factory.mktemp("api"), **accounts) as found:
        objects = overlay(tmp_path_factory.mktemp("shop"), namespace=SPACE, namePrefix="shop-")
        found.apply(of_kind(objects, "Namespace"))
        found.apply(of_kind(objects, "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"))
        found.apply([_pod("pg-0", "StatefulSet"), _pod("api-0", "ReplicaSet"), _pod("job-0", "Job")])
        found.apply([_pod("two-0", "ReplicaSet", "main", "aproxy")])
        done = found.kubectl(
            "create", "clusterrolebinding", "tool", "--clusterrole=cluster-admin", f"--serviceaccount={SPACE}:deployer"
        )
        assert done.returncode == 0, done.stderr
        found.policy = of_kind(objects, *_POLICY)
        yield found
