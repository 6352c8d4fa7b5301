"""What a report shows of a drill: its criteria, the runs there and back, what clients saw, who has judged it."""

from __future__ import annotations

from activities.drills.models import DrillDetails
from activities.drills.record import Criterion, Part

_VERDICTS = {True: "met", False: "MISSED", None: "NOT KNOWN"}


def drill_lines(details: DrillDetails) -> list[str]:
    """Return what was done and measured, one sentence a line."""
    lines = [_criterion(one) for one in details.criteria]
    lines += [_part(one) for one in details.parts]
    if (seen := details.answers) is not None:
        gap = f", longest gap {seen.outage_seconds:.3f} s" if seen.outage_seconds is not None else ""
        lines.append(f"application: {seen.acknowledged} answers, {seen.failed} failed{gap}")
    lines += [f"row {which} the failover: {row.row}" for which, row in details.rows.items()]
    if (word := details.word) is not None:
        proved = f"signed, {word.key}" if word.key else "unverified"
        lines.append(f"judged by {word.by} ({proved}): {'PASS' if word.passed else 'FAIL'}: {word.notes}")
    if details.record is not None:
        lines += [f"gap: {gap}" for gap in details.record.gaps]
    return [*lines, *([f"record: {details.sealed}"] if details.sealed else [])]


def _criterion(one: Criterion) -> str:
    return f"{one.name}: {one.seen or 'not looked at'} ({one.wanted}): {_VERDICTS[one.met]}"


def _part(one: Part) -> str:
    seconds = f", {one.seconds:.1f} s" if one.seconds is not None else ""
    return f"{one.role}: {one.workflow} {one.outcome}{seconds}: {one.explanation}"
