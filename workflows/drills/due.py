"""What a schedule begins: the drill under its own lock, whose end is this run's end.

Temporal gives a run of a schedule a workflow ID with the time in it, and a drill's ID is its lock. A drill that did not pass
fails this run: the schedule is then paused (``pause_on_failure``) until somebody has looked. So does one that could not
begin. A date on which people wanted no drill is left out, and the schedule goes on.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.run.errors import Refusal, refuse
from activities.run.models.report import Outcome
from workflows.drills.models import DrillRequest, DueRequest
from workflows.run import outcome
from workflows.run.children import end_of
from workflows.run.inputs import parse, taken
from workflows.run.models import TASK_TIMEOUT, Run

_LEFT_OUT = {Refusal.DRILLS_STOPPED.value, Refusal.OUTSIDE_WINDOW.value, Refusal.CLAIMED_ELSEWHERE.value}
"""The summary of the month shows such a date as missed."""
_DUE = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn(name="drill-due")
class DrillDue:
    """One date of one schedule."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the request."""
        self._request, self._bad_input = parse(DueRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Begin the drill and return how it ended.

        Raises:
            ApplicationError: ``DrillFailed``, ``ClaimedElsewhere``, or why it did not begin.

        """
        asked = taken(self._request, self._bad_input)
        due = workflow.info().typed_search_attributes.get(_DUE)
        reason = f"of the calendar, due {due:%Y-%m-%d %H:%M} UTC" if due else "of the calendar"
        request = DrillRequest(drill=asked.drill, run=Run.REAL, by=asked.by, reason=reason, due=due)
        workflow.set_current_details(f"{request.lock}: {reason}")
        try:
            ended: outcome.Summary = await end_of(
                workflow.start_child_workflow(
                    "failover-drill",
                    request.model_dump(mode="json", exclude_none=True),
                    result_type=outcome.Summary,
                    id=request.lock,
                    task_timeout=TASK_TIMEOUT,
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    static_summary=f"real: {reason}",
                )
            )
        except ChildWorkflowError as error:
            kind, words = outcome.cause_of(error)
            if kind not in _LEFT_OUT:
                raise
            return outcome.Summary(outcome=Outcome.REFUSED, explanation=words)
        except WorkflowAlreadyStartedError:
            raise refuse(Refusal.CLAIMED_ELSEWHERE, f"{request.lock} is held by another run") from None
        if not ended.healthy:
            raise refuse(Refusal.DRILL_FAILED, ended.explanation)
        return ended
