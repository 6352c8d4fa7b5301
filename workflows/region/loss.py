"""How far the replica is behind, by two witnesses, and how much may be missing after a forced failover. Pure.

The primary knows how much its replica has not replayed. Once it is gone only the replica is left, which knows when the last
transaction that it has was committed, and what the primary has told it last. Nobody knows what came after that. So the
answer is an upper bound: from that commit to the moment from which on the primary did not work any more. Time that has
passed since then is no loss; a person who knows that moment can say it.
"""

from __future__ import annotations

from datetime import datetime

from activities.region.models import FlexibleSqlFact, FlexibleSurvey, Lag
from activities.run.errors import Refusal, refuse
from estate.flexible import FlexibleTarget
from gate.postgres.lsn import parse_lsn
from gate.record import Mode
from workflows.region.models import RegionDatabaseRequest


def lags_of(survey: FlexibleSurvey, old: str, new: str, down_since: datetime | None) -> tuple[Lag, ...]:
    """Return what each witness that answers says."""
    primary, replica = survey.sql_of(old), survey.sql_of(new)
    lags = []
    if primary.in_recovery is False:
        seconds = 0.0 if primary.behind_bytes == 0 else primary.behind_seconds
        lags.append(Lag(witness=old, behind_bytes=primary.behind_bytes, behind_seconds=seconds))
    if replica.in_recovery:
        lags.append(_by_replica(survey, replica, down_since))
    return tuple(lags)


def _by_replica(survey: FlexibleSurvey, replica: FlexibleSqlFact, down_since: datetime | None) -> Lag:
    """Return the replica's own word: exact while it is told the primary's position, an upper bound after that."""
    told, has = replica.told_lsn, replica.replayed_lsn
    behind = max(parse_lsn(told) - parse_lsn(has), 0) if told and has else None
    if down_since is None and behind == 0:
        return Lag(witness=replica.name, behind_bytes=0, behind_seconds=0.0)
    until = down_since or survey.at
    since = replica.replayed_at
    if behind == 0 and replica.told_at is not None and since is not None:
        since = max(since, replica.told_at)  # at that moment it had everything
    seconds = max((until - since).total_seconds(), 0.0) if since is not None else None
    return Lag(witness=replica.name, behind_bytes=behind, behind_seconds=seconds, at_most=True)


def missing_of(
    request: RegionDatabaseRequest, target: FlexibleTarget, survey: FlexibleSurvey, lags: tuple[Lag, ...], new: str
) -> float:
    """Return for how many seconds commits may be missing at most. ApplicationError: unknown, or more than the limit."""
    limits = target.database.thresholds
    if request.mode is Mode.PLANNED:
        _must_follow_closely(lags, int(limits.planned_lag))
        return 0.0
    known = [lag.behind_seconds for lag in lags if lag.behind_seconds is not None]
    if not known:
        words = f"nobody knows what {new} lacks: it has replayed no transaction since it started"
        raise refuse(Refusal.LAG_UNKNOWN, words)
    missing, limit = max(known), (request.max_missing or limits.forced_lag).total_seconds()
    if missing > limit:
        since = survey.sql_of(new).replayed_at
        commits = f"commits after {since:%Y-%m-%d %H:%M:%S} UTC" if since else "commits"
        words = f"{commits} may be missing on {new} (at most {missing:.0f} s; limit {limit:.0f} s)"
        remedy = "give the time at which the primary failed (--down-since), or accept more (--max-missing)"
        raise refuse(Refusal.LAG_TOO_LARGE, f"{words}; {remedy}")
    return missing


def _must_follow_closely(lags: tuple[Lag, ...], limit: int) -> None:
    first = lags[0]
    if first.behind_bytes is None:
        raise refuse(Refusal.LAG_UNKNOWN, f"{first.witness} says that no replica is connected to it")
    if first.behind_bytes > limit:
        raise refuse(
            Refusal.LAG_TOO_LARGE,
            f"the replica has {first.behind_bytes} bytes of WAL to replay (limit {limit}): wait until it has caught up",
        )
