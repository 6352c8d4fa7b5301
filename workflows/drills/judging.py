"""Whether a drill has passed, by the runbook's criteria. Pure. What could not be measured does not pass."""

from __future__ import annotations

from activities.drills.models import DrillDetails
from activities.drills.record import Criterion, DrillRecord, Part
from activities.run.models.report import Outcome
from estate.drilled import DrillTarget
from estate.drills import Kind
from workflows.run.markdown import plain, to_paste

HOW_TO_JUDGE = ("or the update `judge`:", to_paste('{"by": "NAME", "passed": true, "notes": "WHAT WAS SEEN"}'))
"""Behind the command, for who looks at the drill in the Temporal UI."""
_COUNTS_LOSS = {Kind.REDIS, Kind.DATABASE}
_BY_OUTAGE = {Kind.REDIS, Kind.DATABASE}
"""Their objective is for how long writes are refused; of all others, for how long it takes."""


def shown(criteria: tuple[Criterion, ...]) -> str:
    """Return, as Markdown, what a person looks at who judges the drill: each criterion with what was seen."""
    words = {True: "met", False: "**not met**", None: "**not looked at**"}
    return "\n".join(f"- {words[one.met]}: {plain(f'{one.name}: {one.seen}, wanted {one.wanted}')}" for one in criteria)


def the_way_there(details: DrillDetails) -> Part | None:
    """Return the run that has led there."""
    return next((one for one in details.parts if one.role == "there"), None)


def measured_seconds(target: DrillTarget, part: Part | None) -> float | None:
    """Return what the objective counts of the way there."""
    if part is None:
        return None
    return part.outage_seconds if target.drill.kind in _BY_OUTAGE else part.recovery_seconds


def criteria_of(target: DrillTarget, details: DrillDetails, stopped: str) -> tuple[Criterion, ...]:
    """Return each thing that must be so. ``stopped``: why the drill did not go to its end; empty: it did."""
    part, kind = the_way_there(details), target.drill.kind
    done = part is not None and part.outcome == Outcome.COMPLETED.value and not stopped
    found = [
        Criterion(
            name=f"{part.workflow if part else 'the failover'} comes to its end",
            wanted=Outcome.COMPLETED.value,
            seen=stopped or (f"{part.outcome}: {part.explanation}" if part else "not begun"),
            met=done,
        ),
        _in_time(target, measured_seconds(target, part)),
    ]
    if kind in _COUNTS_LOSS:
        lost = part.lost if part else None
        seen = "" if lost is None else f"{lost} rows"
        met = None if lost is None else lost == 0
        found.append(Criterion(name="no acknowledged write is lost", wanted="0 rows", seen=seen, met=met))
    if kind is Kind.DATABASE:
        found += [_row(details, "before"), _row(details, "after"), _duration(target, details)]
    return (*found, _equal(details))


def _in_time(target: DrillTarget, seconds: float | None) -> Criterion:
    limit = target.objective.rto.total_seconds()
    name = "writes are back in time" if target.drill.kind in _BY_OUTAGE else "all is ready again in time"
    seen = "" if seconds is None else f"{seconds:.3f} s"
    return Criterion(name=name, wanted=f"{limit:g} s at most", seen=seen, met=None if seconds is None else seconds <= limit)


def _row(details: DrillDetails, which: str) -> Criterion:
    row = details.rows.get(which)
    name = f"a row written {which} the failover is on a standby"
    if row is None:
        return Criterion(name=name, wanted="within 5 s", seen="")
    late = row.on_standby_after is None
    seen = "not within 5 s" if late else f"after {row.on_standby_after:.3f} s, on {row.standby}"
    return Criterion(name=name, wanted="within 5 s", seen=seen, met=not late)


def _duration(target: DrillTarget, details: DrillDetails) -> Criterion:
    """Return the runbook's own figure: from the first row to the one that the new primary has taken."""
    limit, rows = target.objective.rto.total_seconds(), details.rows
    name = "from the first row to the one on the new primary"
    if not {"before", "after"} <= set(rows):
        return Criterion(name=name, wanted=f"less than {limit:g} s", seen="")
    seconds = (rows["after"].written_at - rows["before"].written_at).total_seconds()
    return Criterion(name=name, wanted=f"less than {limit:g} s", seen=f"{seconds:.1f} s", met=seconds < limit)


def _equal(details: DrillDetails) -> Criterion:
    name, wanted = "all is as before", "no difference, nothing degraded"
    if details.before is None or details.after is None:
        return Criterion(name=name, wanted=wanted, seen="")
    told = (*details.after.differences(details.before), *details.after.troubles)
    seen = "; ".join(told) or f"{len(details.before.facts)} facts are equal"
    return Criterion(name=name, wanted=wanted, seen=seen, met=not told)


def said_of(record: DrillRecord) -> str:
    """Return how a drill went that has left all as before, in one sentence."""
    missed = next((f"{one.name}: {one.seen or 'not known'}" for one in record.criteria if not one.met), "")
    verdict = "PASS" if record.passed else f"FAIL: {missed}"
    word = record.word
    judged = "nobody has judged it" if word is None else f"{word.by} says {'PASS' if word.passed else 'FAIL'}"
    return f"{verdict}; {judged}; all is as before"
