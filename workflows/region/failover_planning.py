"""What must hold before a region fails over, and what would be done then. Pure."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from activities.region.failover_models import (
    DatabaseLoss,
    DatabaseMove,
    Precondition,
    RegionPlan,
    RegionSurvey,
)
from activities.region.models import FlexiblePlan, FlexibleSurvey
from activities.run.errors import Refusal, refuse
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget
from gate.record import Mode
from workflows.region.models import RegionFailoverRequest


class DatabaseSeen(NamedTuple):
    """What a database's own plan would be, or why there is none."""

    target: FlexibleTarget
    server: str
    survey: FlexibleSurvey
    plan: FlexiblePlan | None = None
    refusal: str = ""
    words: str = ""

    @property
    def already(self) -> bool:
        """Whether its server in the surviving region leads, and its endpoint leads there."""
        return self.refusal == Refusal.MOVED_ALREADY and self.survey.endpoint.leads_to == self.server


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
    target: RegionTarget, survey: RegionSurvey, databases: tuple[DatabaseSeen, ...], traffic: tuple[TrafficSeen, ...]
) -> tuple[Precondition, ...]:
    """Return everything that must hold, with what shows that it does or does not."""
    return (
        *map(_database, databases),
        *_lost(target, survey),
        *_surviving(target, survey),
        _overlay(target, survey),
        *map(_traffic, traffic),
    )


def _database(seen: DatabaseSeen) -> Precondition:
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


def _surviving(target: RegionTarget, survey: RegionSurvey) -> tuple[Precondition, ...]:
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
        Precondition(
            name=f"nodes of {target.settings.to}",
            holds=survey.nodes_ready > 0,
            evidence=f"{survey.nodes_ready} of {survey.nodes} are Ready and take pods",
            refusal=Refusal.NODE_NOT_READY.value,
        ),
        Precondition(name=f"Lease in {target.settings.to}", holds=True, evidence=_held(survey)),
    )


def _held(survey: RegionSurvey) -> str:
    """Say who holds the Lease: whether that run still goes on is looked at when it is taken."""
    if survey.lease.is_free(survey.at):
        return "nobody holds it"
    return f"{survey.lease.holder} holds it; it is taken only if that run has ended"


def _overlay(target: RegionTarget, survey: RegionSurvey) -> Precondition:
    name, overlay = f"overlay {target.settings.overlay}", survey.overlay
    if overlay.error:
        return Precondition(name=name, holds=False, evidence=overlay.error, refusal=Refusal.NOT_WHOLE.value)
    words = f"{overlay.objects} objects, digest {overlay.digest}; the API server takes them (dry run)"
    return Precondition(name=name, holds=True, evidence=words)


def _traffic(seen: TrafficSeen) -> Precondition:
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
    settings, losses = target.settings, tuple(map(_loss_of, databases))
    return RegionPlan(
        cluster=target.name,
        mode=request.mode,
        primary=target.name,
        candidate=settings.to,
        steps=_steps(target, databases),
        lossless=request.mode is Mode.PLANNED and not target.without_replica,
        loss="; ".join(f"{one.name}: {one.told}" for one in losses) or "every database leads there already",
        databases=tuple(map(_move_of, databases)),
        losses=losses,
        applications=settings.applications,
        overlay=survey.overlay.digest,
        traffic=settings.traffic,
        without_replica=target.without_replica,
        warnings=_warnings(target, survey, databases),
    ).sealed()


def _move_of(seen: DatabaseSeen) -> DatabaseMove:
    plan = seen.plan
    if plan is None:
        return DatabaseMove(name=seen.target.name, server=seen.server, already=True)
    return DatabaseMove(name=seen.target.name, server=seen.server, old=plan.primary, digest=plan.digest)


def _loss_of(seen: DatabaseSeen) -> DatabaseLoss:
    plan, old = seen.plan, seen.target.database.other(seen.server)
    standby = seen.survey.azure_of(old).high_availability or None
    if plan is None:
        return DatabaseLoss(name=seen.target.name, high_availability=standby)
    return DatabaseLoss(
        name=seen.target.name, missing_seconds=plan.missing_seconds, told=plan.loss, high_availability=standby
    )


def _steps(target: RegionTarget, databases: tuple[DatabaseSeen, ...]) -> tuple[str, ...]:
    settings, there = target.settings, target.settings.to
    promote = [
        f"promote: {one.target.name} is led by {one.target.place(one.server)} "
        + ("already" if one.already else "(postgres-region-failover); no way back from here")
        for one in databases
    ]
    asked = settings.checks.url if settings.checks else ""
    fenced = f"{', '.join(settings.applications) or 'no application'} in {target.name} scaled to zero"
    return (
        f"claim: a Lease in {there}, which keeps another run away"
        + ("; no way back from here: a database leads there already" if any(one.already for one in databases) else ""),
        f"fence: {fenced}, as far as it can be reached",
        *promote,
        f"overlay: {settings.overlay} applied in {there}",
        f"ready: pods {settings.ready.selector} within {ceil(settings.ready.within.total_seconds())} s",
        *(f"traffic: {one} leads to {there} (dns-failover)" for one in settings.traffic),
        *((f"check: {asked} answers",) if asked else ()),
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
    if not target.settings.traffic:
        remarks.append("no traffic entry is named: clients are led nowhere by this run")
    if target.settings.checks is None:
        remarks.append("no checks are configured: nobody asks the application in the end")
    return tuple(remarks)
