"""What is known about a run, whether it has ended well, badly, by a terminated workflow, or not at all yet.

A run that ended writes its own report as the last step's input; then that is the source. A run that is open, or that
somebody terminated, has no such report: what its finished steps answered is used instead.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from activities.postgres.availability import standing_of
from activities.postgres.models.details import PostgresDetails
from activities.run.errors import Refusal
from activities.run.models.doctor import Standing
from activities.run.models.measure import Measurement
from activities.run.models.report import Details, Known, Outcome, RunReport
from activities.run.models.todo import Todo, todo
from activities.run.models.wire import Wire
from estate.postgres import PostgresTarget
from gate.record import Mode
from starters.history.objective import Verdict, verdict_of
from starters.history.parse import Chronicle, decode, decode_json, target_of
from starters.history.people import approvers, hosted_approvers, policy_of
from starters.history.reports import read_details
from starters.history.timing import Timing, timing_of
from workflows.catalog import shown, spec_of
from workflows.run.phases import ReportPhase, Trait, has

_MANY = {"reconnected"}
"""Fields of details that several steps fill in, one entry each."""
_FRESH = timedelta(minutes=2)
_AFTER_A_STOP = (todo(Todo.RECOVER, "start the same run again: it first recovers what this one left behind"),)


class Asked(Wire):
    """The request, as far as it can be read."""

    cluster: str = ""
    mode: str = ""
    run: str = ""
    by: str = ""
    reason: str = ""
    to: str = ""


class StepFact(Wire):
    """One step of the history."""

    name: str
    what: str
    scheduled: datetime
    ended: datetime | None
    end: str
    attempts: int
    failure: str


class Facts(Wire):
    """Everything that a report shows."""

    workflow: str
    workflow_id: str
    run_id: str
    asked: Asked
    open: bool
    waits_for_people: bool
    phase: str
    """Phase entered last; empty before a worker has touched the run."""
    outcome: Outcome | None
    """``None`` while open, and when the run ended without writing its report (terminated)."""
    close: str
    """How Temporal closed it; empty while open."""
    reason: str
    """One sentence: why it ended like this."""
    refusal: str
    started_at: datetime
    finished_at: datetime | None
    cancel_asked_at: datetime | None
    cancel_asked_by: str = ""
    """Empty: no name was given."""
    cancel_reason: str = ""
    roles: tuple[str, ...]
    """Roles that the policy asks approval of."""
    approvers: tuple[str, ...] = ()
    """The same with those who can give it: ``DBA (dana)``."""
    hosted_approvers: tuple[str, ...] = ()
    """Nodes: who must approve the failover of each leader that the node hosts: ``orders: DBA (dana)``."""
    outage: Standing | None = None
    """Refused a moment ago, and its survey has found that the cluster takes no writes."""
    log_tail: str
    """Last lines of the leader's log before the switch, as the first look brought them."""
    known: Known
    steps: tuple[StepFact, ...]
    timing: Timing
    verdict: Verdict


def _outcome_in(report: RunReport) -> Outcome:
    """Return how the run ended; an older version called a withdrawal a refusal."""
    return Outcome.WITHDRAWN if report.refusal == Refusal.WITHDRAWN else report.outcome


