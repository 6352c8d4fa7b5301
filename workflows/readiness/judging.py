"""What the end of a dry run says of readiness. Pure.

A refusal blocks, whatever it is, unless this file says otherwise and why: one that a later version adds blocks too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from activities.readiness.models import Inventoried
from activities.run.errors import Refusal
from activities.run.models.report import Outcome
from workflows.readiness.models import (
    Case,
    Change,
    Check,
    Readiness,
    ReadinessStatus,
    Reason,
    counted,
    nothing_known,
    worst_first,
)
from workflows.run.outcome import Summary

_CHANGES, _LONGEST, _REASONS = 200, 600, 5
FINE = {
    Refusal.NODE_ALIVE: "the forced way is for a node that is lost, and this one lives",
    Refusal.PRIMARY_ALIVE: "the forced way is for a primary that is lost, and this one lives",
    Refusal.MOVED_ALREADY: "it is already where this would lead",
}
"""Refusals of a dry run on a healthy target → why they do not stop a failover when it is needed."""
NOBODY_LOOKED = {
    Refusal.UNREACHABLE: "who must be asked has not answered",
    Refusal.SECRET_MISSING: "the worker has no credentials to look with",
}
"""Refusals that say that nobody could look → in words. A failover would be refused with the same."""


class Verdict(NamedTuple):
    """How a case stands at this moment."""

    readiness: Readiness
    reasons: tuple[Reason, ...] = ()


def of_end(summary: Summary) -> Verdict:
    """Return what a dry run that ended well says: ready, or ready with warnings."""
    if summary.outcome is not Outcome.DRY_RUN:
        return unknown(f"the dry run ended {summary.outcome.value}: {summary.explanation}")
    warnings = tuple(Reason(message=words[:_LONGEST]) for words in summary.warnings[:_REASONS])
    return Verdict(Readiness.WARNING if warnings else Readiness.READY, warnings)


def of_refusal(kind: str, message: str) -> Verdict:
    """Return what a dry run says that was refused, or failed; ``kind`` is a ``Refusal`` value, or an error's name."""
    known = next((one for one in Refusal if one.value == kind), None)
    if known is None:
        return unknown(message)
    if known in FINE:
        return Verdict(Readiness.READY, (Reason(refusal=kind, message=f"{FINE[known]}: {message}"[:_LONGEST]),))
    readiness = Readiness.UNKNOWN if known in NOBODY_LOOKED else Readiness.BLOCKED
    return Verdict(readiness, (Reason(refusal=kind, message=message[:_LONGEST]),))


def unknown(message: str) -> Verdict:
    """Return that nobody could look, and why."""
    return Verdict(Readiness.UNKNOWN, (Reason(message=message[:_LONGEST]),))


class Pass(NamedTuple):
    """One pass through everything."""

    began: datetime
    ended: datetime
    listed: Inventoried
    found: tuple[tuple[Case, Verdict], ...]


def after(status: ReadinessStatus, one: Pass) -> ReadinessStatus:
    """Return how everything stands after a pass: a case that stands as before keeps its time."""
    before = {check.case: check for check in status.checks}
    checks = worst_first(_checked(case, verdict, before, one.ended) for case, verdict in one.found)
    return ReadinessStatus(
        checked_at=one.ended,
        took_seconds=(one.ended - one.began).total_seconds(),
        next_at=one.ended + one.listed.every,
        passes=status.passes + 1,
        counts=counted(checks),
        checks=checks,
        changes=(*_changes(checks, before, one.ended), *status.changes)[:_CHANGES],
    )


def after_none(status: ReadinessStatus, why: str, now: datetime, again: timedelta) -> ReadinessStatus:
    """Return how everything stands after a pass that could not be made: nothing is known."""
    lost = nothing_known(status, why[:_LONGEST], now)
    before = {check.case: check for check in status.checks}
    changes = (*_changes(lost.checks, before, now), *status.changes)[:_CHANGES]
    return lost.model_copy(
        update={"checked_at": now, "next_at": now + again, "passes": status.passes + 1, "changes": changes}
    )


def _checked(case: Case, verdict: Verdict, before: dict[tuple[str, str, str], Check], now: datetime) -> Check:
    fields = {"procedure": case.procedure, "target": case.target, "variant": case.variant}
    check = Check(readiness=verdict.readiness, reasons=verdict.reasons, since=now, **fields)
    known = before.get(check.case)
    same = known is not None and known.readiness is check.readiness
    return check.model_copy(update={"since": known.since}) if known and same else check


def _changes(checks: Iterable[Check], before: dict[tuple[str, str, str], Check], now: datetime) -> list[Change]:
    """Return what stands otherwise than before; what is new counts only where it is not ready."""
    changes = []
    for one in checks:
        known = before.get(one.case)
        was = known.readiness if known else Readiness.READY
        if (known and known.kinds == one.kinds) or (known is None and one.readiness is Readiness.READY):
            continue
        message = one.reasons[0].message if one.reasons else ""
        changes.append(
            Change(
                procedure=one.procedure, target=one.target, variant=one.variant,
                at=now, before=was, after=one.readiness, message=message,
            )
        )  # fmt: skip
    return changes
