r"""A drill: a real procedure there, and back; what was measured is judged, and a person has the last word.

    look -> may it begin? -> approve -> look -> [row] -> there -> [row] -> back -> look -> a person judges -> seal
    \_______ nothing changed ______/  \_____ the way back is taken, whatever happens ____/ \__ nothing changes __/

It changes nothing by itself: the runs that it begins do, under their own locks, with its approvals. Whatever the way there
has become, the way back is taken for as long as something is moved, and all is looked at again. A drill that did not pass is
completed all the same, and says FAIL; one that could not put all back as it was is STRANDED.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.drills.evidence import EvidenceActivities, SealRequest
from activities.drills.models import (
    DrillDetails,
    DrillPlan,
    NodeChoice,
    RowRequest,
    StandingRequest,
)
from activities.drills.record import DrillRecord, DrillWord
from activities.drills.steps import DrillActivities
from activities.pods.models import AnswerRequest
from activities.pods.steps import PodActivities
from activities.run.errors import Refusal, refuse
from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo, todo
from estate.base import ApprovalPolicy
from estate.drilled import DrillTarget
from estate.drills import Kind
from workflows.drills.alone import claim, must_be_alone
from workflows.drills.going import Going
from workflows.drills.judging import HOW_TO_JUDGE, criteria_of, measured_seconds, said_of, shown, the_way_there
from workflows.drills.models import DrillRequest, Judgement
from workflows.drills.planning import make_drill_plan, must_be_noticed, must_be_open, must_be_possible, must_be_well
from workflows.drills.ways import there
from workflows.run import outcome
from workflows.run.checklists import checklists_of, reviewed_after
from workflows.run.child_runs import plan_of
from workflows.run.heard import said_here
from workflows.run.inputs import said
from workflows.run.measuring import Measuring
from workflows.run.models import Run, Status
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.steps import me, step
from workflows.run.uncancellable import uncancellable


@workflow.defn(name="failover-drill")
class FailoverDrill(Procedure[DrillRequest, DrillTarget, DrillPlan, DrillDetails]):
    """One drill of the calendar; its workflow ID is the drill's lock."""

    asks, details = DrillRequest, DrillDetails

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)
        self._word: DrillWord | None = None
        self._notice = ""
        self.state.hints = self._hints

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Hold the drill, or let everything be and say why."""
        return await self.conclude()

    @workflow.update(description='Judge a drill that is over: {"by": "dana", "passed": true, "notes": "WHAT WAS SEEN"}')
    async def judge(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Take the word (``Judgement``) and return the status after it. ApplicationError: it does not count."""
        return await self.answered(self._take(said(Judgement, args)))

    @judge.validator
    def _may_judge(self, *args: Any) -> None:  # noqa: ANN401
        self._check(said(Judgement, args))

    @workflow.signal(description="Like judge, without an answer; a word that does not count is dropped.")
    async def judged(self, *args: Any) -> None:  # noqa: ANN401
        """Take the word (``Judgement``) if it counts. Never raises: an error here would wedge the run."""
        try:
            await self._take(said(Judgement, args))
        except (ValueError, FailureError) as complaint:
            workflow.logger.warning("Ignored judgement: %s", complaint)

    def _check(self, word: Judgement) -> None:
        """Raise ValueError when ``word`` does not count."""
        target = self.state.target
        if not isinstance(target, DrillTarget) or self.state.phase is not Phase.JUDGING or self._word is not None:
            message = "nothing waits for a judgement: a drill that is over does, once"
            raise ValueError(message)
        if complaint := target.why_no_judgement(word.by):
            raise ValueError(complaint)
        self.must_be_signed("drill judge", word, of=f"--{word.said_of.lower()} --notes SEEN")

    async def _take(self, word: Judgement) -> None:
        """Take a word. Raises as ``Hears.key_of_word``."""
        self._check(word)
        signed = said_here("drill judge", word)
        key = await self.key_of_word(signed, word.signature)
        self._check(word)  # somebody else may have judged it meanwhile
        self.count(signed)
        self._word = DrillWord(by=word.by, passed=word.passed, notes=word.notes, at=workflow.now(), key=key)

    async def resolve(self) -> DrillTarget:
        """Look the drill up in the estate."""
        return await step(EstateActivities.resolve_drill, ResolveRequest(cluster=self.request.drill, by=self.asker))

    async def make_plan(self) -> DrillPlan:
        """See that it may begin, and what it would do. ApplicationError: why it may not; nothing was changed."""
        state, target = self.state, self.target
        state.enter(Phase.SURVEYING)
        self._notice = must_be_noticed(target, self.request.notice)
        closes = self._closes()
        await must_be_alone(target)
        chosen = await self._chosen()
        node = chosen.node if chosen else ""
        standing = state.details.before = await step(DrillActivities.standing, StandingRequest(target=target, node=node))
        must_be_well(target, standing)
        if target.drill.kind is not Kind.POD:
            way, named = there(target), node or target.drill.target
            asked = way.asked(named, self.request.by, f"drill {target.name}", Run.PLAN)
            must_be_possible(target, await plan_of(way.workflow, asked, way.child(named, "", "").lock))
        plan = make_drill_plan(target, standing, chosen, closes, self._notice)
        state.plan = plan
        state.show()
        return plan

    def _hints(self) -> tuple[str, ...]:
        """Return what the UI shows of a drill that is over: how to judge it, and what was measured."""
        asks = self.state.phase is Phase.JUDGING and not self.counts_signed_only
        return (*(HOW_TO_JUDGE if asks else ()), *filter(None, [shown(self.state.details.criteria)]))

    def _closes(self) -> datetime | None:
        """Return when the window closes; ``None``: a dry run outside of it. ApplicationError: ``OutsideWindow``."""
        try:
            return must_be_open(self.target, workflow.now())
        except ApplicationError:
            if self.request.run is not Run.PLAN:
                raise
            return None

    async def _chosen(self) -> NodeChoice | None:
        if self.target.drill.kind is not Kind.NODE:
            return None
        chosen = await step(DrillActivities.choose_node, StandingRequest(target=self.target))
        if not chosen.node:
            raise refuse(Refusal.NOT_AVAILABLE, f"{chosen.why}; nothing was changed")
        return chosen

    @staticmethod
    def policy(target: DrillTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve: those who must approve the way there."""
        return target.approvals

    async def execute(self, plan: DrillPlan) -> str:
        """Go there and back, judge, wait for a person's word, and seal the record."""
        state, details = self.state, self.state.details
        await claim(state, self.target)
        state.left_to_do = (todo(Todo.MOVE, f"see that {plan.subject} is as before: failover status {plan.subject}"),)
        going = Going(state, self.target, plan)
        async with Measuring(state) as measuring:
            if self.target.application is not None:
                measuring.begin(PodActivities.measure, AnswerRequest(target=self.target.application, run=me()))
            await self._there(going)
            details.after = await uncancellable(going.back(state.votes))
        details.answers = state.measurement
        details.criteria = criteria_of(self.target, details, going.stopped)
        details.recovery_seconds = measured_seconds(self.target, the_way_there(details))
        if going.is_as_before() and not going.cancelled:
            state.left_to_do = ()
            await self._reviewed()
            await self._judged()
        record = await uncancellable(self._seal(going))
        going.must_be_as_before()
        state.left_to_do = tuple(one for one in state.left_to_do if one.kind is Todo.CHECKLIST)
        state.leaves = "all is as before"
        if going.cancelled:
            raise asyncio.CancelledError
        return said_of(record)

    def came_out(self) -> Outcome:
        """Return whether it has passed by its criteria."""
        return Outcome.COMPLETED if self.state.details.healthy else Outcome.FAILED

    async def _there(self, going: Going) -> None:
        """Write a row, go there, write another one; what fails is kept in ``going``, and never raised."""
        try:
            await self._row("before")
            await going.there(self.state.votes)
        except (FailureError, asyncio.CancelledError) as error:
            going.give_up(error)
        if not going.stopped:
            try:
                await uncancellable(self._row("after"))
            except FailureError as error:
                going.give_up(error)

    async def _row(self, which: str) -> None:
        if self.target.drill.kind is not Kind.DATABASE:
            return
        request = RowRequest(target=self.target, row=str(workflow.uuid4()), run=me())
        rows = self.state.details.rows
        self.state.details.rows = {**rows, which: await step(DrillActivities.row, request)}

    async def _reviewed(self) -> None:
        """Keep the list of what must be so when all is as before again; a cancel is honoured as before."""
        state = self.state
        await reviewed_after(state, self.target, asks=True)
        state.forward_only = state.can_be_ended = False

    async def _judged(self) -> None:
        """Wait for a person's word; one that does not come in time is a gap of the record."""
        self.state.enter(Phase.JUDGING, f"failover drill judge {self.target.name} --by NAME --pass|--fail --notes WORDS")
        try:
            await workflow.wait_condition(
                lambda: self._word is not None, timeout=self.target.drill.word_within, timeout_summary="a person's word"
            )
        except TimeoutError:
            workflow.logger.warning("Nobody has judged the drill in time")

    async def _seal(self, going: Going) -> DrillRecord:
        """Make the record final. A run does not fail for its paperwork."""
        details = self.state.details
        details.word = self._word
        record = details.record = self._record(going)
        report = self.state.report().model_dump(mode="json", exclude_none=True)
        measured = {"application": details.answers.model_dump(mode="json")} if details.answers else {}
        try:
            request = SealRequest(record=record, report=report, measurements=measured, checklists=checklists_of(self.state))
            sealed = await step(EvidenceActivities.seal, request)
        except FailureError as error:
            details.sealed = f"not sealed: {outcome.cause_of(error)[1]}"
            return record
        details.sealed = f"{sealed.path} {sealed.digest[:12]} {sealed.note}".strip()
        record = details.record = record.model_copy(update={"gaps": sealed.gaps})
        return record

    def _record(self, going: Going) -> DrillRecord:
        details, target, request = self.state.details, self.target, self.request
        part = the_way_there(details)
        passed = all(one.met for one in details.criteria)
        gaps = [f"not looked at: {one.name}" for one in details.criteria if one.met is None]
        gaps += [f"a vote that nobody has proved: {one.by} as {one.role}" for one in self.state.votes if not one.verified]
        gaps += [f"checklist: {one.told()}" for one in self.state.checks if one.holds]
        gaps += [] if self._word else ["no person's word"]
        return DrillRecord(
            drill=target.name, kind=target.drill.kind.value, target=target.drill.target, run=me(), by=request.by,
            reason=request.reason, participants=target.drill.participants, due_at=request.due,
            began_at=self.state.started_at, ended_at=workflow.now(), passed=passed and not going.stopped,
            criteria=details.criteria, parts=details.parts, rto_seconds=details.recovery_seconds,
            rpo_rows=part.lost if part else None, objective_seconds=target.objective.rto.total_seconds(),
            differences=details.after.differences(details.before) if details.after and details.before else (),
            compared=details.after is not None, word=self._word, notice=self._notice, answers=details.answers,
            rows={which: row.row for which, row in details.rows.items()},
            gaps=tuple(gaps),
        )  # fmt: skip
