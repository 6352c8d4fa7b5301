"""What the admission policy keeps a worker from deleting, whatever its account is called, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.permissions import PermissionsClient
from activities.clients.ports import MissingError
from estate.base import Region
from tests.deploy.api_server import ApiServer, until
from tests.deploy.conftest import SPACE

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]  # builds the programs where they are missing


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
    done = server.kubectl("-n", SPACE, "delete", "pod", pod, "--dry-run=server", "--wait=false", *more, context=account)
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
    region = Region(location="East US", namespace=SPACE, context="worker")
    assert await asks.may_delete(region, "pg-0")
    server.apply(server.policy)
    until(lambda: not _may_delete(server, "worker", "pg-0"))
    assert not await asks.may_delete(region, "pg-0")
    with pytest.raises(MissingError):
        await asks.may_delete(region, "pg-9")
    found = server.kubectl("-n", SPACE, "get", "pods", "-o", "name").stdout.split()
    assert found == ["pod/api-0", "pod/job-0", "pod/pg-0", "pod/two-0"]
