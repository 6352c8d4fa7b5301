"""Who vouches for a member, so that its server may take writes for another while.

The API server vouches for a member that the record names and that no forced claim has passed over. Where the record is
gone, cannot be read or is older than what the member has seen, the record's Lease stands in for it: it vouches for a
primary that knows of no earlier epoch than the Lease, and that goes on renewing it. Without the API server
a peer vouches, so that an outage of the API server alone stops no database: but only if no peer that answers knows of a
later epoch than this member. One that was cut off meanwhile may not have heard of it. Whoever waits for this member's
isolation has told the peers a later epoch first. Nobody vouches for a primary that was overtaken: a peer shows that another
member was promoted since.
"""

from __future__ import annotations

from dataclasses import dataclass

from gate.api import GateStatus
from gate.record import Mirror, Mode, Record, is_older


@dataclass(frozen=True)
class Outside:
    """What the API server and the peers say. ``record`` counts only if ``api_answers``."""

    api_answers: bool
    record: Record | None
    mirror: Mirror | None
    """The Kubernetes Lease, whether or not the record is still there; not looked for where the record is enough."""
    peers: dict[str, GateStatus | None]
    """Member → status, ``None`` when it does not answer."""
    paused: bool = False
    """The record carries a pause that is not over."""
    unreadable: str = ""
    """Why the API server, which answers, gave no record that can be read; empty when it gave one, or has none."""


def vouches(outside: Outside, member: str, epoch: int, *, leads: bool, timeline: int = 0) -> bool:
    """Whether what was seen allows ``member``, which knows of ``epoch``, to take writes for another while.

    ``leads``: its server runs as primary, on ``timeline``; 0: not known.
    """
    if leads and timeline and overtaken_by(outside, epoch, timeline) is not None:
        return False
    if outside.api_answers and (record := outside.record) is not None and not is_older(record, epoch):
        return names(record, member)
    if outside.api_answers and _stands_in(outside, member, epoch, leads=leads):
        return True
    answers = [status for status in outside.peers.values() if status is not None]
    return bool(answers) and all(status.epoch <= epoch for status in answers)


def overtaken_by(outside: Outside, epoch: int, timeline: int) -> GateStatus | None:
    """Return a peer that shows that another member was promoted since: the record is a copy from before.

    It is on a later timeline, and has seen a later epoch than this member *and* the record. A primary that has slept through
    that promotion would find itself named by such a copy. A later epoch alone is a claim that came to nothing.
    """
    known = max(epoch, outside.record.epoch if outside.record is not None else 0)
    answers = (status for status in outside.peers.values() if status is not None)
    return next((one for one in answers if one.epoch > known and (one.timeline or 0) > timeline), None)


def names(record: Record, member: str) -> bool:
    """Whether ``record`` lets ``member`` take writes: as the leader, or as the candidate."""
    intent = record.intent
    if record.leader == member:
        return intent is None or intent.candidate == member or intent.mode is not Mode.FORCED
    return intent is not None and intent.candidate == member


def _stands_in(outside: Outside, member: str, epoch: int, *, leads: bool) -> bool:
    """Whether the Lease vouches for ``member`` in place of a record."""
    mirror = outside.mirror
    if outside.record is not None:  # an older one
        return leads and mirror is not None and mirror.epoch <= epoch
    if mirror is None:
        return not outside.unreadable
    return mirror.epoch <= epoch or mirror.holder == member


def to_show(outside: Outside, member: str, epoch: int, *, leads: bool) -> Record | None:
    """Return what ``member`` must renew the Kubernetes Lease by before the API server's answer counts for it.

    ``None`` for one that does not lead. Nobody shows itself by a record that does not count, but by what it has seen.
    """
    record, mirror = outside.record, outside.mirror
    if not outside.api_answers:
        return None
    if record is not None and not is_older(record, epoch):
        return record if record.leader == member else None
    if mirror is None or not leads:
        return None
    return Record(leader=member, epoch=max(mirror.epoch, epoch))
