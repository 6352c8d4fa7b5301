"""A step acts on what belongs to its target, whatever else its request names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.nodes.machine_models import MachineState, StoppedRequest
from activities.nodes.machine_steps import MachineActivities
from activities.nodes.models import ReplacePodsRequest
from activities.nodes.steps import NodeActivities
from activities.pods.models import PodSeen, ReplaceRequest, StrikeRequest
from activities.pods.steps import PodActivities
from activities.run.models.wire import RunId
from estate.nodes import MachineKind, NodeTarget
from estate.workloads import WorkloadTarget
from tests.nodes.world import FakeMachines, NodeWorld
from tests.pods.world import PodWorld
from tests.run.hostile import targets

_RUN = RunId(workflow_id="evil", run_id="1")
_ALL: dict[Any, Any] = targets("node-2", "127.0.0.1", 1, "env:NOTHING")


def _node() -> NodeTarget:
    return NodeTarget.model_validate(_ALL[NodeTarget])


def _workload() -> WorkloadTarget:
    return WorkloadTarget.model_validate(_ALL[WorkloadTarget])


async def test_a_pod_of_another_node_is_not_removed() -> None:
    world = NodeWorld()
    world.put("node-1", "postgresql-primary-0", "StatefulSet")
    world.put("node-2", "api-1")
    pods = tuple(pod for _, pod in world.pods)
    await ActivityEnvironment().run(NodeActivities(world).replace, ReplacePodsRequest(target=_node(), pods=pods, run=_RUN))
    assert world.removed == ["api-1"]


async def test_a_pod_of_another_deployment_is_not_deleted() -> None:
    world = PodWorld()
    own = next(iter(world.pods_by_name.values())).seen
    other = PodSeen.model_validate({**own.model_dump(), "name": "postgresql-primary-0", "uid": "another"})
    request = ReplaceRequest(target=_workload(), pods=(own, other), run=_RUN)
    await ActivityEnvironment().run(PodActivities(world).replace, request)
    assert [name for name, _ in world.deleted] == [own.name]


async def test_the_process_of_a_pod_is_ended_by_the_name_that_its_uid_has() -> None:
    world = PodWorld()
    own = next(iter(world.pods_by_name.values())).seen
    lie = own.model_copy(update={"name": "postgresql-primary-0"})
    await ActivityEnvironment().run(PodActivities(world).end_process, StrikeRequest(target=_workload(), pod=lie, run=_RUN))
    assert world.struck == [own.name]


async def test_the_machine_of_another_node_is_not_ended() -> None:
    world, machines = NodeWorld(), FakeMachines()
    machines.keeps = MachineState.RUNNING
    world.go_dark("node-2")
    steps = MachineActivities(world, dict.fromkeys(MachineKind, cast("Any", machines)), watched=timedelta(0))
    request = StoppedRequest(target=_node(), provider_id="azure:///somebody/else", end=True)
    with pytest.raises(ApplicationError, match="is not the machine of node-2"):
        await ActivityEnvironment().run(steps.stop_and_confirm, request)
    assert machines.ended == []
