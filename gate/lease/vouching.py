"""Who vouches for a member, so that its server may take writes for another while.

The API server vouches for a member that the record names and that no forced claim has passed over. Without the API server
a peer vouches, so that an outage of the API server alone stops no database: but only if no peer that answers knows of a
later epoch than this member. One that was cut off meanwhile may not have heard of it. Whoever waits for this member's
isolation has told the peers a later epoch first.
"""

from __future__ import annotations

from dataclasses import dataclass

from gate.api import GateStatus
from gate.record import Mode, Record


@dataclass(frozen=True)
class Outside:
    """What the API server and the peers say. ``record`` counts only if ``api_answers``."""

    api_answers: bool
    record: Record | None
    mirror: bool
    """A Kubernetes Lease mirrors a record, whether or not the record is still there."""
    peers: dict[str, GateStatus | None]
    """Member → status, ``None`` when it does not answer."""
    paused: bool = False
    """The record carries a pause that is not over."""


def vouches(outside: Outside, member: str, epoch: int) -> bool:
    """Whether what was seen allows ``member``, which knows of ``epoch``, to take writes for another while."""
    if outside.api_answers:
        return outside.record is None or names(outside.record, member)
    answers = [status for status in outside.peers.values() if status is not None]
    return bool(answers) and all(status.epoch <= epoch for status in answers)


def names(record: Record, member: str) -> bool:
    """Whether ``record`` lets ``member`` take writes: as the leader, or as the candidate."""
    intent = record.intent
    if record.leader == member:
        return intent is None or intent.candidate == member or intent.mode is not Mode.FORCED
    return intent is not None and intent.candidate == member


def must_show_itself(outside: Outside, member: str) -> bool:
    """Whether the API server's answer counts for ``member`` only once the Kubernetes Lease is renewed: it leads."""
    return outside.api_answers and outside.record is not None and outside.record.leader == member
