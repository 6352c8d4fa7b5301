"""How far the replica is behind, by two witnesses, and how much may be missing after a forced failover. Pure.

The primary knows how much its replica has not replayed. Once it is gone only the replica is left, which knows when the last
transaction that it has was committed, and what the primary has told it last. Nobody knows what came after that. So the
answer is an upper bound: from that commit to the moment from which on the primary did not work any more. Time that has
passed since then is no loss; a person who knows that moment can say it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from activities.region.models import FlexibleSqlFact, FlexibleSurvey, Lag
from activities.run.errors import Refusal, refuse
from estate.flexible import FlexibleTarget
from gate.postgres.lsn import parse_lsn
from gate.record import Mode
from workflows.region.models import RegionDatabaseRequest

_CLOCKS = timedelta(seconds=60)
"""How far clocks may differ."""


class Pair(NamedTuple):
    """The server that leads, and the one that is to lead."""

    old: str
    new: str


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
    """Return the replica's own word. What it was told says nothing of what came after it heard its primary last."""
    told, has, heard = replica.told_lsn, replica.replayed_lsn, replica.heard_seconds_ago
    behind = max(parse_lsn(told) - parse_lsn(has), 0) if told and has else None
    until, since = down_since or survey.at, replica.replayed_at
    if behind == 0 and heard is not None:  # at that moment it had everything
        complete = survey.at - timedelta(seconds=heard)
        since = complete if since is None else max(since, complete)
    seconds = max((until - since).total_seconds(), 0.0) if since is not None else None
    return Lag(witness=replica.name, behind_bytes=behind, behind_seconds=seconds, at_most=True)


def missing_of(
    request: RegionDatabaseRequest, target: FlexibleTarget, survey: FlexibleSurvey, lags: tuple[Lag, ...], pair: Pair
) -> float:
    """Return for how many seconds commits may be missing at most. ApplicationError: unknown, or more than the limit."""
    limits, replica = target.database.thresholds, survey.sql_of(pair.new)
    if request.mode is Mode.PLANNED:
        _must_follow_closely(survey, pair, int(limits.planned_lag))
        return 0.0
    _must_fit(request.down_since, survey.at, replica.replayed_at)
    known = [lag.behind_seconds for lag in lags if lag.behind_seconds is not None]
    if not known:
        words = f"nobody knows what {pair.new} lacks: it has replayed no transaction since it started"
        raise refuse(Refusal.LAG_UNKNOWN, words)
    missing, limit = max(known), (request.max_missing or limits.forced_lag).total_seconds()
    if missing > limit:
        since = replica.replayed_at
        commits = f"commits after {since:%Y-%m-%d %H:%M:%S} UTC" if since else "commits"
        words = f"{commits} may be missing on {pair.new} (at most {ceil(missing)} s; limit {limit:.0f} s)"
        remedy = "give the time at which the primary failed (--down-since), or accept more (--max-missing)"
        raise refuse(Refusal.LAG_TOO_LARGE, f"{words}; {remedy}")
    return missing


def _must_fit(down_since: datetime | None, now: datetime, replayed_at: datetime | None) -> None:
    """Refuse a time that cannot be true: one in the future, or before a commit of the primary that the replica has."""
    if down_since is None:
        return
    if down_since > now + _CLOCKS:
        raise refuse(
            Refusal.BAD_INPUT, f"down_since: {down_since:%Y-%m-%d %H:%M:%S} UTC is in the future; it is {now:%H:%M:%S}"
        )
    if replayed_at is not None and down_since < replayed_at - _CLOCKS:
        words = f"down_since: the replica has a commit of {replayed_at:%Y-%m-%d %H:%M:%S} UTC, later than that"
        raise refuse(Refusal.BAD_INPUT, f"{words}; give a later time, with its zone")


def _must_follow_closely(survey: FlexibleSurvey, pair: Pair, limit: int) -> None:
    """Compare the two themselves: others may receive WAL from the primary, too."""
    primary, replica = survey.sql_of(pair.old), survey.sql_of(pair.new)
    if not (replica.told_lsn and replica.replayed_lsn and primary.written_lsn):
        raise refuse(Refusal.LAG_UNKNOWN, f"{pair.new} is not connected to {pair.old}: see why it does not receive WAL")
    behind = parse_lsn(primary.written_lsn) - parse_lsn(replica.replayed_lsn)
    if behind > limit:
        words = f"{pair.new} has {behind} bytes of WAL to replay (limit {limit}): wait until it has caught up"
        raise refuse(Refusal.LAG_TOO_LARGE, words)
