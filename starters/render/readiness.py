"""Whether every procedure could be started, as people read it."""

from __future__ import annotations

from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from starters.render.tables import Rows
from starters.render.words import duration, moment
from workflows.readiness.models import Check, Readiness, ReadinessStatus, worst_first

NOT_CHECKED = "readiness is not checked; start it: failover readiness start"
_STYLES = {Readiness.BLOCKED: "bold red", Readiness.UNKNOWN: "yellow", Readiness.WARNING: "yellow", Readiness.READY: ""}
_FEW = 20


def block(status: ReadinessStatus | None, now: datetime) -> list[RenderableType]:
    """Return the part of ``status`` that is about readiness: only what is not ready, with the counts."""
    if status is None:
        return [Text(NOT_CHECKED, style="dim")]
    if status.unknown:
        return [headline(status, now)]
    shown = [one for one in status.checks if one.readiness is not Readiness.READY]
    hidden = sum(status.counts.values()) - status.counts.get(Readiness.READY.value, 0) - len(shown[:_FEW])
    more = [Text(f"and {hidden} more: failover readiness", style="dim")] if hidden > 0 else []
    return [headline(status, now), *([table(tuple(shown[:_FEW]))] if shown else []), *more]


def headline(status: ReadinessStatus, now: datetime) -> Text:
    """Return the counts, and how old they are."""
    if status.unknown:
        since = f" since {moment(status.unknown_since)}" if status.unknown_since else ""
        return Text(f"readiness: UNKNOWN{since}: {status.unknown}", style="bold yellow")
    if status.checked_at is None:
        return Text("readiness: the first pass goes on", style="dim")
    told = ", ".join(f"{status.counts.get(one.value, 0)} {one.value}" for one in _STYLES)
    age = duration(max((now - status.checked_at).total_seconds(), 0.0))
    bad = status.counts.get(Readiness.BLOCKED.value, 0) + status.counts.get(Readiness.UNKNOWN.value, 0)
    words = f"readiness: {told}; checked {age} ago, in {duration(status.took_seconds)}"
    return Text(words, style="bold yellow" if bad else "")


def table(checks: tuple[Check, ...]) -> Rows:
    """Return a row for each check, worst first."""
    rows = Rows("target", "procedure", "readiness", "since", "why", indent=0)
    for one in worst_first(checks):
        procedure = f"{one.procedure} {one.variant}".strip()
        readiness = Text(one.readiness.value, style=_STYLES[one.readiness])
        rows.add_row(one.target, procedure, readiness, moment(one.since), _why(one))
    return rows


def changes(status: ReadinessStatus, checks: tuple[Check, ...]) -> list[RenderableType]:
    """Return what has changed of ``checks``, newest first; at most 20 lines."""
    shown = {one.case for one in checks}
    lines = [
        f"  {moment(one.at)}  {one.target} {one.procedure} {one.variant}: {one.before.value} → {one.after.value}"
        for one in status.changes
        if (one.procedure, one.target, one.variant) in shown
    ]
    return [Text(), Text("What has changed", style="bold"), *(Text(line) for line in lines[:_FEW])] if lines else []


def _why(check: Check) -> str:
    told = [f"{one.refusal}: {one.message}" if one.refusal else one.message for one in check.reasons]
    return "; ".join(told)
