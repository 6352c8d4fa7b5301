"""What must hold before a region serves again, and what would be done then. Pure."""

from __future__ import annotations

from activities.region.evidence_lines import evidence_holds, warnings_of
from activities.region.failover_models import Precondition, RegionPlan, RegionSurvey, Scale
from activities.run.errors import Refusal
from estate.regions import RegionTarget
from gate.record import Mode
from workflows.region.failover_planning import (
    TrafficSeen,
    database_holds,
    nodes_hold,
    pilot_light_holds,
    surviving_holds,
    traffic_holds,
)
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


def preconditions_back(
    target: RegionTarget, survey: RegionSurvey, databases: tuple[DatabaseSeen, ...], traffic: tuple[TrafficSeen, ...]
) -> tuple[Precondition, ...]:
    """Return everything that must hold, with what shows that it does or does not."""
    return (
        *map(database_holds, databases),
        *_first(target, survey),
        *_fencing(target, survey),
        *surviving_holds(target, survey),
        *pilot_light_holds(target, survey),
        *map(traffic_holds, traffic),
        *evidence_holds(target, survey, strict=True),
    )


def _first(target: RegionTarget, survey: RegionSurvey) -> tuple[Precondition, ...]:
    """Return whether the first region answers, grants what is needed, has nodes, and knows how many pods it had."""
    rights, where = ", ".join(survey.home_rights_missing), f"API server of {target.name}"
    if survey.home_error:
        return (Precondition(name=where, holds=False, evidence=survey.home_error, refusal=Refusal.UNREACHABLE.value),)
    return (
        Precondition(
            name=where,
            holds=not rights,
            evidence=f"we may not {rights}: see deploy/kubernetes/region/lost.yaml"
            if rights
            else "it grants what is needed",
            refusal=Refusal.NOT_AVAILABLE.value,
        ),
        nodes_hold(target.name, survey),
        *(_application(target, one) for one in survey.applications),
    )


def _fencing(target: RegionTarget, survey: RegionSurvey) -> tuple[Precondition, ...]:
    """Return what a run that fences the region would undo."""
    if not survey.fencing:
        return ()
    words = f"{survey.fencing} still fences {target.name}: wait until it has ended (failover status {survey.fencing})"
    refusal = Refusal.CLAIMED_ELSEWHERE.value
    return (Precondition(name=f"fence of {target.name}", holds=False, evidence=words, refusal=refusal),)


def _application(target: RegionTarget, one: Scale) -> Precondition:
    name = f"Deployment {one.name} of {target.name}"
    if one.error:
        refusal = Refusal.NOT_AVAILABLE if one.refused else Refusal.UNREACHABLE
        return Precondition(name=name, holds=False, evidence=one.error, refusal=refusal.value)
    if one.wanted:
        return Precondition(name=name, holds=True, evidence=f"it asks for {one.wanted} pods")
    if one.kept:
        return Precondition(name=name, holds=True, evidence=f"it gets its {one.kept} pods back")
    words = "it asks for no pods, and nothing says how many it had: scale it, then start again"
    return Precondition(name=name, holds=False, evidence=words, refusal=Refusal.NOT_WHOLE.value)


def make_failback_plan(target: RegionTarget, survey: RegionSurvey, databases: tuple[DatabaseSeen, ...]) -> RegionPlan:
    """Return the plan, of preconditions that hold."""
    settings, light = target.settings, survey.pilot_light
    losses = tuple(map(loss_of, databases))
    return RegionPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        primary=settings.to,
        candidate=target.name,
        steps=_steps(target, survey, databases),
        loss="; ".join(f"{one.name}: {one.told}" for one in losses if one.told) or "every database leads there already",
        databases=tuple(map(move_of, databases)),
        losses=losses,
        applications=settings.applications,
        pilot_light=light.digest if light else "",
        asleep=tuple(one.name for one in survey.applications if one.wanted == 0),
        traffic=settings.traffic,
        warnings=_warnings(target, survey, databases),
    ).sealed()


def _steps(target: RegionTarget, survey: RegionSurvey, databases: tuple[DatabaseSeen, ...]) -> tuple[str, ...]:
    light, asleep = target.settings.pilot_light, [one for one in survey.applications if one.wanted == 0]
    pods = ", ".join(f"{one.name} ({one.kept} pods)" for one in asleep) or "nothing: every application asks for pods"
    return (
        claim_line(target, target.name, databases),
        f"start: {pods} in {target.name}",
        ready_line(target),
        *promote_lines(databases),
        *serve_lines(target, target.name),
        *((f"pilot light: {light} applied in {target.settings.to}",) if light else ()),
    )


def _warnings(target: RegionTarget, survey: RegionSurvey, databases: tuple[DatabaseSeen, ...]) -> tuple[str, ...]:
    remarks = [words for one in databases if one.plan for words in one.plan.warnings]
    if target.settings.pilot_light is None:
        there = target.settings.to
        remarks.append(f"{there} keeps what {target.settings.overlay} has applied: no pilot_light is named in the estate")
    return (*remarks, *serve_warnings(target), *warnings_of(evidence_holds(target, survey, strict=False)))
