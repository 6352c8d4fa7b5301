"""Watch the nodes of a pool: ``workflows.detection.watch`` says how, ``activities.detection.probes`` what is looked at."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.detection.models import Kind
from workflows.detection.watch import Watch


@workflow.defn(name="node-watch")
class NodeWatch(Watch):
    """One watch; its ID says on what."""

    kind = Kind.NODES

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the watch instead of wedging it."""
        super().__init__(args)

    @workflow.run
    async def run(self, *_: Any) -> None:  # noqa: ANN401
        """Watch until cancelled."""
        await self.keep_watch()
