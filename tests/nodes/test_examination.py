"""What doctor says of the control plane of a pool's machines."""

from __future__ import annotations

from typing import Any

import pytest

from activities.nodes.doctor import MachineLook
from activities.nodes.machine_models import MachineState
from activities.run.models.doctor import Finding, Severity
from estate.base import Region
from estate.nodes import MachineKind, NodePool
from tests.nodes.world import FakeMachines, NodeWorld

_HTTP = {"kind": "http", "address": "http://power.example"}


async def _look(machines: FakeMachines, entry: dict[str, Any] | None, **more: Any) -> list[Finding]:
    pool = NodePool.model_validate({"region": "eastus", "machines": entry, **more})
    look = MachineLook(NodeWorld(), dict.fromkeys(MachineKind, machines))
    return await look.of_pool("workers", pool, Region(location="East US", namespace="aiagent-prod"))


async def test_a_control_plane_that_answers_is_fine() -> None:
    machines = FakeMachines()
    machines.states["node-1"] = MachineState.STOPPED
    (found,) = await _look(machines, _HTTP)
    assert (found.severity, found.subject) == (Severity.OK, "machines of workers")
    assert found.message == "http answers: node-1 is stopped"


@pytest.mark.parametrize(
    ("kind", "remedy"), [(_HTTP, "see address and token"), ({"kind": "azure"}, "instanceView/read (and deallocate/action)")]
)
@pytest.mark.parametrize("trouble", ["silent", "forbidden", "missing"])
async def test_one_that_does_not_is_a_fault_with_its_remedy(kind: dict[str, Any], remedy: str, trouble: str) -> None:
    machines = FakeMachines()
    machines.missing = {"node-1"} if trouble == "missing" else set()
    machines.silent, machines.forbidden = trouble == "silent", trouble == "forbidden"
    (found,) = await _look(machines, kind)
    assert found.severity is Severity.FAULT
    assert "node-1" in found.message
    assert remedy in found.remedy


async def test_a_pool_without_nodes_is_said_to_have_none() -> None:
    (found,) = await _look(FakeMachines(), _HTTP, selector={"agentpool": "nobody"})
    assert found.severity is Severity.WARNING


async def test_a_pool_without_machines_is_not_asked_about() -> None:
    machines = FakeMachines()
    assert (await _look(machines, None), machines.asked) == ([], 0)
