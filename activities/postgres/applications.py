"""How a cluster's applications do: whether their pods can be replaced, and whether they write. Changes nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.models.survey import ApplicationFact
from estate.postgres import PostgresTarget

_IDLE_SECONDS = 60.0
"""An application whose last write is older, as far as its sessions tell, is not writing."""
_SILENT = (UnreachableError, MissingError, ForbiddenError)


async def wrote(systems: Systems, target: PostgresTarget, member: str, deployment: str) -> list[float]:
    """Return how many seconds ago each of the application's sessions on ``member`` wrote, as far as one can see.

    Raises:
        UnreachableError: nobody answers.
        MissingError: there is no such Deployment.
        ForbiddenError: we may not look.

    """
    pods = set((await systems.kubernetes.pods_of(target.region, deployment)).values())
    found = await systems.postgres.sessions(target, member)
    return [one.wrote_seconds_ago for one in found if one.address in pods and one.wrote_seconds_ago is not None]


async def look_at(
    systems: Systems, target: PostgresTarget, leader: str, deployment: str, within: timedelta
) -> ApplicationFact:
    """Return what is seen of one application within that time; what cannot be seen is left out."""
    hindrance, idle = await asyncio.gather(
        _hindrance(systems, target, deployment, within), _is_idle(systems, target, leader, deployment, within)
    )
    return ApplicationFact(deployment=deployment, hindrance=hindrance, idle=idle)


async def _hindrance(systems: Systems, target: PostgresTarget, deployment: str, within: timedelta) -> str:
    try:
        async with asyncio.timeout(within.total_seconds()):
            return (await systems.kubernetes.deployment_progress(target.region, deployment)).hindrance
    except (TimeoutError, *_SILENT):
        return ""


async def _is_idle(systems: Systems, target: PostgresTarget, leader: str, deployment: str, within: timedelta) -> bool:
    try:
        async with asyncio.timeout(within.total_seconds()):
            ago = await wrote(systems, target, leader, deployment)
    except (TimeoutError, *_SILENT):
        return False
    return all(seconds > _IDLE_SECONDS for seconds in ago)
