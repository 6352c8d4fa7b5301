"""The lever: for as long as this run goes on, no drill begins; those that go on are cancelled and take their way back.

Its workflow ID is fixed, so that there is one. ``failover drill resume`` ends it. A drill that was about to begin may be
seen a moment late: running drills are looked for again and again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.drills.lever import LeverActivities, StopOrder
from workflows.drills.models import StopRequest
from workflows.run.inputs import parse, taken
from workflows.run.steps import step

_SOON, _LATER, _TIMES_SOON = timedelta(seconds=2), timedelta(minutes=10), 10


@workflow.defn(name="drills-stop")
class DrillsStop:
    """One stop of all drills."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the request."""
        self._request, self._bad_input = parse(StopRequest, args)
        self._resumed = ""

    @workflow.signal(description="Let drills begin again.")
    def resume(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """End this run."""
        self._resumed = str(args[0])[:200] if args else "nobody named"

    @workflow.run
    async def run(self, *_: Any) -> str:  # noqa: ANN401
        """Stop drills until they are resumed; return by whom."""
        asked = taken(self._request, self._bad_input)
        workflow.set_current_details(f"drills are stopped by {asked.by}: {asked.reason}; failover drill resume")
        for number in range(_TIMES_SOON):
            await self._cancel(asked)
            if await self._is_over(_SOON if number else timedelta(0)):
                return self._resumed
        while not await self._is_over(_LATER):
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(asked.model_dump())
        return self._resumed

    async def _cancel(self, asked: StopRequest) -> None:
        try:
            await step(LeverActivities.cancel_running, StopOrder(by=asked.by, reason=asked.reason))
        except FailureError as error:
            workflow.logger.warning("Running drills were not looked for: %s", error)

    async def _is_over(self, within: timedelta) -> bool:
        if not within:
            return bool(self._resumed)
        try:
            await workflow.wait_condition(lambda: bool(self._resumed), timeout=within, timeout_summary="until resumed")
        except TimeoutError:
            return False
        return True
