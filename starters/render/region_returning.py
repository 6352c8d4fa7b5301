"""A region that was left: what of it is fenced, which servers were changed, and how far the old ones follow."""

from __future__ import annotations

from rich.console import RenderableType

from activities.region.models import Lag
from activities.region.recovery_models import Follower, RegionRecoveryDetails
from activities.region.returning_models import RegionFenceDetails, Returned, ServerChanged
from activities.run.models.report import Known
from starters.render import words
from starters.render.tables import Rows


def returned_tables(seen: Returned) -> list[RenderableType]:
    """Return each database with who leads it, and each application, as they were seen last."""
    databases = Rows("database", "who leads", "server of the lost region", "seen")
    for one in seen.databases:
        who = {"survivor": one.leader, "lost": one.server}.get(one.lead.value, "unknown")
        databases.add_row(one.name, who, f"{one.server}: {one.old.value}", one.words)
    applications = Rows("application of the lost region", "pods asked for")
    for application in seen.applications:
        wanted = "" if application.wanted is None else str(application.wanted)
        applications.add_row(application.name, application.error or wanted)
    return [databases, *([applications] if seen.applications else [])]


def fence_lines(details: RegionFenceDetails) -> list[str]:
    """Return what was fenced, and when the region answered first."""
    lines = []
    if details.answered_at is not None:
        lines.append(f"first contact at {words.moment(details.answered_at)}; fenced in {details.tries} tries")
    for one in details.fenced.applications if details.fenced else ():
        before = "" if one.kept is None else f", before for {one.kept}"
        lines.append(f"{one.name}: {one.error}" if one.error else f"{one.name} asks for {one.wanted or 0} pods{before}")
    lines += map(_changed, details.changed)
    return [*lines, *details.notes]


def recovery_lines(details: RegionRecoveryDetails) -> list[str]:
    """Return the failover that was repaired, what was done, and how far each old server follows."""
    repaired = details.repaired
    ended = f"repairs {repaired.run_id}, {repaired.outcome} at {words.moment(repaired.ended_at)}" if repaired else ""
    return [*filter(None, (ended,)), *fence_lines(details), *map(_follows, details.followers)]


def seen_of(known: Known) -> list[RenderableType]:
    """Return the tables of a run of either procedure."""
    details = known.details
    seen = details.returned if isinstance(details, RegionFenceDetails) else None
    return returned_tables(seen) if seen else []


def _changed(one: ServerChanged) -> str:
    took = words.duration((one.at - one.asked_at).total_seconds())
    asked = f"Azure was asked {one.requests} time{'s'[: one.requests != 1]}"
    return f"{one.server} {'is' if one.done else 'IS NOT'} {one.goal.value}: {one.words}; {asked}; {took}"


def _follows(one: Follower) -> str:
    lags = "; ".join(map(_lag, one.lags))
    return (
        f"{one.server} {'has caught up' if one.caught_up else f'has not caught up: {one.words}'} ({lags or 'no lag known'})"
    )


def _lag(lag: Lag) -> str:
    size = "unknown bytes" if lag.behind_bytes is None else f"{lag.behind_bytes} bytes"
    time = "unknown time" if lag.behind_seconds is None else f"{lag.behind_seconds:.1f} s"
    return f"{lag.witness}: {size}, {time} behind"
