"""What moves with a region by a procedure of its own: databases and traffic, as children under their own locks.

Approvals were collected up front: a child gets the votes, and, where its plan was part of what people agreed to, that plan's
digest. A child is abandoned, not ended, when this run ends from outside: a promotion is never torn apart.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.region.failover_models import DatabaseMove
from workflows.region.failover_planning import TrafficSeen
from workflows.region.models import RegionDatabaseRequest, RegionMove, flexible_lock_id
from workflows.run.child_runs import Child, plan_of
from workflows.run.models import Run, lock_of

DATABASE, TRAFFIC = "postgres-region-failover", "dns-failover"


def traffic_lock_id(name: str) -> str:
    """Return the workflow ID of a run that leads the traffic ``name`` elsewhere."""
    return lock_of("traffic", name)


def database_request(asked: RegionMove, database: str, server: str) -> RegionDatabaseRequest:
    """Return what the failover of one database is asked for."""
    return RegionDatabaseRequest(
        database=database,
        mode=asked.mode,
        to=server,
        run=Run.REAL,
        by=asked.by,
        reason=_reason(asked),
        down_since=asked.down_since,
        max_missing=asked.max_missing,
    )


def database_child(asked: RegionMove, move: DatabaseMove) -> Child:
    """Return the failover of one database."""
    request = database_request(asked, move.name, move.server).model_dump(mode="json", exclude_none=True)
    return Child(DATABASE, request, flexible_lock_id(move.name), move.digest)


def traffic_child(asked: RegionMove, to: str, name: str) -> Child:
    """Return the move of one traffic entry."""
    return Child(TRAFFIC, _traffic_request(asked, to, name, Run.REAL), traffic_lock_id(name))


def _traffic_request(asked: RegionMove, to: str, name: str, run: Run) -> dict[str, Any]:
    return {"traffic": name, "to": to, "by": asked.by, "reason": _reason(asked), "run": run.value}


def _reason(asked: RegionMove) -> str:
    return f"{workflow.info().workflow_type} {asked.region}: {asked.reason or 'no reason given'}"[:1000]


async def plan_traffic(asked: RegionMove, to: str, name: str) -> TrafficSeen:
    """Return what the dry run of a traffic entry's own failover says. It changes nothing, and ends within 4 minutes.

    The surviving region may serve nothing yet: its pods come with the overlay, after this plan. A colleague's plan of
    the same entry is waited for, as long: it must not void what people have approved.
    """
    request = {**_traffic_request(asked, to, name, Run.PLAN), "serves_later": True}
    return TrafficSeen(name, *await plan_of(TRAFFIC, request, traffic_lock_id(name)))
