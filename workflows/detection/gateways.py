"""Watch the backends of a gateway: ``workflows.detection.watch`` says how, and ``activities.detection.probes`` at what."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.detection.models import Kind
from workflows.detection.watch import Watch


@workflow.defn(name="gateway-watch")
class GatewayWatch(Watch):
    """One watch; its ID says on what."""

    kind = Kind.GATEWAY

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the watch instead of wedging it."""
        super().__init__(args)

    @workflow.run
    async def run(self, *_: Any) -> None:  # noqa: ANN401
        """Watch until cancelled."""
        await self.keep_watch()
