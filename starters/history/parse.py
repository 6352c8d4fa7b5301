"""A run as its history tells it, event by event; live progress and reports read the same chronicle.

The history is the only source: it is complete when no worker is left to ask, and it is the same when it comes from the
server, from an archive or from the ``history.json`` that a run leaves behind. Payloads that cannot be read (another
version wrote them) are skipped, never guessed: what they would have said is then unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from activities.run.models.plan import Plan
from activities.run.models.report import RunReport, Vote
from activities.run.models.wire import read
from estate.base import Target
from starters.history.reports import read_plan, read_report
from workflows.catalog import PROCEDURES, shown, spec_of
from workflows.run.automatic import FOUND, Found, is_watch
from workflows.run.models import CancelNote, Decision, Status, cancel_note, is_plan
from workflows.run.phases import Part, ReportPhase

KEEP = "records.keep"
"""The step that hands a run's report over: the last one."""
M = TypeVar("M", bound=BaseModel)

FIRST_REASON = "FailoverFirstReason"
"""Key of a resumed run's memo."""
_ABOUT = re.compile(
    r"(activity_task|timer|workflow_task|(start_child_|child_)?workflow_execution)_|upsert_workflow_search_attributes"
)
"""Which kind of thing an event is about."""
_ENDS = ("completed", "failed", "timed_out", "canceled")
_CLOSES = {
    "completed": "completed",
    "failed": "failed",
    "canceled": "cancelled",
    "terminated": "terminated",
    "timed_out": "timed out",
    "continued_as_new": "continued",
}


@dataclass
class Step:
    """One activity. Times are aware; ``ended`` is ``None`` while it runs (or is being tried again)."""

    name: str
    what: str
    """Its summary, as the Temporal UI shows it."""
    scheduled: datetime
    started: datetime | None = None
    """Start of its last attempt."""
    cancel_asked: datetime | None = None
    ended: datetime | None = None
    end: str = ""
    """``completed``, ``failed``, ``timed_out`` or ``canceled``."""
    attempts: int = 1
    failure: str = ""
    result: Payload | None = None
    child: tuple[str, str] | None = None
    """Workflow ID and run ID, where it is a child workflow that has begun."""
    inside: Chronicle | None = None
    """What the child's own history says, once somebody has read that."""

    @property
    def phase(self) -> ReportPhase | None:
        """Row of the report that it belongs to, if any."""
        return shown(self.name).row


