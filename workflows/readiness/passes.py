"""Find out every 30 minutes whether each procedure could be started for each target, without changing anything.

    wait until a pass is due -> list -> a dry run for each (procedure, target, mode), 8 at once -> judge -> next history

Each check is the procedure's own dry run (``run: plan``), a child under an ID of its own: what a failover would survey and
decide is surveyed and decided here, by the same code. It holds no lock, and no colleague's plan has its ID.

It never ends by itself. Each pass begins in a history of its own, which carries what the last one has found: so it is known
since when something is not ready, and a query replays little. A pass that cannot be made leaves everything *unknown*. Where
no worker is there, nothing here runs: then the age of what is known says so (``ReadinessStatus.as_of``).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import exceptions, workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType

from activities.readiness.models import Inventoried, InventoryRequest
from activities.readiness.steps import ReadinessActivities
from activities.run.errors import Refusal, refuse
from workflows.readiness import judging
from workflows.readiness.cases import Planned, dry_runs
from workflows.readiness.judging import Pass, Verdict, unknown
from workflows.readiness.models import (
    READINESS_ID,
    READINESS_MEMO,
    UNHURRIED,
    Case,
    ReadinessInput,
    ReadinessStatus,
)
from workflows.run.inputs import parse, taken
from workflows.run.outcome import Summary, cause_of
from workflows.run.state import PHASE, TARGET
from workflows.run.steps import step

_DRY_RUN_AT_MOST = timedelta(minutes=5)
_AGAIN = timedelta(minutes=5)
"""After a pass that could not be made."""


@workflow.defn(name="failover-readiness")
class FailoverReadiness:
    """All the passes, one after the other."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._input, self._bad_input = parse(ReadinessInput, args)
        self._status = (self._input.state if self._input else None) or ReadinessStatus()
        self._asked = bool(self._input and self._input.at_once)

    @workflow.query(description="Whether each procedure could be started for each target, and since when.")
    def readiness(self) -> ReadinessStatus:
        """Return what the last pass has found."""
        return self._status

    @workflow.signal(description="Make a pass now, with the estate as it is now.")
    def look_now(self, *_: Any) -> None:  # noqa: ANN401
        """Make a pass at once; one that goes on is followed by another."""
        self._asked = True

    @workflow.run
    async def run(self, *_: Any) -> None:  # noqa: ANN401
        """Make passes until cancelled."""
        taken(self._input, self._bad_input)
        if (own := workflow.info().workflow_id) != READINESS_ID:
            raise refuse(Refusal.WRONG_WORKFLOW_ID, f"workflow ID: {own} is not readiness's; start it as {READINESS_ID}")
        workflow.upsert_search_attributes([TARGET.value_set(READINESS_ID), PHASE.value_set("resting")])
        self._show()
        await self._until_due()
        self._asked = False
        workflow.upsert_search_attributes([PHASE.value_set("checking")])
        self._status = await self._passed()
        workflow.continue_as_new(ReadinessInput(state=self._status, at_once=self._asked), memo=self._memo())

    async def _until_due(self) -> None:
        rest = self._status.next_at - workflow.now() if self._status.next_at else timedelta(0)
        if rest <= timedelta(0):
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._asked, timeout=rest, timeout_summary="the next pass")

    async def _passed(self) -> ReadinessStatus:
        """Return how everything stands after one more pass."""
        began = workflow.now()
        try:
            listed = await step(ReadinessActivities.listed, InventoryRequest())
        except ActivityError as error:
            if workflow.cancellation_reason() is not None:
                raise
            return judging.after_none(self._status, cause_of(error)[1], workflow.now(), _AGAIN)
        found = await _all(listed)
        return judging.after(self._status, Pass(began, workflow.now(), listed, found))

    def _memo(self) -> dict[str, Any]:
        """Return what ``failover status`` reads, also while no worker is there."""
        return {READINESS_MEMO: self._status.brief().model_dump(mode="json")}

    def _show(self) -> None:
        """Let the UI and the command show how things stand."""
        status = self._status
        workflow.upsert_memo(self._memo())
        lines = [f"- **{one.readiness.value}** {one.procedure} {one.target} {one.variant}" for one in status.brief().checks]
        told = ", ".join(f"{number} {name}" for name, number in status.counts.items()) or "no pass has ended yet"
        workflow.set_current_details("\n".join([status.unknown or told, "", *lines]))


async def _all(listed: Inventoried) -> tuple[tuple[Case, Verdict], ...]:
    """Make every dry run, ``at_once`` of them beside each other."""
    planned = [*dry_runs(listed.targets)]
    verdicts: dict[int, Verdict] = {}
    waiting = iter(enumerate(planned))

    async def lane() -> None:
        for number, one in waiting:
            verdicts[number] = await _rehearsed(one)

    await asyncio.gather(*(lane() for _ in range(listed.at_once)))
    return tuple((one.case, verdicts[number]) for number, one in enumerate(planned))


async def _rehearsed(one: Planned) -> Verdict:
    """Make one dry run, and return what its end says. It changes nothing, and holds nobody up."""
    if one.unlisted:
        return unknown(one.unlisted)
    try:
        ended: Summary = await workflow.execute_child_workflow(
            one.case.procedure,
            one.request,
            result_type=Summary,
            id=one.workflow_id,
            task_timeout=UNHURRIED,
            execution_timeout=_DRY_RUN_AT_MOST,
            cancellation_type=ChildWorkflowCancellationType.TRY_CANCEL,
            static_summary="dry run for readiness",
        )
    except WorkflowAlreadyStartedError:
        return unknown(f"another run has the workflow ID {one.workflow_id}")
    except ChildWorkflowError as error:
        if workflow.cancellation_reason() is not None:
            raise
        if isinstance(error.cause, exceptions.TimeoutError):
            return unknown(f"the dry run has not ended within {_DRY_RUN_AT_MOST.total_seconds():.0f} s")
        return judging.of_refusal(*cause_of(error))
    return judging.of_end(ended)
