"""A region that fails over and what became of it, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType

from activities.region.failover_models import (
    DatabaseMoved,
    Precondition,
    RegionDetails,
    RegionPlan,
    Scale,
    Standing,
)
from activities.run.models.report import Known
from starters.history.missing import instant
from starters.render import words
from starters.render.tables import Rows


def region_tables(known: Known) -> list[RenderableType]:
    """Return every precondition with what shows that it holds or does not, and the applications of the lost region."""
    details = known.of(RegionDetails)
    tables: list[RenderableType] = []
    if details.preconditions:
        preconditions = Rows("precondition", "holds", "evidence")
        for one in details.preconditions:
            preconditions.add_row(one.name, _holds(one), f"{one.evidence}{_read(one)}")
        tables.append(preconditions)
    if details.survey is not None and details.survey.applications:
        applications = Rows("application of the region that may be lost", "pods asked for", "before it was scaled to zero")
        for application in details.survey.applications:
            wanted = application.error or _number(application.wanted)
            applications.add_row(application.name, wanted, _number(application.kept))
        tables.append(applications)
    return tables


def _holds(one: Precondition) -> str:
    """Return the column that is read first: what is not as it should be is in capitals."""
    if not one.holds:
        return "NO"
    return "yes" if one.standing is Standing.FINE else one.standing.value.upper()


def _read(one: Precondition) -> str:
    return f" [{one.source}, {words.moment(one.read_at)}]" if one.source and one.read_at else ""


def region_lines(known: Known) -> list[str]:
    """Return what was done, in order; for each database its loss as measured beside the lag before the approval."""
    details, plan = known.of(RegionDetails), known.plan
    lines = [_fenced(one) for one in details.fenced.applications] if details.fenced else []
    lines += [line for one in details.moved for line in _moved(one, plan if isinstance(plan, RegionPlan) else None)]
    if details.applied is not None:
        lines.append(f"overlay: {details.applied.objects} objects applied at {words.moment(details.applied.at)}")
    if details.started is not None:
        lines += [f"{one.name} asks for {_number(one.wanted)} pods" for one in details.started.applications]
    if details.ready is not None:
        missing = details.ready.words and f": {details.ready.words}"
        lines.append(
            f"pods: {details.ready.ready} of {details.ready.wanted} Ready at {words.moment(details.ready.at)}{missing}"
        )
    lines += [f"traffic {one}" for one in details.traffic]
    lines += [f"{one.what}: {one.words}" for one in details.checked.answers] if details.checked else []
    if details.pilot_light is not None:
        at = words.moment(details.pilot_light.at)
        lines.append(f"pilot light: {details.pilot_light.objects} objects applied at {at}")
    return [*lines, *details.notes]


def _fenced(one: Scale) -> str:
    if one.error:
        sent = "nothing was sent to it" if one.untouched else "whether it was scaled is unknown"
        return f"{one.name} was NOT fenced, {sent}: {one.error}"
    return f"{one.name} asks for {_number(one.wanted)} pods, before for {_number(one.kept)}"


def _moved(moved: DatabaseMoved, plan: RegionPlan | None) -> list[str]:
    """Return what became of one database, and its loss: what was estimated before people approved, and what was measured."""
    told = {one.name: one.told for one in plan.losses} if plan else {}
    outage = "" if moved.outage_seconds is None else f"; outage of writes {moved.outage_seconds:.3f} s"
    before = told.get(moved.name)
    loss = [f"loss of {moved.name}: before the approval {before}; afterwards {_missing(moved)}"] if before else []
    return [f"database {moved.name}: {moved.words}{outage}", *loss]


def _missing(moved: DatabaseMoved) -> str:
    """Return what is known after the promotion. Of a lost primary nobody can count what is missing, only say since when."""
    if moved.lost is not None:
        return f"{moved.lost} acknowledged writes missing"
    if moved.complete_until is not None:
        return f"every commit until {instant(moved.complete_until)} is there, later ones are missing"
    return "not measured"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
