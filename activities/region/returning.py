"""Waits for a lost region, and fences what answers first: its applications, and each old primary that takes writes.

Who leads is looked at again right before each change, through Azure, the endpoint and SQL. Where that is not known, or the
lost region leads again, nothing is changed. A wait costs a few reads a look, with pauses that grow to ``slowest``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.clients.ports import MissingError
from activities.clients.region_ports import Application, Overlays, RegionClusters
from activities.region.failover_models import Fenced, RegionOrder, Scale
from activities.region.failover_steps import RegionActivities
from activities.region.failover_survey import NO_ANSWER
from activities.region.returning_models import DatabaseStanding, Lead, Old, Returned, ReturnLook, Verdict
from activities.region.standing import standing_of
from activities.region.survey import FlexibleLookActivities
from activities.run.declare import step
from activities.run.open_runs import open_run
from activities.run.polling import sleep
from activities.run.postures import CHANGE, ENDLESS, READ_LONG, lasting
from estate.flexible import FlexibleTarget
from estate.regions import RegionTarget

SLOWEST = timedelta(seconds=15)
_GROWTH = 1.5
_STARTS_WITHIN = timedelta(minutes=1)
"""A server that turns us away for so long is not starting any more: others may be let in."""
_WAIT = lasting(ENDLESS, attempt=timedelta(hours=2), within=timedelta(days=30))
"""Nobody may be there to carry it out for days: the time that is waited for is in the request."""


class ReturningActivities:
    """The steps of ``region-fence``."""

    def __init__(
        self,
        flexible: tuple[FlexibleServers, FlexibleSql],
        regions: tuple[RegionClusters, Overlays, Application],
        slowest: timedelta = SLOWEST,
    ) -> None:
        """Look and change by these clients; wait at most ``slowest`` between two looks."""
        self._servers, self._clusters, self._slowest = flexible[0], regions[0], slowest
        self._look, self._region = FlexibleLookActivities(*flexible), RegionActivities(*regions)

    @step("region.look_at_lost", READ_LONG, lambda look: f"look at region {look.target.name}")
    async def look(self, look: ReturnLook) -> Returned:
        """Return the lost region as it is now. Who does not answer is in it with that."""
        return await self._seen(look)

    @step("region.await_return", _WAIT, lambda look: f"wait until region {look.target.name} answers")
    async def await_return(self, look: ReturnLook) -> Returned:
        """Return once there is something to fence, nothing any more, or the time is up. Changes nothing."""
        pause, turned_away = self._servers.poll, dict[str, datetime]()
        while True:
            seen = _judged(await self._seen(look), turned_away)
            is_late = look.until is not None and seen.at >= look.until
            waits = seen.verdict is Verdict.WAIT or (seen.verdict is Verdict.ACT and seen.elsewhere)
            if is_late or not waits:
                return seen
            await sleep(pause.total_seconds())
            pause = min(pause * _GROWTH, self._slowest)

    @step("region.fence_returned", CHANGE, lambda order: f"fence the applications of region {order.target.name}")
    async def fence(self, order: RegionOrder) -> Fenced:
        """Scale to zero what answers, if the other region leads every database just now. Safe to repeat."""
        first, target = activity.info().attempt == 1, order.target
        databases = await asyncio.gather(*(self._standing(target, one) for one in target.databases))
        hindrance = "; ".join(one.words for one in databases if one.lead is not Lead.SURVIVOR)
        if hindrance:
            names = target.settings.applications
            kept = tuple(Scale(name=name, error=hindrance, untouched=first) for name in names)
            return Fenced(at=datetime.now(UTC), applications=kept)
        return await self._region.fence(order)

    async def _seen(self, look: ReturnLook) -> Returned:
        target = look.target
        applications, databases, elsewhere = await asyncio.gather(
            asyncio.gather(*(self._scale(target, name) for name in target.settings.applications)),
            asyncio.gather(*(self._standing(target, one) for one in target.databases)),
            open_run(look.leave_to),
        )
        return Returned(
            at=datetime.now(UTC), applications=tuple(applications), databases=tuple(databases), elsewhere=elsewhere
        )

    async def _scale(self, target: RegionTarget, name: str) -> Scale:
        try:
            return await self._clusters.scale(target.region, name)
        except MissingError as error:
            return Scale(name=name, error=str(error), refused=True, gone=True)
        except NO_ANSWER as error:
            return Scale(name=name, error=str(error))

    async def _standing(self, target: RegionTarget, database: FlexibleTarget) -> DatabaseStanding:
        leader = target.server_in(target.settings.to, database)
        return standing_of(database, await self._look.pair(database), leader)


def _judged(seen: Returned, turned_away: dict[str, datetime]) -> Returned:
    """Return ``seen`` with every server that has turned us away for long as one that takes others' writes."""
    databases = []
    for one in seen.databases:
        if one.old is not Old.ANSWERS:
            turned_away.pop(one.server, None)
        since = turned_away.setdefault(one.server, seen.at) if one.old is Old.ANSWERS else seen.at
        is_long = seen.at - since >= _STARTS_WITHIN
        databases.append(one.model_copy(update={"old": Old.WRITES}) if is_long else one)
    return seen.model_copy(update={"databases": tuple(databases)})
