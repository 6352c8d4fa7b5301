"""Wait for a node that was given up, and let pods on it again once it is back and well.

Nobody starts it by hand: ``node-failover`` does, under ``return/node/NAME``, and it outlives the run that started it. It
holds no lock, and ends by itself when the node is back, or has left the cluster for good.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.nodes.models import CordonRequest, Returned
from activities.nodes.steps import NodeActivities
from estate.nodes import NodeTarget
from workflows.nodes.models import NodeReturnRequest
from workflows.run.inputs import parse, taken
from workflows.run.models import TASK_TIMEOUT
from workflows.run.steps import me, step


@workflow.defn(name="node-return")
class NodeReturn:
    """One wait for one node."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the request."""
        self._request, self._bad_input = parse(NodeReturnRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> Returned:  # noqa: ANN401
        """Return once the node takes pods again, or is gone."""
        target = taken(self._request, self._bad_input).target
        workflow.set_current_details(f"waits until {target.name} has been Ready for a while")
        return await step(NodeActivities.await_return, CordonRequest(target=target, run=me()))


async def begin_return(target: NodeTarget) -> None:
    """Let a run of its own wait for the node, whatever becomes of this one; one that waits already is enough."""
    try:
        await workflow.start_child_workflow(
            "node-return",
            NodeReturnRequest(target=target),
            id=f"return/node/{target.name}",
            task_timeout=TASK_TIMEOUT,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"waits for {target.name}",
        )
    except WorkflowAlreadyStartedError:
        return