def facts_of(chronicle: Chronicle, now: datetime | None = None) -> Facts:
    """Return what ``chronicle`` tells; a run without a close is judged as of ``now``."""
    report, now = chronicle.report, now or datetime.now(UTC)
    known = _known_at_the_end(report) if report else _known_so_far(chronicle)
    policy = policy_of(chronicle)
    roles = policy.roles if policy else ()
    return Facts(
        workflow=chronicle.workflow,
        workflow_id=chronicle.workflow_id,
        run_id=chronicle.run_id,
        asked=_asked(chronicle),
        open=chronicle.is_open,
        waits_for_people=chronicle.is_open and has(chronicle.phase, Trait.WAITS_FOR_PEOPLE),
        phase=chronicle.phase,
        outcome=_outcome_in(report) if report else None,
        close=chronicle.close,
        reason=report.reason if report else chronicle.failure,
        refusal=report.refusal if report else "",
        started_at=chronicle.started_at or now,
        finished_at=chronicle.finished_at,
        cancel_asked_at=chronicle.cancel_asked,
        cancel_asked_by=chronicle.cancel_note.by if chronicle.cancel_note else "",
        cancel_reason=chronicle.cancel_note.reason if chronicle.cancel_note else "",
        roles=roles,
        approvers=approvers(chronicle, roles),
        hosted_approvers=hosted_approvers(chronicle, known.plan),
        outage=_outage(chronicle, known, now),
        log_tail=_log_tail(chronicle),
        known=known,
        steps=_steps(chronicle),
        timing=timing_of(chronicle, chronicle.finished_at or now),
        verdict=verdict_of(chronicle, known.measurement),
    )


def _known_at_the_end(report: RunReport) -> Known:
    return Known.model_construct(**{name: getattr(report, name) for name in Known.model_fields})


def _asked(chronicle: Chronicle) -> Asked:
    def text(key: str) -> str:
        value = chronicle.asked.get(key)
        return value if isinstance(value, str) else ""

    return Asked(
        cluster=target_of(chronicle.asked),
        mode=text("mode") or _kind(chronicle),
        run=text("run") or "plan",
        by=text("by"),
        reason=text("reason"),
        to=text("to") or text("member") or text("pod"),
    )


def _kind(chronicle: Chronicle) -> str:
    """Return what a run without a mode is called."""
    spec = spec_of(chronicle.workflow)
    return spec.request.kind if spec else ""


def _steps(chronicle: Chronicle) -> tuple[StepFact, ...]:
    return tuple(
        StepFact(
            name=step.name,
            what=step.what,
            scheduled=step.scheduled,
            ended=step.ended,
            end=step.end,
            attempts=step.attempts,
            failure=step.failure,
        )
        for step in chronicle.steps.values()
    )


def _outage(chronicle: Chronicle, known: Known, now: datetime) -> Standing | None:
    """Return what the survey of a refused run says of an outage, as long as it can be taken for what is."""
    survey = known.details.survey if isinstance(known.details, PostgresDetails) else None
    target, refused = chronicle.target, chronicle.report is not None and chronicle.report.outcome is Outcome.REFUSED
    forced = chronicle.asked.get("mode") == Mode.FORCED.value
    if survey is None or not isinstance(target, PostgresTarget) or not refused or forced or now - survey.at > _FRESH:
        return None
    standing = standing_of(target, survey)
    return standing if standing.takes_writes is False else None


def _log_tail(chronicle: Chronicle) -> str:
    """Return it from the answer that holds it: a history keeps it once."""
    answers = (decode_json(step.result) for step in chronicle.steps.values())
    return next((answer["log_tail"] for answer in answers if isinstance(answer, dict) and answer.get("log_tail")), "")


def _known_so_far(chronicle: Chronicle) -> Known:
    """Gather what the finished steps of a run without a report have answered."""
    measured = [step.result for step in chronicle.steps.values() if shown(step.name).measures and step.result is not None]
    claimed = any(shown(step.name).row is ReportPhase.CLAIM for step in chronicle.steps.values())
    return Known(
        plan=chronicle.plan,
        votes=tuple(chronicle.votes),
        measurement=decode(measured[-1], Measurement) if measured else None,
        details=_details_so_far(chronicle),
        left_to_do=_AFTER_A_STOP if chronicle.close and claimed else (),
    )


def _details_so_far(chronicle: Chronicle) -> Details | None:
    answered: dict[str, Any] = {}
    for step in chronicle.steps.values():
        if (field := shown(step.name).fills) and step.result is not None:
            answer = decode_json(step.result)
            answered[field] = [*answered.get(field, ()), answer] if field in _MANY else answer
    with suppress(ValidationError):
        return read_details(chronicle.workflow, answered)
    return None
