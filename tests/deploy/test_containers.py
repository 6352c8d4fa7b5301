"""Pods with several containers, on a real API server: it takes no request for logs or exec that names none of them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.workloads import WorkloadsClient
from activities.clients.ports import MissingError, UnreachableError
from activities.pods.models import PodSeen, Trouble
from estate.base import Region
from estate.workloads import Workload, WorkloadTarget
from tests.deploy.api_server import ADMIN, ApiServer
from tests.deploy.conftest import SPACE

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]  # builds the programs where they are missing
_REGION = Region(location="East US", namespace=SPACE, context=ADMIN)


@pytest.fixture
def kubernetes(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> KubernetesClient:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(server.kubeconfig))
    return KubernetesClient()


async def test_logs_are_asked_for_by_container(kubernetes: KubernetesClient) -> None:
    """No kubelet is there, so there are no logs: what counts is that the API server does not ask which container."""
    with pytest.raises((UnreachableError, MissingError)) as told:
        await kubernetes.logs(_REGION, "two-0", 5)
    assert "node-1" in str(told.value)
    assert "container name must be specified" not in str(told.value)


async def test_exec_is_asked_for_by_container(kubernetes: KubernetesClient) -> None:
    target = WorkloadTarget(name="two", region=_REGION, workload=Workload(region="eastus", deployment="two"))
    pod = PodSeen(name="two-0", uid="42", trouble=Trouble.NONE)
    client = WorkloadsClient(kubernetes, cast("Any", None))
    with pytest.raises(UnreachableError, match="400"):
        await client.end_main_process(target, pod)
    with pytest.raises((UnreachableError, MissingError)) as told:
        await client.end_main_process(target, pod.model_copy(update={"container": "main"}))
    assert "400" not in str(told.value)
