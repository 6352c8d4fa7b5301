"""The way there and the way back: real runs of other procedures, and what became of each.

The way back is begun for as long as something has moved that only it puts right, however the way there has ended: it may
have failed, been cancelled, or been past its point of no return when the window closed. It is tried again until
``settled_within`` is over, since a standby that still catches up makes a planned move refuse.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.drills.models import DrillDetails, DrillPlan, Standing, StandingRequest
from activities.drills.record import Part
from activities.drills.steps import DrillActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.report import Outcome, Vote
from activities.run.models.wire import RunId
from estate.drilled import DrillTarget
from workflows.drills.ways import back, has_moved, there
from workflows.run import outcome
from workflows.run.child_runs import Child, run_child
from workflows.run.models import cancel_note
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import step

_AGAIN = timedelta(seconds=5)
_OF_NONE = RunId(workflow_id="", run_id="")
_TIMES = 8
"""Of three Redis servers Sentinel chooses the next master: it may take some moves until the first one leads again."""


class Going:
    """There and back, of one drill."""

    def __init__(self, state: RunState[DrillDetails], target: DrillTarget, plan: DrillPlan) -> None:
        """Write to ``state`` what is done."""
        self._state, self._target, self._plan = state, target, plan
        self.stopped = ""
        """Why the way there did not come to its end; empty: it did."""
        self.cancelled = False

    def give_up(self, error: BaseException) -> None:
        """Note why the way there is not gone on with."""
        self.cancelled = self.cancelled or outcome.was_cancelled(error)
        self.stopped = f"cancelled{_by_whom()}" if self.cancelled else outcome.cause_of(error)[1]

    @property
    def _differences(self) -> tuple[str, ...]:
        before, after = self._state.details.before, self._state.details.after
        if before is None or after is None:
            return ("nobody has looked",)
        return (*after.differences(before), *after.troubles)

    def is_as_before(self) -> bool:
        """Whether all is proved to be as it was, and well."""
        return not self._differences

    def must_be_as_before(self) -> None:
        """Return if all is as it was. ApplicationError: ``Stranded``; says what is not."""
        if told := self._differences:
            more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
            raise refuse(Refusal.STRANDED, f"not all is as before the drill: {told[0]}{more}")

    async def there(self, votes: tuple[Vote, ...]) -> None:
        """Go there; keep how it ended. A failure, a cancel and the window's end are written down, never raised."""
        self._state.enter(Phase.DRILLING, f"{self._plan.there} of {self._plan.node or self._plan.subject}")
        child = there(self._target).child(self._plan.node or self._plan.subject, self._by, self._reason("there"))
        going = asyncio.create_task(self._run(child, "there", votes))
        try:
            await self._until_it_ends_or_the_window_does(going)
        except asyncio.CancelledError as error:
            self.give_up(error)
            going.cancel()
            await workflow.wait([going])
        part = going.result()
        if part.outcome != Outcome.COMPLETED.value and not self.stopped:
            self.stopped = f"{part.workflow} was {part.outcome}: {part.explanation}"

    async def _until_it_ends_or_the_window_does(self, going: asyncio.Task[Part]) -> None:
        closes = self._plan.window_ends
        left = closes - workflow.now() if closes else None
        done, _ = await workflow.wait([going], timeout=max(left.total_seconds(), 0.0) if left else None)
        if not done:
            self.stopped = "the window has closed"
            going.cancel()
            await workflow.wait([going])

    async def back(self, votes: tuple[Vote, ...]) -> Standing:
        """Go back for as long as something has moved; return how all stands then."""
        state, target, before = self._state, self._target, self._state.details.before
        assert before is not None  # noqa: S101 - looked at before the way there
        until = workflow.now() + target.drill.settled_within
        for _ in range(_TIMES):
            now = await self._well_by(until)
            way = back(target, before)
            if way is None or not has_moved(target, before, now) or workflow.now() >= until:
                break
            state.enter(Phase.DRILLING_BACK, f"{way.workflow} of {self._plan.subject}")
            part = await self._run(way.child(self._plan.subject, self._by, self._reason("back")), "back", votes)
            if part.outcome != Outcome.COMPLETED.value:
                await workflow.sleep(_AGAIN, summary="before the way back is tried again")
        state.enter(Phase.DRILLING_BACK, "is all as before?")
        return await step(DrillActivities.settle, self._look(until, before))

    async def _well_by(self, until: datetime) -> Standing:
        """Return how all stands once nothing is degraded, or when time is up."""
        return await step(DrillActivities.settle, self._look(until, None))

    def _look(self, until: datetime | None, before: Standing | None) -> StandingRequest:
        return StandingRequest(target=self._target, node=self._plan.node, before=before, until=until)

    async def _run(self, child: Child, role: str, votes: tuple[Vote, ...]) -> Part:
        """Run a child to its end and keep what became of it. A cancel is the child's own end."""
        began, ids = workflow.now(), [""]
        try:
            ended = await run_child(child, votes, ids.append)
        except (FailureError, asyncio.CancelledError) as error:
            kind, words = outcome.cause_of(error)
            part = Part(role=role, workflow=child.workflow, run=_OF_NONE, outcome=_word(error, kind), explanation=words)
        else:
            part = _part(child, role, ended)
        run = RunId(workflow_id=child.lock, run_id=ids[-1])
        part = part.model_copy(update={"run": run, "seconds": (workflow.now() - began).total_seconds()})
        details = self._state.details
        details.parts = (*details.parts, part)
        return part

    @property
    def _by(self) -> str:
        return self._state.request.by if self._state.request else ""

    def _reason(self, role: str) -> str:
        asked = self._state.request.reason if self._state.request else ""
        return f"drill {self._target.name}, {role}: {asked or 'of the calendar'}"


def _part(child: Child, role: str, ended: outcome.Summary | None) -> Part:
    if ended is None:
        return Part(role=role, workflow=child.workflow, run=_OF_NONE, outcome="refused", explanation="it had moved already")
    return Part(
        role=role,
        workflow=child.workflow,
        run=_OF_NONE,
        outcome=ended.outcome.value,
        explanation=ended.explanation,
        outage_seconds=ended.outage_seconds,
        recovery_seconds=ended.recovery_seconds,
        lost=ended.lost,
    )


def _word(error: BaseException, kind: str) -> str:
    """Return how a run ended that has raised ``error``, as its own outcome says."""
    ends = {"RolledBack": Outcome.ROLLED_BACK, "Stranded": Outcome.STRANDED, "Cancelled": Outcome.CANCELLED}
    ends["RollbackIncomplete"] = Outcome.ROLLBACK_INCOMPLETE
    return ends.get(kind, Outcome.REFUSED if isinstance(error, FailureError) else Outcome.CANCELLED).value


def _by_whom() -> str:
    note = cancel_note(workflow.cancellation_reason())
    return f" {note.told}" if note else ""
