"""Whether the leader's disk was set back, so that positions do not tell which standby has everything.

A leader's WAL only grows, so the most advanced of its synchronous standbys has every acknowledged write. A leader that went
on from an older directory has written other WAL to the same positions. Its gate says so where it answers. Where it does
not, two standbys can: one has more than the leader had when it spoke to the other one, clearly later. Both times are by the
leader's clock. What a standby that was started anew has heard is forgotten; its last transaction's time stands in for it.
Two standbys with different WAL cannot be brought together, and each may have acknowledged rows alone: a person decides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import NamedTuple

from activities.postgres.models.survey import Survey
from activities.run.errors import Refusal, refuse
from gate.api import GateStatus, Role
from gate.postgres.lsn import parse_lsn
from gate.record import Record

CLEARLY_LATER = timedelta(seconds=5)
"""A gate keeps the leader's last word as of its last sample, which may take two seconds under load."""


def of_a_disk_set_back(survey: Survey, record: Record, others: list[str]) -> str | None:
    """Return why positions do not tell who has most; ``None``: nothing says that the leader's disk was set back.

    ``others``: synchronous members beside the one that is to lead.
    """
    fact = survey.member(record.leader)
    gate = fact.gate if fact is not None else None
    if gate is not None and any(row.ahead for row in gate.followers):
        return f"the disk of {record.leader} was set back, and it runs: its standby has confirmed what it never received"
    if not others:
        return None
    on = f"what it wrote since may be on {' or '.join(others)} only"
    if gate is not None and gate.lacks:
        return f"the disk of {record.leader} was set back: {on}"
    if parted := with_other_wal(survey, record):
        return f"the disk of {record.leader} was set back: {parted.words}; {on}"
    return None


def must_not_be_parted(survey: Survey, record: Record, wanted: str | None) -> tuple[str, ...]:
    """Return who has other WAL than ``wanted``, which somebody has named for that; nobody, where no two standbys differ.

    Raises:
        ApplicationError: ``WrongTimeline``; nothing was changed.

    """
    parted = with_other_wal(survey, record)
    if parted is None:
        return ()
    if wanted == parted.ahead:
        return (parted.behind,)
    remedy = f"--to {parted.ahead} keeps its rows and loses what was written since; stop it to keep those of {parted.behind}"
    raise refuse(Refusal.WRONG_TIMELINE, f"the disk of {record.leader} was set back: {parted.words}; {remedy}")


class Parted(NamedTuple):
    """Two standbys with different WAL at the same positions."""

    ahead: str
    behind: str
    words: str


def with_other_wal(survey: Survey, record: Record) -> Parted | None:
    """Return who has more than the leader had when it spoke to the other one later on; ``None``: nobody is known to.

    Where commits wait for one standby alone, that one has all that was acknowledged.
    """
    gates = (fact.gate for fact in survey.members if fact.gate is not None and fact.name != record.leader)
    standbys = [gate for gate in gates if gate.role is Role.STANDBY and gate.receive_lsn is not None]
    newest = max((gate.timeline or 0 for gate in standbys), default=0)
    if len(record.sync_members) == 1:
        return None
    for one, other in permutations(standbys, 2):
        last, later, end = _last_heard(one), other.upstream_at, other.upstream_lsn
        if last is None or later is None or end is None or {one.timeline, other.timeline} != {newest}:
            continue
        if later - last > CLEARLY_LATER and parse_lsn(one.receive_lsn or "0/0") > parse_lsn(end):
            seconds = (later - last).total_seconds()
            words = f"{one.member} has received up to {one.receive_lsn}, and {seconds:.0f} s later the leader's WAL ended at"
            return Parted(one.member, other.member, f"{words} {end}, as {other.member} was told")
    return None


def _last_heard(standby: GateStatus) -> datetime | None:
    """Return a time, by its leader's clock, at which ``standby`` had heard from it; later ones may be unknown."""
    return max((at for at in (standby.upstream_at, standby.last_replay_at) if at is not None), default=None)
