"""What a recovery would do, and what it refuses. Pure."""

from __future__ import annotations

from activities.region.recovery_models import RegionRecoveryPlan, Repaired
from activities.region.returning_models import DatabaseStanding, Returned
from activities.run.errors import Refusal, refuse
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget
from gate.record import Mode


def must_be_led_elsewhere(target: RegionTarget, seen: Returned) -> None:
    """Refuse where the surviving region is not known to lead every database. ApplicationError: ``Unreachable``."""
    if not seen.survivor_leads:
        raise refuse(Refusal.UNREACHABLE, f"{target.settings.to} must lead first: {seen.words}")


def standbys_of(seen: Returned, repaired: Repaired) -> dict[str, str]:
    """Return each new primary that is to get high availability, with its mode: where the old one had it, and it has none."""
    wanted = {one.leader: repaired.mode_of(one.name) for one in seen.databases if not one.standby}
    return {server: mode for server, mode in wanted.items() if mode}


def make_recovery_plan(target: RegionTarget, seen: Returned, repaired: Repaired) -> RegionRecoveryPlan:
    """Return the plan."""
    standbys, there = standbys_of(seen, repaired), target.settings.to
    servers, names = tuple(one.server for one in seen.databases), ", ".join(target.settings.applications)
    return RegionRecoveryPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        primary=target.name,
        candidate=there,
        repairs=repaired.run_id,
        servers=servers,
        applications=target.settings.applications,
        standbys=tuple(f"{server}: {mode}" for server, mode in standbys.items()),
        steps=(
            *(f"high availability: {server} gets {mode}, as the old primary had it" for server, mode in standbys.items()),
            f"fence: {target.name} is waited for; {names or 'no application'} stay at zero, no server there takes writes",
            *(f"follow: {one.server} is a replica of {one.leader}, started if it is stopped" for one in seen.databases),
            f"caught up: {', '.join(servers)} within the threshold of a planned failover, by two witnesses",
        ),
        warnings=_warnings(seen, repaired),
    ).sealed()


def _warnings(seen: Returned, repaired: Repaired) -> tuple[str, ...]:
    unknown = [one for one in seen.databases if not one.standby and not repaired.mode_of(one.name)]
    return (
        *((f"now: {seen.words}",) if seen.words else ()),
        *(
            f"{one.leader} has no high availability, and the failover {repaired.run_id} knows of none before: enable it"
            " yourself if you want it"
            for one in unknown
        ),
    )


def rebuilding(target: FlexibleTarget, one: DatabaseStanding) -> str:
    """Return the commands by which a person builds the old server anew as a replica. We never delete a server."""
    where, database = target.database.servers, target.database
    old, new = where[one.server].resource_group, where[one.leader].resource_group
    source = (
        f"/subscriptions/{database.subscription}/resourceGroups/{new}"
        f"/providers/Microsoft.DBforPostgreSQL/flexibleServers/{one.leader}"
    )
    az, sub = "az postgres flexible-server", f"--subscription {database.subscription}"
    where_to = target.locations.get(one.server, where[one.server].region)
    delete = f"{az} delete {sub} --resource-group {old} --name {one.server}"
    create = f"{az} replica create {sub} --resource-group {old} --name {one.server} --source-server {source}"
    endpoint = f"{az} virtual-endpoint update {sub} --resource-group {new} --server-name {one.leader}"
    name = f"--name {database.virtual_endpoint} --endpoint-type ReadWrite --members {one.server}"
    return f"{delete}; {create} --location '{where_to}'; {endpoint} {name}"
