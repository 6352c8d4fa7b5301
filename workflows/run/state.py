"""What a run knows about itself, in one place: the answer to ``status``, the text in the UI, the report at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from activities.run.errors import Refusal, refuse
from activities.run.models.checks import CheckEntry
from activities.run.models.control import Control
from activities.run.models.measure import Measurement
from activities.run.models.plan import Plan
from activities.run.models.report import Details, Outcome, RunReport, Vote
from activities.run.models.todo import LeftToDo, Todo
from estate.base import Target
from estate.checklists import Gate
from workflows.run.approval import ApprovalGate
from workflows.run.control import RunControl
from workflows.run.granted import Granted
from workflows.run.models import Attestation, Request, Status
from workflows.run.phases import Phase, Trait
from workflows.run.shown import text_of

D = TypeVar("D", bound=Details)

TARGET = SearchAttributeKey.for_keyword("FailoverTarget")
MODE = SearchAttributeKey.for_keyword("FailoverMode")
RUN = SearchAttributeKey.for_keyword("FailoverRun")
PHASE = SearchAttributeKey.for_keyword("FailoverPhase")
OUTCOME = SearchAttributeKey.for_keyword("FailoverOutcome")
SEARCH_ATTRIBUTES = (TARGET, MODE, RUN, PHASE, OUTCOME)
"""Must exist in the namespace; the worker creates them when it starts."""


def _nothing() -> tuple[str, ...]:
    return ()


Span = tuple[datetime, datetime]
"""From when to when."""


@dataclass
class RunState(Generic[D]):
    """The only place that a phase, a fact or an outcome is written to."""

    request: Request | None
    details: D
    """What only this procedure knows."""
    phase: Phase = Phase.SURVEYING
    started_at: datetime = field(default_factory=workflow.now)
    target: Target | None = None
    plan: Plan | None = None
    approvals: ApprovalGate | None = None
    outcome: Outcome | None = None
    explanation: str = ""
    remark: str = ""
    """What came up in this phase; gone with it."""
    would_undo: tuple[str, ...] = ()
    left_to_do: tuple[LeftToDo, ...] = ()
    forward_only: bool = False
    """Past the point of no return: there is no outcome ``rolled back`` any more."""
    can_be_ended: bool = False
    """Only the last wait is left, and a cancel ends it: what is waited for goes on without the run."""
    leaves: str = ""
    """What is left behind by a run that ends before its point of no return."""
    waited_for_people: tuple[Span, ...] = ()
    """From when to when people were asked to approve, or held the run."""
    attested_by: str = ""
    """Who has said that the old primary is stopped, or is to be stopped at any price."""
    attested_key: str = ""
    """Fingerprint of the SSH key that has signed it."""
    announced_by: str = ""
    """Who has said so in the request, where only signed words count: a signed one must follow before anything changes."""
    signed_word: Attestation | None = None
    """The signed attestation, to be passed on to runs that this one has begun."""
    heard: set[bytes] = field(default_factory=set)
    """Signed words that have counted: each does once."""
    by_watch: bool = False
    """Whether the watch of this target has begun this run, and that has been looked at."""
    granted: Granted | None = None
    """What people have agreed to in the run that has begun this one."""
    withdrawn: str = ""
    """Why the watch that has begun this run does not want it any more."""
    insisted_by: str = ""
    """Who has said that what disruption budgets protect is to be deleted all the same."""
    insisted_key: str = ""
    kept: tuple[str, ...] = ()
    checks: tuple[CheckEntry, ...] = ()
    """Items of its checklists."""
    checking: Gate | None = None
    """Whose items people can say or skip now; ``None``: nobody's."""
    measurement: Measurement | None = None
    complete_until: datetime | None = None
    """Forced: the new primary has every commit of the lost one until then."""
    undone: tuple[str, ...] = ()
    preview: str = ""
    warnings: tuple[str, ...] = ()
    """Dry run: what should be mended before the procedure is needed."""
    control: RunControl = field(default_factory=RunControl)
    """What people have ordered while it went on."""
    hints: Callable[[], tuple[str, ...]] = _nothing
    """What else the UI shows: how people let a run go on that is held up."""

    @property
    def is_withdrawn(self) -> bool:
        """Whether the watch that has begun this run has withdrawn it; anybody else's word is ignored."""
        return self.by_watch and bool(self.withdrawn)

    def enter(self, phase: Phase, explanation: str = "") -> None:
        """Go on to ``phase`` and show it.

        Raises:
            CancelledError: a cancel was asked for while the last step ran and the way back is still open. A step that
                outlives the request swallows it, so each boundary looks again.

        """
        if Trait.CANCELLABLE in phase.traits and not self.forward_only and workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError
        self.phase, self.explanation, self.remark = phase, explanation, ""
        workflow.logger.info("Phase: %s", phase.value)
        workflow.upsert_search_attributes([PHASE.value_set(phase.value)])
        self.show()

    def attest(self, by: str, target: Target, *, signed_only: bool) -> None:
        """Take the requester's word that the old primary is stopped; ``signed_only``: as one that is to follow, signed.

        Raises:
            ApplicationError: ``BadInput``; the estate does not take that person's word.

        """
        if complaint := target.why_no_word(by):
            raise refuse(Refusal.BAD_INPUT, complaint)
        if signed_only:
            self.announced_by = by
        else:
            self.attested_by = by
        self.show()

    @property
    def vouched_by(self) -> str:
        """Who says, or is to say before anything changes, that the old primary is stopped or given up."""
        return self.attested_by or self.announced_by

    @property
    def owes_word(self) -> bool:
        """Whether the word that the request has announced is still to be said, and signed."""
        return bool(self.announced_by) and not self.attested_by

    def label(self) -> None:
        """Set the search attributes first thing: a run started like another one inherits the other's."""
        request = self.request
        workflow.upsert_search_attributes(
            [
                TARGET.value_set(request.lock if request else "unknown"),
                MODE.value_set(self.mode),
                RUN.value_set(request.run.value if request else "unknown"),
                PHASE.value_set(self.phase.value),
                OUTCOME.value_unset(),
            ]
        )

    @property
    def mode(self) -> str:
        """Mode as asked; what the run is called where there is none, ``unknown`` for unread input."""
        return self.request.called if self.request else "unknown"

    def show(self) -> None:
        """Render the current details for the Temporal UI."""
        workflow.set_current_details(text_of(self))

    @property
    def status(self) -> Status:
        """Answer of the query ``status``."""
        request = self.request
        objective = self.target.objective if self.target else None
        return Status(
            phase=self.phase,
            cluster=request.target if request else "",
            mode=self.mode,
            run=request.run.value if request else "",
            by=request.by if request else "",
            reason=request.reason if request else "",
            started_at=self.started_at,
            rto_seconds=objective.rto.total_seconds() if objective else None,
            plan=self.plan,
            approval=self.approvals.status if self.approvals and self.approvals.needed else None,
            would_undo=self.would_undo,
            outcome=self.outcome,
            explanation=self.said,
            left_to_do=self.left_to_do,
            forward_only=self.forward_only,
            can_be_ended=self.can_be_ended,
            waits_for_attestation=self.waits_for_attestation,
            attested_by=self.attested_by,
            attested_key=self.attested_key,
            insisted_by=self.insisted_by,
            held=self.control.told,
            can_skip=self.control.can(Control.SKIP),
            can_force=self.control.can(Control.FORCE),
            control=self.control.entries,
            checks=self.checks,
        )

    @property
    def said(self) -> str:
        """What is going on, or why it ended, with what came up meanwhile."""
        return "; ".join(filter(None, (self.explanation, self.remark)))

    @property
    def leads(self) -> str:
        """Who leads now that the run is complete; empty where nothing was moved."""
        return self.plan.candidate if self.plan and self.outcome is Outcome.COMPLETED else ""

    @property
    def waits_for_attestation(self) -> str:
        """The member that somebody must say is stopped; empty when nobody must."""
        waits = self.phase is Phase.PROVING or (self.phase is Phase.AWAITING_APPROVAL and self.owes_word)
        if not waits or self.attested_by or self.plan is None or self.target is None:
            return ""
        return self.plan.suspect if self.target.takes_words else ""

    @property
    def votes(self) -> tuple[Vote, ...]:
        """Who has agreed or not, here or in the run that has begun this one."""
        if self.granted is not None:
            return self.granted.votes
        return tuple(self.approvals.votes) if self.approvals else ()

    def done(self, kind: Todo, subject: str = "") -> None:
        """Take what is done off what is left to do; of one ``subject`` or of all."""
        self.left_to_do = tuple(
            left for left in self.left_to_do if left.kind is not kind or (subject and left.subject != subject)
        )

    def keep_check(self, entry: CheckEntry) -> None:
        """Put ``entry`` in the place of what was known of its item."""
        self.checks = tuple(entry if (one.gate, one.key) == (entry.gate, entry.key) else one for one in self.checks)

    def close(self, outcome: Outcome, explanation: str) -> None:
        """Write down how the run ends."""
        self.outcome, self.would_undo = outcome, ()
        ends = {Outcome.DRY_RUN: Phase.COMPLETED, Outcome.RECOVERED: Phase.COMPLETED}
        workflow.upsert_search_attributes([OUTCOME.value_set(outcome.value)])
        self.enter(ends.get(outcome) or Phase(outcome.value), explanation)

    def report(self, refusal: str = "") -> RunReport:
        """Return everything for the record."""
        request, info = self.request, workflow.info()
        objective = self.target.objective if self.target else None
        return RunReport(
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            workflow=info.workflow_type,
            outcome=self.outcome or Outcome.REFUSED,
            reason=self.said,
            refusal=refusal,
            cluster=request.target if request else "",
            mode=self.mode,
            run=request.run.value if request else "",
            by=request.by if request else "",
            asked_because=request.reason if request else "",
            started_at=self.started_at,
            finished_at=workflow.now(),
            objective_rto_seconds=objective.rto.total_seconds() if objective else None,
            objective_rpo_seconds=objective.rpo.total_seconds() if objective else None,
            plan=self.plan,
            votes=self.votes,
            attested_by=self.attested_by,
            attested_key=self.attested_key,
            insisted_by=self.insisted_by,
            insisted_key=self.insisted_key,
            control=self.control.entries,
            checks=self.checks,
            measurement=self.measurement,
            undone=self.undone,
            preview=self.preview,
            left_to_do=self.left_to_do,
            details=self.details,
        )
