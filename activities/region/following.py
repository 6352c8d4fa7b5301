"""Waits until the server in the old region follows the new primary and has caught up, by two witnesses. Changes nothing.

The primary tells how much its replica has not replayed, the replica how much it was told and has not. Both must be below the
estate's threshold of a planned failover, and the replica must have heard its primary lately. What waiting cannot mend ends
the wait: a replica that is stopped, and a server that stands alone or whose replication is broken.
"""

from __future__ import annotations

from datetime import timedelta

from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.region.models import READY, AzureFact, FlexibleSqlFact, FlexibleSurvey, Lag, Role
from activities.region.recovery_models import AwaitFollower, Follower
from activities.region.returning import SLOWEST
from activities.region.standing import STOPPED, leads, why_unknown
from activities.region.survey import FlexibleLookActivities
from activities.run.declare import step
from activities.run.polling import sleep
from activities.run.postures import ENDLESS, lasting
from estate.flexible import FlexibleTarget
from gate.postgres.lsn import parse_lsn

LATELY = timedelta(seconds=60)
"""A replica that is behind by more time, or that has heard its primary longer ago, has not caught up."""
_BROKEN = "Broken"
_GROWTH = 1.5
_WAIT = lasting(ENDLESS, attempt=timedelta(hours=2), within=timedelta(days=30))
"""Nobody may be there to carry it out for days: the time that is waited for is in the request."""


class FollowingActivities:
    """The wait of ``region-recovery``."""

    def __init__(self, servers: FlexibleServers, sql: FlexibleSql, slowest: timedelta = SLOWEST) -> None:
        """Ask Azure by ``servers``, the databases by ``sql``; wait at most ``slowest`` between two looks."""
        self._servers, self._slowest, self._look = servers, slowest, FlexibleLookActivities(servers, sql)

    @step("region.await_follower", _WAIT, lambda wait: f"wait until {wait.server} follows {wait.leader}")
    async def await_follower(self, wait: AwaitFollower) -> Follower:
        """Return once it has caught up, once waiting does not help, or when the time is up, with what is missing then."""
        pause = self._servers.poll
        while True:
            seen = follower_of(wait.target, await self._look.pair(wait.target), wait.server)
            if seen.caught_up or seen.stopped or seen.broken or seen.at >= wait.until:
                return seen
            await sleep(pause.total_seconds())
            pause = min(pause * _GROWTH, self._slowest)


def follower_of(target: FlexibleTarget, survey: FlexibleSurvey, server: str) -> Follower:
    """Return how far ``server`` is with following the other one. Pure."""
    leader = target.database.other(server)
    azure, found = survey.azure_of(server), Follower(server=server, at=survey.at)
    if not leads(survey, leader):
        return found.model_copy(update={"words": why_unknown(target, survey, leader)})
    by_azure = azure.error or f"Azure says {azure.role.value}{f' of {azure.source}' if azure.source else ''}, {azure.state}"
    follows = azure.role is Role.REPLICA and azure.source == leader
    if azure.state == STOPPED or (azure.state == READY and azure.replication == _BROKEN):
        told = {"stopped": follows and azure.state == STOPPED, "broken": not follows or azure.state == READY}
        return found.model_copy(update={**told, "words": f"{by_azure} {azure.replication}".strip()})
    lags = lags_between(survey.sql_of(leader), survey.sql_of(server))
    words = _missing(target, azure, survey.sql_of(server), lags) if follows else by_azure
    return found.model_copy(update={"caught_up": not words, "lags": lags, "words": words})


def lags_between(primary: FlexibleSqlFact, replica: FlexibleSqlFact) -> tuple[Lag, Lag]:
    """Return how far the replica is behind, by the primary's word and by its own."""
    seconds = 0.0 if primary.behind_bytes == 0 else primary.behind_seconds
    told, has = replica.told_lsn, replica.replayed_lsn
    behind = max(parse_lsn(told) - parse_lsn(has), 0) if told and has else None
    return (
        Lag(witness=primary.name, behind_bytes=primary.behind_bytes, behind_seconds=seconds),
        Lag(witness=replica.name, behind_bytes=behind, behind_seconds=replica.heard_seconds_ago, at_most=True),
    )


def _missing(target: FlexibleTarget, azure: AzureFact, sql: FlexibleSqlFact, lags: tuple[Lag, ...]) -> str:
    """Return what is missing until it has caught up; empty: nothing."""
    if azure.state != READY:
        return f"Azure says {azure.state}"
    if sql.in_recovery is not True:
        return f"it does not answer as a replica: {sql.error or 'it takes writes'}"
    most, limit = LATELY.total_seconds(), int(target.database.thresholds.planned_lag)
    for lag in lags:
        if lag.behind_bytes is None or lag.behind_seconds is None:
            return f"{lag.witness} does not say how far it is behind"
        if lag.behind_bytes > limit or lag.behind_seconds > most:
            told = f"{lag.behind_bytes} bytes, {lag.behind_seconds:.1f} s"
            return f"{lag.witness} says {told} behind (limit {limit} bytes, {most:.0f} s)"
    return ""
