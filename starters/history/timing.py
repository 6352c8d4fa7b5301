"""Where a run's time went: by phase, inside steps, waiting for people, and the rest, which is the orchestration's own.

A step counts from the start of its attempt; one that was tried again counts from its scheduling, back-off included. The
measuring writer runs beside the others and counts only from the moment that the run waits for its answer. The run's work
ends when its report is handed over to be kept.

A child workflow is no step: where its history was read, its steps, waits and pauses count, and the rest of it is the
orchestration's own, as the rest of the run that waits for it. Where it was not read, it counts as one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from activities.run.models.wire import Wire
from starters.history.parse import KEEP, Chronicle, Step
from workflows.catalog import shown
from workflows.run.phases import Phase, ReportPhase

Span = tuple[datetime, datetime]
_SHOWN_FROM_SECONDS = 0.001


class PhaseTime(Wire):
    """One row of the timeline."""

    phase: ReportPhase
    spans: tuple[Span, ...]
    """When it went on, oldest first, without overlaps."""
    seconds: float
    attempts: int
    """Most attempts that one of its steps needed; 0 for a phase without steps."""
    running: bool = False
    failed: bool = False


class PhaseOwn(Wire):
    """How much of a phase was the orchestration's own."""

    phase: str
    """As the run calls it; empty before the first one."""
    seconds: float


class Timing(Wire):
    """Where the time went, in seconds."""

    total: float
    steps: float
    """Inside steps: the union of their times."""
    people: float
    """Waiting for approval, or held."""
    pauses: float
    """Pauses that the procedure makes on purpose (a baseline for the measurement)."""
    own: float
    """The orchestration's own: all that is left."""
    own_by_phase: tuple[PhaseOwn, ...] = ()
    """Where it was a millisecond or more, in order."""
    children: int = 0
    """Child workflows whose own share is in all of these."""
    phases: tuple[PhaseTime, ...]


def timing_of(chronicle: Chronicle, now: datetime) -> Timing:
    """Return the timing; a run that is still open is timed until ``now``."""
    began = chronicle.started_at or now
    end = max(_end(chronicle, now), began)
    read = [one.inside for one in chronicle.steps.values() if one.inside is not None]
    people, steps, pauses = (union(spans) for spans in _spent(chronicle, end))
    covered = union([*people, *steps, *pauses])
    total = (end - began).total_seconds()
    return Timing(
        total=total,
        steps=seconds(steps),
        people=seconds(people),
        pauses=seconds(covered) - seconds(union([*people, *steps])),
        own=max(total - seconds(covered), 0.0),
        own_by_phase=_own_by_phase(chronicle, (began, end), covered),
        children=len(read),
        phases=_phases(chronicle, end),
    )


def _spent(chronicle: Chronicle, end: datetime) -> tuple[list[Span], list[Span], list[Span]]:
    """Return when people were waited for, when steps went on and when the run paused, until ``end``; in children, too."""
    people = [span for phase in PEOPLE.values() for span in _spans_in(phase, chronicle, end)]
    steps = list[Span]()
    pauses = [(at, min(until or end, end)) for at, until in chronicle.timers.values()]
    for step in chronicle.steps.values():
        if (span := busy(step, end)) is None or span[0] >= end:
            continue
        if step.inside is None:
            steps.append(span)
            continue
        for all_of_a_kind, its in zip((people, steps, pauses), _spent(step.inside, span[1]), strict=True):
            all_of_a_kind.extend(its)
    return people, steps, pauses


def _own_by_phase(chronicle: Chronicle, whole: Span, covered: list[Span]) -> tuple[PhaseOwn, ...]:
    """Return how much of each phase nothing covers."""
    entered = [(whole[0], ""), *chronicle.phases, (whole[1], "")]
    own = dict[str, float]()
    for (at, phase), following in pairwise(entered):
        span = (max(at, whole[0]), min(following[0], whole[1]))
        if span[1] > span[0]:
            taken = seconds((max(a, span[0]), min(b, span[1])) for a, b in covered if a < span[1] and b > span[0])
            own[phase] = own.get(phase, 0.0) + (span[1] - span[0]).total_seconds() - taken
    return tuple(PhaseOwn(phase=phase, seconds=share) for phase, share in own.items() if share >= _SHOWN_FROM_SECONDS)


def busy(step: Step, end: datetime) -> Span | None:
    """Return when the run was held up by ``step``; ``None`` for one that only ran beside it."""
    began = step.started if step.started and step.attempts == 1 else step.scheduled
    if step.name == KEEP:
        return None
    if shown(step.name).measures:
        if step.cancel_asked is None:
            return None
        began = step.cancel_asked
    return began, max(min(step.ended or end, end), began)


def _spans_in(wanted: Phase, chronicle: Chronicle, end: datetime) -> list[Span]:
    entered = [*chronicle.phases, (end, "")]
    return [(at, max(following[0], at)) for (at, phase), following in pairwise(entered) if phase == wanted]


PEOPLE = {
    ReportPhase.APPROVE: Phase.AWAITING_APPROVAL,
    ReportPhase.HOLD: Phase.HELD,
    ReportPhase.CHECK: Phase.CHECKING,
    ReportPhase.REVIEW: Phase.REVIEWING,
}
"""Rows in which no step goes on, but people are waited for."""


def union(spans: Iterable[Span]) -> list[Span]:
    """Return ``spans`` joined where they overlap, oldest first."""
    joined: list[Span] = []
    for begin, end in sorted(span for span in spans if span[1] >= span[0]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def seconds(spans: Iterable[Span]) -> float:
    """Return how long ``spans`` last together."""
    return sum((end - begin).total_seconds() for begin, end in spans)


def _end(chronicle: Chronicle, now: datetime) -> datetime:
    kept = chronicle.steps_named(KEEP)
    return kept[-1].scheduled if kept else chronicle.closed_at or now


def _phases(chronicle: Chronicle, end: datetime) -> tuple[PhaseTime, ...]:
    rows = []
    for phase in ReportPhase:
        steps = [step for step in chronicle.steps.values() if step.phase is phase]
        waits = PEOPLE.get(phase)
        people = _spans_in(waits, chronicle, end) if waits else []
        spans = union([*people, *(span for step in steps if (span := busy(step, end)))])
        if spans:
            rows.append(
                PhaseTime(
                    phase=phase,
                    spans=tuple(spans),
                    seconds=seconds(spans),
                    attempts=max((step.attempts for step in steps), default=0),
                    running=any(step.ended is None for step in steps) or (waits is not None and chronicle.phase == waits),
                    failed=any(step.end in {"failed", "timed_out"} for step in steps),
                )
            )
    return tuple(sorted(rows, key=lambda row: row.spans[0][0]))