@dataclass
class Chronicle:
    """Everything that a history says. Feed it with ``add``, in order; adding an event again changes nothing."""

    workflow_id: str = ""
    run_id: str = ""
    """Give it where it is known: after a reset the first event still names the run that was reset."""
    first_run: str = ""
    """What a signature names as the run: a reset keeps it."""
    workflow: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    """The request as it was sent."""
    noticed: datetime | None = None
    """Since when a watch's witnesses had seen it gone, in a run that a watch has begun."""
    first_reason: str = ""
    """Of a resumed run: why the first one was asked for."""
    started_at: datetime | None = None
    closed_at: datetime | None = None
    close: str = ""
    """How Temporal closed it: ``completed``, ``failed``, ``cancelled``, ``terminated`` …; empty while open."""
    failure: str = ""
    steps: dict[int, Step] = field(default_factory=dict)
    """Event ID of the scheduling → step, in order."""
    phases: list[tuple[datetime, str]] = field(default_factory=list)
    """When which phase was entered."""
    timers: dict[int, tuple[datetime, datetime | None]] = field(default_factory=dict)
    votes: list[Vote] = field(default_factory=list)
    """As sent by update; the role only if the sender named it."""
    cancel_asked: datetime | None = None
    cancel_note: CancelNote | None = None
    target: Target | None = None
    plan: Plan | None = None
    report: RunReport | None = None
    stuck: str = ""
    """Why workers fail at the run itself; empty once one goes on with it."""
    last_event: int = 0
    last_at: datetime | None = None

    def add(self, event: HistoryEvent) -> None:
        """Take in one event."""
        if event.event_id <= self.last_event:
            return
        self.last_event, self.last_at = event.event_id, event.event_time.ToDatetime(UTC)
        kind = (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")
        about = _ABOUT.match(kind)
        match about and about.group():
            case "activity_task_":
                self._activity(kind.removeprefix("activity_task_"), event, self.last_at)
            case "timer_":
                self._timer(kind, event, self.last_at)
            case "workflow_task_":
                self._task(kind, event)
            case "workflow_execution_":
                self._execution(kind.removeprefix("workflow_execution_"), event, self.last_at)
            case "start_child_workflow_execution_" | "child_workflow_execution_":
                self._child(kind, event, self.last_at)
            case "upsert_workflow_search_attributes":
                self._labels(event, self.last_at)

    @property
    def phase(self) -> str:
        """The phase that was entered last; empty before the first worker has touched the run."""
        return self.phases[-1][1] if self.phases else ""

    @property
    def is_open(self) -> bool:
        """Whether the run goes on. One that has handed over its report to be kept has ended."""
        return not self.close and self.report is None

    @property
    def finished_at(self) -> datetime | None:
        """When the run ended."""
        return self.report.finished_at if self.report else self.closed_at

    def steps_named(self, *names: str) -> list[Step]:
        """Return the steps of these kinds, oldest first."""
        return [step for step in self.steps.values() if step.name in names]

    def steps_that(self, *parts: Part) -> list[Step]:
        """Return the steps that are these parts of a transfer, oldest first."""
        return [step for step in self.steps.values() if shown(step.name).part in parts]

    def result_of(self, name: str, model: type[M]) -> M | None:
        """Return what the last completed step of that kind answered."""
        answers = [step.result for step in self.steps_named(name) if step.result is not None]
        return decode(answers[-1], model) if answers else None

    def _activity(self, kind: str, event: HistoryEvent, at: datetime) -> None:
        if kind == "scheduled":
            self._scheduled(event, at)
            return
        details = getattr(event, f"activity_task_{kind}_event_attributes")
        step = self.steps.get(details.scheduled_event_id)
        if step is None:
            return
        if kind == "started":
            step.started, step.attempts = at, details.attempt
        elif kind == "cancel_requested":
            step.cancel_asked = at
        elif kind in _ENDS:
            step.ended, step.end = at, kind
            step.failure = innermost(details.failure) if kind in {"failed", "timed_out"} else ""
            if kind == "completed":
                step.result = first(details.result)
                self._learn(step)

    def _child(self, kind: str, event: HistoryEvent, at: datetime) -> None:
        """Take in a child workflow as a step called ``child NAME``, or ``plan NAME`` where it is a dry run."""
        details = getattr(event, f"{kind}_event_attributes")
        if kind == "start_child_workflow_execution_initiated":
            name = details.workflow_type.name
            what = "plan" if is_plan(details.workflow_id) else "child"
            self.steps[event.event_id] = Step(f"{what} {name}", f"{name} under {details.workflow_id}", at, started=at)
            return
        step, end = self.steps.get(details.initiated_event_id), kind.rpartition("_")[2]
        if step is not None and end == "started":
            step.child = (details.workflow_execution.workflow_id, details.workflow_execution.run_id)
        elif step is not None:
            step.ended, step.end = at, end if end in _ENDS else "failed"
            step.failure = innermost(details.failure) if kind == "child_workflow_execution_failed" else ""

    def _scheduled(self, event: HistoryEvent, at: datetime) -> None:
        details = event.activity_task_scheduled_event_attributes
        name = details.activity_type.name
        what = decode_json(event.user_metadata.summary)
        self.steps[event.event_id] = Step(name=name, what=what if isinstance(what, str) else name, scheduled=at)
        argument = decode_json(first(details.input))
        if not isinstance(argument, dict):
            return
        if name == KEEP and isinstance(report := argument.get("report"), dict):
            self.report = read_report(report)
            self.plan = self.report.plan or self.plan
        elif (plan := _plan_in(argument)) is not None:
            with suppress(ValidationError):
                found = read_plan(self.workflow, plan)
                self.plan = found if self.plan is None or found.steps else self.plan

    def _learn(self, step: Step) -> None:
        spec = spec_of(self.workflow)
        if spec is not None and shown(step.name).resolves:
            self.target = decode(step.result, spec.target) or self.target

    def _timer(self, kind: str, event: HistoryEvent, at: datetime) -> None:
        if kind == "timer_started":
            self.timers[event.event_id] = (at, None)
            return
        began = getattr(event, f"{kind}_event_attributes").started_event_id
        if began in self.timers:
            self.timers[began] = (self.timers[began][0], at)

    def _task(self, kind: str, event: HistoryEvent) -> None:
        if kind == "workflow_task_failed":
            self.stuck = innermost(event.workflow_task_failed_event_attributes.failure)
        elif kind == "workflow_task_completed":
            self.stuck = ""

    def _execution(self, kind: str, event: HistoryEvent, at: datetime) -> None:
        details = getattr(event, f"workflow_execution_{kind}_event_attributes")
        if kind == "started":
            self.started_at, self.workflow = at, details.workflow_type.name
            self.run_id = self.run_id or details.original_execution_run_id
            self.first_run = details.first_execution_run_id
            self.workflow_id = details.workflow_id or self.workflow_id
            asked = decode_json(first(details.input))
            self.asked = asked if isinstance(asked, dict) else {}
            if FIRST_REASON in details.memo.fields:
                self.first_reason = str(decode_json(details.memo.fields[FIRST_REASON]))
            if FOUND in details.memo.fields and is_watch(details.parent_workflow_execution.workflow_id):
                self.noticed = read(Found, decode_json(details.memo.fields[FOUND])).since
        elif kind == "cancel_requested":
            self.cancel_asked, self.cancel_note = at, cancel_note(details.cause)
        elif kind == "update_accepted":
            self._vote(first(details.accepted_request.input.args), at)
        elif kind == "update_completed":
            self._signed_vote(first(details.outcome.success))
        elif kind in _CLOSES:
            self.close, self.closed_at = _CLOSES[kind], at
            self.failure = innermost(details.failure) if kind == "failed" else getattr(details, "reason", "")

    def _vote(self, payload: Payload | None, at: datetime) -> None:
        decision = decode(payload, Decision)
        if decision and not decision.signature:
            self.votes.append(Vote(**decision.model_dump(), at=at))

    def _signed_vote(self, answer: Payload | None) -> None:
        """Take in a vote whose signature was judged: what the run has answered then tells that it counts."""
        status = decode(answer, Status)
        if status and status.approval:
            known = {one.by for one in self.votes}
            self.votes += [one for one in status.approval.votes if one.verified and one.by not in known]

    def _labels(self, event: HistoryEvent, at: datetime) -> None:
        labels = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        phase = decode_json(labels["FailoverPhase"]) if "FailoverPhase" in labels else None
        if isinstance(phase, str) and phase != self.phase:
            self.phases.append((at, phase))


def chronicle_of(events: Iterable[HistoryEvent], workflow_id: str = "") -> Chronicle:
    """Return the chronicle of a whole history."""
    chronicle = Chronicle(workflow_id=workflow_id)
    for event in events:
        chronicle.add(event)
    return chronicle


def target_of(asked: dict[str, Any]) -> str:
    """Return the name of what a request is about; empty when it names nothing."""
    named = (asked.get(spec.request.names) for spec in PROCEDURES)
    return next((name for name in named if isinstance(name, str) and name), "")


def _plan_in(argument: dict[str, Any]) -> object:
    """Return the plan in a step's request, or in the transfer that it carries."""
    transfer = argument.get("switch")
    return argument.get("plan") or (transfer.get("plan") if isinstance(transfer, dict) else None)


def first(payloads: Payloads) -> Payload | None:
    """Return the only payload that our steps and workflows send."""
    return payloads.payloads[0] if payloads.payloads else None


def decode(payload: Payload | None, model: type[M]) -> M | None:
    """Return the payload as ``model``; ``None`` when there is none or it does not fit."""
    if payload is None or not payload.data:
        return None
    try:
        return model.model_validate_json(payload.data, extra="ignore")
    except ValidationError:
        return None


def decode_json(payload: Payload | None) -> Any:  # noqa: ANN401 - whatever somebody sent
    """Return the payload as plain JSON; ``None`` when it is not JSON."""
    try:
        return json.loads(payload.data) if payload is not None and payload.data else None
    except (ValueError, RecursionError):
        return None


def innermost(failure: Failure) -> str:
    """Return the message at the root of a failure."""
    while failure.HasField("cause"):
        failure = failure.cause
    return failure.message
