"""A drain that evicts the worker that runs it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.nodes.models import DrainRequest
from activities.nodes.steps import NodeActivities
from activities.run.models.wire import RunId
from estate.nodes import NodeTarget
from tests.nodes.world import NodeWorld
from tests.run.hostile import targets

_ALL: dict[Any, Any] = targets("node-2", "127.0.0.1", 1, "env:NOTHING")


async def test_it_is_handed_on_at_once_and_goes_on_elsewhere() -> None:
    """Its own pod stays until the step ends, so the step must not wait for that.

    What the first worker has kept is lost here, as it can be when that one is killed.
    """
    world, environment = NodeWorld(), ActivityEnvironment()
    world.put("node-2", "api-1")
    world.put("node-2", "failover-worker-1")
    world.budgets["failover-worker-1"] = "it is being served"
    target = NodeTarget.model_validate(_ALL[NodeTarget])
    found = ("aiagent-prod/api-1", "aiagent-prod/failover-worker-1")
    request = DrainRequest(target=target, run=RunId(workflow_id="node/node-2", run_id="1"), found=found)
    draining = asyncio.create_task(environment.run(NodeActivities(world).drain, request))
    while "api-1" not in world.evicted:
        await asyncio.sleep(0.01)
    environment.worker_shutdown()
    with pytest.raises(ApplicationError, match="handed on") as raised:
        await asyncio.wait_for(draining, 5)
    delay = raised.value.next_retry_delay
    assert (raised.value.non_retryable, delay is not None and delay.total_seconds() < 0.1) == (False, True)
    world.budgets.clear()
    drained = await ActivityEnvironment().run(NodeActivities(world).drain, request)
    assert drained.gone == ("aiagent-prod/api-1", "aiagent-prod/failover-worker-1")
