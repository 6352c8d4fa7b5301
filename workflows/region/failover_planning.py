"""What must hold before a region fails over, and what would be done then. Pure."""

from __future__ import annotations

from typing import NamedTuple

from activities.region.evidence_lines import evidence_holds, warnings_of
from activities.region.failover_models import (
    Overlay,
    Precondition,
    RegionPlan,
    RegionSurvey,
)
from activities.run.errors import Refusal, refuse
from estate.regions import RegionTarget
from gate.record import Mode
from workflows.region.models import RegionFailoverRequest
from workflows.region.plan_lines import (
    DatabaseSeen,
    claim_line,
    loss_of,
    move_of,
    promote_lines,
    ready_line,
    serve_lines,
    serve_warnings,
)


class TrafficSeen(NamedTuple):
    """What the dry run of a traffic entry's own failover has said."""

    name: str
    refusal: str = ""
    words: str = ""


def must_go_there(request: RegionFailoverRequest, target: RegionTarget) -> None:
    """Refuse a region that the estate does not fail over to."""
    if request.to not in {None, target.settings.to}:
        raise refuse(Refusal.BAD_INPUT, f"to: {target.name} fails over to {target.settings.to}, not to {request.to}")


def preconditions_of(
    target: RegionTarget,
    survey: RegionSurvey,
    databases: tuple[DatabaseSeen, ...],
    traffic: tuple[TrafficSeen, ...],
    mode: Mode,
) -> tuple[Precondition, ...]:
    """Return everything that must hold, with what shows that it does or does not; the estate's rules hold a planned one."""
    return (
        *map(database_holds, databases),
        *_lost(target, survey),
        *surviving_holds(target, survey, nodes_hold(target.settings.to, survey)),
        overlay_holds(f"overlay {target.settings.overlay}", survey.overlay),
        *pilot_light_holds(target, survey),
        *map(traffic_holds, traffic),
        *evidence_holds(target, survey, strict=mode is Mode.PLANNED),
    )


def database_holds(seen: DatabaseSeen) -> Precondition:
    """Return whether a database can move, or has."""
    name = f"database {seen.target.name}"
    if seen.already:
        words = f"{seen.target.place(seen.server)} leads it already"
        return Precondition(name=name, holds=True, evidence=words)
    if seen.plan is None:
        return Precondition(name=name, holds=False, evidence=seen.words, refusal=seen.refusal)
    return Precondition(name=name, holds=True, evidence=f"{seen.plan.heading()}; loss: {seen.plan.loss}")


def _lost(target: RegionTarget, survey: RegionSurvey) -> tuple[Precondition, ...]:
    """Return what a region that answers refuses: one that is silent is no hindrance, its applications may be gone."""
    remedy = f"see deploy/kubernetes/region/lost.yaml, and region_failovers.{target.name}.applications in the estate"
    return tuple(
        Precondition(
            name=f"Deployment {one.name} of {target.name}",
            holds=False,
            evidence=f"it cannot be scaled to zero: {one.error}; {remedy}",
            refusal=Refusal.NOT_AVAILABLE.value,
        )
        for one in survey.applications
        if one.refused
    )


def surviving_holds(target: RegionTarget, survey: RegionSurvey, *besides: Precondition) -> tuple[Precondition, ...]:
    """Return whether the surviving region answers and grants what is needed; ``besides``; and who holds the Lease."""
    where = f"API server of {target.settings.to}"
    if survey.surviving_error:
        refusal = Refusal.UNREACHABLE.value
        return (Precondition(name=where, holds=False, evidence=survey.surviving_error, refusal=refusal),)
    rights = ", ".join(survey.rights_missing)
    return (
        Precondition(
            name=where,
            holds=not rights,
            evidence=f"we may not {rights}: see region-access.yaml" if rights else "it answers, and grants what is needed",
            refusal=Refusal.NOT_AVAILABLE.value,
        ),
        *besides,
        Precondition(name=f"Lease in {target.settings.to}", holds=True, evidence=_held(survey)),
    )


def nodes_hold(region: str, survey: RegionSurvey) -> Precondition:
    """Return whether nodes of the region that is to serve take pods."""
    return Precondition(
        name=f"nodes of {region}",
        holds=survey.nodes_ready > 0,
        evidence=f"{survey.nodes_ready} of {survey.nodes} are Ready and take pods",
        refusal=Refusal.NODE_NOT_READY.value,
    )


