"""What a watch tells people where no failover helps, or where only people may begin one. Pure.

A lost region is left by people. What they need for that is filled in: since when customers are not served, from how many
witnesses, and the command with that time in it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from activities.detection.models import Condition
from estate.regions import WatchedRegion

if TYPE_CHECKING:
    from estate.base import Target
    from workflows.detection.quorum import Verdict

_TIME = "%Y-%m-%dT%H:%M:%SZ"


def told_of(target: Target, verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
    """Return what a majority finds, in words. A region that is lost is that before everything else."""
    if not isinstance(target, WatchedRegion):
        return tuple(one.words for one in verdicts)
    if lost := _lost(target, verdicts):
        return (f"LOST{_since(_unserved_since(target, verdicts))}: {lost.words}",)
    edges = {target.edge_of(one.name) for one in target.names}
    return tuple(f"DEGRADED{_since(one.since if one.subject in edges else None)}: {one.words}" for one in verdicts)


def advice_on(target: Target, verdict: Verdict, verdicts: tuple[Verdict, ...], taken_out: tuple[str, ...]) -> str:
    """Return what a person is to do about ``verdict``, for which nothing is begun; empty: the policy says what follows.

    ``taken_out``: what this watch has had taken out of service. Only that does it have put in again: what somebody else has
    taken out may be out for a reason.
    """
    if verdict.advice:
        return verdict.advice
    if verdict.condition is Condition.RETURNED and verdict.subject not in taken_out:
        command = f"failover start gateway-failover {target.name} --member {verdict.subject} --by NAME"
        return f"somebody else has taken it out, and may have a reason; to put it in again: {command}"
    if not isinstance(target, WatchedRegion):
        return ""
    if _lost(target, verdicts):
        return _leave(target, _unserved_since(target, verdicts))
    return f"the region is not lost: failover doctor {target.name}; then its gateway, DNS and application"


def _leave(target: WatchedRegion, since: datetime | None) -> str:
    """Return the two commands by which people leave a region."""
    down = f" --down-since {since.astimezone(UTC).strftime(_TIME)}" if since else ""
    wanted = f"region-failover {target.name} --to {target.to} --mode forced{down}"
    return (
        f"nothing is begun, people decide: see Azure's status, then failover plan {wanted}; then"
        f' failover start {wanted} --confirm "ACTIVATE DR" --by NAME --reason "{target.name} does not answer"'
    )


def _lost(target: WatchedRegion, verdicts: tuple[Verdict, ...]) -> Verdict | None:
    return next((one for one in verdicts if one.subject == target.name), None)


def _unserved_since(target: WatchedRegion, verdicts: tuple[Verdict, ...]) -> datetime | None:
    """Return since when customers are not served: the edge may have failed before the rest of the region."""
    edges = {target.edge_of(one.name) for one in target.names}
    times = [one.since for one in verdicts if one.since and (one.subject in edges or one.subject == target.name)]
    return min(times, default=None)


def _since(at: datetime | None) -> str:
    return f", customers not served since {at.astimezone(UTC).strftime(_TIME)}" if at else ""
