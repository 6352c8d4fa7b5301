"""Wait for a node that was given up, and let pods on it again once it is back and well.

Nobody starts it by hand: ``node-failover`` does, under ``return/node/NAME``, and it outlives the run that started it. It
holds no lock, and ends by itself when the node is back, or has left the cluster for good.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.nodes.models import Returned
from workflows.nodes import steps
from workflows.run.inputs import parse, taken
from workflows.run.models import NodeReturnRequest


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
        return await steps.returned(target)
