"""What the load's clients are told, and what they saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from deploy.lab.redis_load import RedisLoadSettings, RedisSeen

_GAPS, _GAP_SECONDS = 5, 0.1


class LoadSettings(BaseModel):
    """Where the clients go."""

    write_address: str
    api_address: str = ""
    """Empty: nobody calls the API."""
    members: dict[str, str]
    """Member → pod address."""
    password: str
    token: str = ""
    run: str
    redis: RedisLoadSettings | None = None
    """None: nobody writes to Redis."""
    by_members: bool = False
    """Clients with all members in their connection string write beside those of the Service."""


@dataclass
class Seen:
    """What the clients saw. Times are ``time.time()``."""

    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    by_members: list[tuple[int, float]] = field(default_factory=list)
    """As ``acknowledged``, for clients that know all members."""
    row_errors: dict[str, int] = field(default_factory=dict)
    api_ok: int = 0
    api_errors: list[tuple[float, str]] = field(default_factory=list)
    commits: list[tuple[float, float, str]] = field(default_factory=list)
    """Checker: (asked, answered, member) of every COMMIT that returned."""
    answers: dict[str, int] = field(default_factory=dict)
    """Checker: how often a member said whether it takes writes."""
    answered_at: dict[str, float] = field(default_factory=dict)
    """Checker: when it did so last."""
    redis: RedisSeen = field(default_factory=RedisSeen)


def outage(acknowledged: list[tuple[int, float]], until: float) -> dict[str, Any]:
    """Return the longest time without an acknowledgement, and the next longest ones."""
    gaps = longest_gaps(acknowledged, until)
    seconds, before, after = gaps[0] if gaps else (0.0, 0.0, 0.0)
    return {"outage_seconds": round(seconds, 4), "outage_from": before, "outage_to": after, "gaps": gaps}


def longest_gaps(acknowledged: list[tuple[int, float]], until: float) -> list[tuple[float, float, float]]:
    """Return (seconds, from, to) of the longest times without an acknowledged row, the longest first.

    All that last for more than a tenth of a second, and five at least.

    One that never ended counts too, as lasting ``until`` the load was told to end.
    """
    times = [at for _, at in acknowledged]
    if times and until > max(times):
        times.append(until)
    pairs = [(after - before, before, after) for before, after in pairwise(times)]
    found = sorted(pairs, reverse=True)
    return found[: max(_GAPS, sum(seconds > _GAP_SECONDS for seconds, _, _ in found))]
