"""What the plans of a region's failover and failback say and decide alike. Pure."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from activities.region.failover_models import DatabaseLoss, DatabaseMove
from activities.region.models import FlexiblePlan, FlexibleSurvey
from activities.run.errors import Refusal
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget


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


def move_of(seen: DatabaseSeen) -> DatabaseMove:
    """Return what is decided of a database."""
    plan = seen.plan
    if plan is None:
        return DatabaseMove(name=seen.target.name, server=seen.server, already=True)
    return DatabaseMove(name=seen.target.name, server=seen.server, old=plan.primary, digest=plan.digest)


def loss_of(seen: DatabaseSeen) -> DatabaseLoss:
    """Return what may be lost of a database, and which standby its old primary has in Azure."""
    plan, old = seen.plan, seen.target.database.other(seen.server)
    standby = seen.survey.azure_of(old).high_availability or None
    if plan is None:
        return DatabaseLoss(name=seen.target.name, high_availability=standby)
    return DatabaseLoss(
        name=seen.target.name, missing_seconds=plan.missing_seconds, told=plan.loss, high_availability=standby
    )


def claim_line(target: RegionTarget, there: str, databases: tuple[DatabaseSeen, ...]) -> str:
    """Return what a plan says of the claim, and whether there is a way back at all."""
    begun = f"; no way back from here: a database leads in {there} already" if any(one.already for one in databases) else ""
    return f"claim: a Lease in {target.settings.to}, which keeps another run away{begun}"


def ready_line(target: RegionTarget) -> str:
    """Return what a plan says of the pods."""
    return f"ready: pods {target.settings.ready.selector} within {ceil(target.settings.ready.within.total_seconds())} s"


def promote_lines(databases: tuple[DatabaseSeen, ...]) -> tuple[str, ...]:
    """Return what a plan says of each database."""
    return tuple(
        f"promote: {one.target.name} is led by {one.target.place(one.server)} "
        + ("already" if one.already else "(postgres-region-failover); no way back from here")
        for one in databases
    )


def moved_lines(databases: tuple[DatabaseMove, ...], known: set[str], doubtful: str, there: str) -> str:
    """Return which databases lead ``there`` and which do not, each behind a semicolon; empty while none is known to.

    ``known``: those that this run has moved. ``doubtful``: of this one nobody knows; empty: there is none.
    """
    moved = [one.name for one in databases if one.already or one.name in known]
    if not moved:
        return ""
    rest = [one.name for one in databases if one.name not in {*moved, doubtful}]
    parts = {f"moved to {there} for good": moved, "perhaps moved": [doubtful] if doubtful else [], "not moved": rest}
    return "".join(f"; {what}: {', '.join(which)}" for what, which in parts.items() if which)


def serve_lines(target: RegionTarget, there: str) -> tuple[str, ...]:
    """Return what a plan says of traffic and check."""
    led = tuple(f"traffic: {one} leads to {there} (dns-failover)" for one in target.settings.traffic)
    return (*led, f"check: {target.settings.checks.url} answers") if target.settings.checks else led


def serve_warnings(target: RegionTarget) -> tuple[str, ...]:
    """Return what the estate leaves out of a move."""
    remarks = []
    if not target.settings.traffic:
        remarks.append("no traffic entry is named: clients are led nowhere by this run")
    if target.settings.checks is None:
        remarks.append("no checks are configured: nobody asks the application in the end")
    return tuple(remarks)
