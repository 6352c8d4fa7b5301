"""What a forced failover to another region has cost: an estimate before the approval, and what is known after the promotion.

Of a lost primary nobody can count what it had acknowledged. The new primary knows the time of the last commit that it has
from it: nothing before that is missing, and all that was committed later is. So the loss is at most the time from that
commit to the moment from which on the old primary did not work; it is never more than the estimate.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil

from activities.region.models import FlexibleDetails, FlexiblePlan
from starters.history.parse import Chronicle


def may_miss(chronicle: Chronicle) -> float | None:
    """Return for how many seconds commits are missing at most; ``None``: it was no such failover."""
    plan, until = chronicle.plan, _complete_until(chronicle)
    if not isinstance(plan, FlexiblePlan) or plan.lossless:
        return None
    lost_at = plan.down_since or _looked_at(chronicle)
    if until is None or lost_at is None:
        return plan.missing_seconds
    return min(plan.missing_seconds, max((lost_at - until).total_seconds(), 0.0))


def about_missing(chronicle: Chronicle, missing: float, rpo: float | None, *, in_loss: bool) -> str:
    """Say what is missing, beside the estimate that people approved, and whether the objective allows it."""
    limit = "unknown" if rpo is None else f"{rpo:g} s"
    words = f"loss: commits of at most {ceil(missing)} s may be missing, as the plan said"
    until, plan = _complete_until(chronicle), chronicle.plan
    if until is not None and isinstance(plan, FlexiblePlan):
        told = f"the plan said at most {ceil(plan.missing_seconds)} s"
        words = f"loss: commits of at most {ceil(missing)} s, those after {instant(until)} ({told})"
    return f"{words}; objective {limit}: {'met' if in_loss else 'missed'}"


def instant(at: datetime) -> str:
    """Return a time in UTC to the millisecond."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def _details(chronicle: Chronicle) -> FlexibleDetails | None:
    details = chronicle.report.details if chronicle.report else None
    return details if isinstance(details, FlexibleDetails) else None


def _looked_at(chronicle: Chronicle) -> datetime | None:
    details = _details(chronicle)
    return details.survey.at if details and details.survey else None


def _complete_until(chronicle: Chronicle) -> datetime | None:
    details = _details(chronicle)
    return details.routed.complete_until if details and details.routed else None
