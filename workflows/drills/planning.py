"""When a drill may begin, and what it would do. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from activities.drills.models import DrillPlan, NodeChoice, Standing
from activities.run.errors import Refusal, refuse
from estate.drilled import DrillTarget
from estate.drills import Kind
from gate.record import Mode
from workflows.drills.ways import back, there
from workflows.run.child_runs import PlanSeen


def must_be_open(target: DrillTarget, now: datetime) -> datetime:
    """Return when the window closes.

    Raises:
        ApplicationError: ``OutsideWindow``; the window is not open, or maintenance is announced for it.

    """
    zone, drill = ZoneInfo(target.time_zone), target.drill
    window = drill.window_at(now, zone)
    if window is None:
        due = next(drill.times(zone, now)).astimezone(zone)
        words = f"{target.name} is drilled {drill.window.begins:%H:%M} to {drill.window.ends:%H:%M} {target.time_zone}"
        raise refuse(Refusal.OUTSIDE_WINDOW, f"{words}, next on {due:%A, %Y-%m-%d}; nothing was changed")
    for one in target.maintenance:
        if one.begins < window[1] and now < one.ends:
            told = f"{one.what}, {one.begins:%Y-%m-%d %H:%M} to {one.ends:%Y-%m-%d %H:%M} UTC"
            raise refuse(Refusal.OUTSIDE_WINDOW, f"maintenance is announced: {told}; nothing was changed")
    return window[1]


def must_be_noticed(target: DrillTarget, notice: str) -> str:
    """Return how customers were told. ApplicationError: ``BadInput``; a region's drill, and nobody has written it down."""
    words = (notice or target.drill.notice).strip()
    if target.drill.kind is Kind.REGION and not words:
        raise refuse(
            Refusal.BAD_INPUT,
            f"notice: say how and when customers were told of the drill of {target.drill.target}, here or in the calendar",
        )
    return words


def must_be_well(target: DrillTarget, standing: Standing) -> None:
    """Return if nothing is degraded. ApplicationError: ``NotWhole``; nothing was changed."""
    if standing.troubles:
        more = f" (and {len(standing.troubles) - 1} more)" if len(standing.troubles) > 1 else ""
        raise refuse(Refusal.NOT_WHOLE, f"{target.name}: {standing.troubles[0]}{more}; a drill begins with everything well")


def must_be_possible(target: DrillTarget, seen: PlanSeen) -> None:
    """Return if the dry run was not refused. ApplicationError: as it was refused; nothing was changed."""
    if seen.refusal:
        raise refuse(Refusal(seen.refusal), f"{there(target).workflow} would be refused: {seen.words}; nothing was changed")


def make_drill_plan(
    target: DrillTarget, standing: Standing, chosen: NodeChoice | None, closes: datetime | None, notice: str
) -> DrillPlan:
    """Return what would be done."""
    drill, way = target.drill, there(target)
    returns = back(target, standing)
    node = chosen.node if chosen else ""
    steps = [f"look: {len(standing.facts)} facts that must be the same again in the end"]
    if drill.kind is Kind.DATABASE:
        steps.append("row: a row with a fresh UUID in failover_tests, seen on a standby within 5 s")
    steps.append(f"there: {way.workflow} of {node or drill.target}{f' ({chosen.why})' if chosen else ''}")
    if drill.kind is Kind.DATABASE:
        steps.append("row: another one, by the new primary")
    if returns is not None:
        steps.append(f"back: {returns.workflow}, also when the way there fails or is cancelled")
    steps += ["look again: all must be as before", "judge: a person says PASS or FAIL; the record is sealed"]
    window = f"the window closes at {closes:%H:%M} UTC" if closes else "the window is not open now"
    remarks = [window, f"objective {target.objective.rto.total_seconds():g} s"]
    remarks += [f"customers: {notice}"] if notice else []
    remarks += [f"takes part: {', '.join(drill.participants)}"] if drill.participants else []
    return DrillPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        kind=drill.kind.value,
        subject=drill.target,
        node=node,
        there=way.workflow,
        back=returns.workflow if returns else "",
        window_ends=closes,
        steps=tuple(steps),
        remarks=tuple(remarks),
    ).sealed()
