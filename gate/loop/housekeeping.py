"""What is due while a member is settled, as a pure function of a sample.

That is its door (``gate.loop.serving``), synchronous replication, its upstream's address, its recovery, its label.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from gate.api import Role
from gate.loop.situation import Sample
from gate.record import Record

Label = tuple[Role | None, str, int]
"""The pod's role, and the leader and epoch at which it was labelled so: it is written once per change."""


class Effect(StrEnum):
    """What the loop carries out, in this order."""

    OPEN = "open the door"
    SYNCHRONISE = "tend synchronous replication"
    FOLLOW = "follow the leader to its new address"
    RECOVER = "tend replication recovery"
    FORGET_REJOIN = "forget the rejoin that was asked for"
    LABEL = "label the pod"


def due(sample: Sample, record: Record, labelled: Label | None) -> Iterator[Effect]:
    """Yield what is due under ``record``, which has just been read; ``labelled``: what the pod's label says."""
    facts = sample.facts
    if sample.may_open:
        yield Effect.OPEN
    if record.intent is not None:
        return
    if record.leader != sample.member:
        yield from _of_a_standby(sample, record)
    elif facts.role is Role.PRIMARY and not facts.unanswered:  # unknown followers are not gone
        yield Effect.SYNCHRONISE
    if facts.role is not None and (facts.role, record.leader, record.epoch) != labelled:
        yield Effect.LABEL


def _of_a_standby(sample: Sample, record: Record) -> Iterator[Effect]:
    if sample.following == record.leader and sample.has_moved:
        yield Effect.FOLLOW  # its pod was made anew
    if not sample.facts.unanswered:
        yield Effect.RECOVER
    if sample.facts.upstream == record.leader:
        yield Effect.FORGET_REJOIN