def _held(survey: RegionSurvey) -> str:
    """Say who holds the Lease: whether that run still goes on is looked at when it is taken."""
    if survey.lease.is_free(survey.at):
        return "nobody holds it"
    return f"{survey.lease.holder} holds it; it is taken only if that run has ended"


def overlay_holds(name: str, overlay: Overlay) -> Precondition:
    """Return whether an overlay can be rendered, and the API server takes it."""
    if overlay.error:
        return Precondition(name=name, holds=False, evidence=overlay.error, refusal=Refusal.NOT_WHOLE.value)
    words = f"{overlay.objects} objects, digest {overlay.digest}; the API server takes them (dry run)"
    return Precondition(name=name, holds=True, evidence=words)


def pilot_light_holds(target: RegionTarget, survey: RegionSurvey) -> tuple[Precondition, ...]:
    """Return whether the pilot light can be applied, where the estate names one."""
    light = survey.pilot_light
    return (overlay_holds(f"pilot light {target.settings.pilot_light}", light),) if light else ()


def traffic_holds(seen: TrafficSeen) -> Precondition:
    """Return whether the run of a traffic entry would be refused."""
    there = seen.refusal == Refusal.MOVED_ALREADY
    holds = there or not seen.refusal
    return Precondition(name=f"traffic {seen.name}", holds=holds, evidence=seen.words, refusal="" if holds else seen.refusal)


def must_hold(preconditions: tuple[Precondition, ...]) -> None:
    """Refuse a failover of which a precondition does not hold, naming every one."""
    unmet = [one for one in preconditions if not one.holds]
    if unmet:
        words = "; ".join(f"{one.name}: {one.evidence}" for one in unmet)
        raise refuse(Refusal(unmet[0].refusal), f"{len(unmet)} of {len(preconditions)} preconditions do not hold: {words}")


def make_region_plan(
    request: RegionFailoverRequest, target: RegionTarget, survey: RegionSurvey, databases: tuple[DatabaseSeen, ...]
) -> RegionPlan:
    """Return the plan, of preconditions that hold."""
    settings, losses = target.settings, tuple(map(loss_of, databases))
    return RegionPlan(
        cluster=target.name,
        mode=request.mode,
        primary=target.name,
        candidate=settings.to,
        steps=_steps(request, target, databases),
        lossless=request.mode is Mode.PLANNED and not target.without_replica,
        loss="; ".join(f"{one.name}: {one.told}" for one in losses if one.told) or "every database leads there already",
        databases=tuple(map(move_of, databases)),
        losses=losses,
        applications=settings.applications,
        overlay=survey.overlay.digest,
        pilot_light=survey.pilot_light.digest if survey.pilot_light else "",
        traffic=settings.traffic,
        without_replica=target.without_replica,
        warnings=_warnings(target, survey, databases),
    ).sealed()


def _steps(request: RegionFailoverRequest, target: RegionTarget, databases: tuple[DatabaseSeen, ...]) -> tuple[str, ...]:
    settings, there = target.settings, target.settings.to
    fenced = f"{', '.join(settings.applications) or 'no application'} in {target.name} scaled to zero"
    fence = f"fence: {fenced}, as far as it can be reached"
    start = (f"overlay: {settings.overlay} applied in {there}", ready_line(target))
    before, after = ((fence,), start) if request.mode is Mode.FORCED else (start, ())
    return (
        claim_line(target, there, databases),
        *before,
        *promote_lines(databases),
        *after,
        *serve_lines(target, there),
        *((fence,) if request.mode is not Mode.FORCED else ()),
    )


def _warnings(target: RegionTarget, survey: RegionSurvey, databases: tuple[DatabaseSeen, ...]) -> tuple[str, ...]:
    remarks = [words for one in databases if one.plan for words in one.plan.warnings]
    if survey.lost_error:
        remarks.append(f"the applications of {target.name} may go on: {survey.lost_error}")
    remarks += [
        f"{one.name} in {target.name}: {one.error}" for one in survey.applications if one.error and not survey.lost_error
    ]
    remarks += [
        f"{one.name} in {target.name} is at zero: the run {one.kept_for} has scaled it down from {one.kept} pods; if that"
        " run has promoted nothing, scale it back yourself when this one does not come about"
        for one in survey.applications
        if one.wanted == 0 and one.kept is not None
    ]
    evidence = warnings_of(evidence_holds(target, survey, strict=False))
    return (*remarks, *serve_warnings(target), *evidence)
