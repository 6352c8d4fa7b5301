"""Lets the leader record agree with the gates again: it is an older copy, or somebody has changed its selector.

A gate that has seen a later epoch than the record's goes by it no more, whoever the record names. What is written here
names the member that runs as primary, at an epoch above all that any gate and the Lease have seen, with our selector and
nothing else in it. The list of synchronous members in an older record promises nothing: the leader makes it anew.

In doubt nothing is written. Two primaries, a switch that is under way, a silent gate that could be another primary's, or a
primary that others have left behind: it has slept through a promotion, and goes on under a record as old as itself. Where
nobody runs as primary a person names the member; then every gate must answer, and none may be on a later timeline.
The record is read first and written by compare-and-swap, so that a claim in between makes this step look again. The switch
in an older record is of the past, and goes: a run that has really claimed has told the gates no later epoch than the
record's, but for its own undo, which finds its claim gone and touches nothing more.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NamedTuple

from activities.clients.granting import granted
from activities.clients.ports import GateRefusedError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.claim import NOTHING_CHANGED, current_record, try_write
from activities.postgres.models.upkeep import Repaired, RepairOrder
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.postures import CHANGE
from estate.postgres import PostgresTarget
from gate.api import GateStatus, Role
from gate.record import HIGHEST_EPOCH, NO_SYNC, Record, is_older

_ANSWERS_WITHIN = timedelta(seconds=3)
_UNCHANGED = "nothing was changed"
_SHOWN = ("leader", "epoch", "sync", "previous")


class RepairActivities:
    """Writes the record that the gates bear out."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems`` for every look, and for the one write."""
        self._systems = systems

    @step("postgres.repair", CHANGE, lambda order: f"repair the leader record of {order.target.name}")
    async def repair(self, order: RepairOrder) -> Repaired:
        """Write the record, or say what would be written. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``TwoPrimaries``, ``NoPrimary``, ``ClaimedElsewhere``, ``Unreachable``, ``BadInput``,
                ``NoStandby``, ``NoRecord``, ``RecordDisagrees``; nothing was changed.

        """
        target = order.target
        done: tuple[str, ...] = ()
        while True:
            record = await granted(current_record(self._systems, target), NOTHING_CHANGED)
            seen = await self._statuses(target)
            leases = await granted(self._leases(target), NOTHING_CHANGED)
            latest = max([*leases.values(), *(one.epoch for one in seen.values() if one)])
            _must_be_free(record, latest, target)
            leader = _leader(order, record, seen, leases)
            wanted = _wanted(order, record, leader, latest)
            changes = _changes(record, wanted)
            if not changes or order.dry_run:
                return Repaired(
                    cluster=target.name, leader=leader, epoch=wanted.epoch, changes=changes or done, written=bool(done)
                )  # fmt: skip
            await granted(try_write(self._systems, target, wanted), NOTHING_CHANGED)
            done = changes

    async def _statuses(self, target: PostgresTarget) -> dict[str, GateStatus | None]:
        names = target.cluster.members
        return dict(zip(names, await asyncio.gather(*(self._status(target, name) for name in names)), strict=True))

    async def _status(self, target: PostgresTarget, name: str) -> GateStatus | None:
        try:
            return await self._systems.gates.status(target, name, timeout=_ANSWERS_WITHIN)
        except (UnreachableError, GateRefusedError):
            return None

    async def _leases(self, target: PostgresTarget) -> dict[str, int]:
        """Return the epoch of the Lease, and by name of the member that renews it, if one does."""
        service, records = target.cluster.write_service, self._systems.leader_records
        found = {"": await records.lease_epoch(target.region, service)}
        for name in target.cluster.members:
            if (lease := await records.lease(target.region, service, name)) is not None:
                found[name] = lease.epoch
        return found


def _must_be_free(record: Record, latest: int, target: PostgresTarget) -> None:
    """Refuse while a switch is under way; the one in a record that is older than ``latest`` is of the past."""
    owner = record.owner
    if owner and not is_older(record, latest):
        raise refuse(
            Refusal.CLAIMED_ELSEWHERE,
            f"an unfinished switch of {owner} stands in the record: follow that run, or failover resume {target.name};"
            f" {_UNCHANGED}",
        )


def _leader(order: RepairOrder, record: Record, seen: dict[str, GateStatus | None], leases: dict[str, int]) -> str:
    """Return who the gates say leads; refuse in doubt."""
    primaries = [name for name, one in seen.items() if one is not None and one.role is Role.PRIMARY]
    silent = [name for name, one in seen.items() if one is None]
    if len(primaries) > 1:
        words = f"{' and '.join(primaries)} run as primary: stop the wrong one (delete its pod)"
        raise refuse(Refusal.TWO_PRIMARIES, f"{words}, then repair; {_UNCHANGED}")
    if not primaries:
        return _named(order, record, seen, silent)
    leader = primaries[0]
    if order.leader not in {"", leader}:
        words = f"leader: {leader} runs as primary, not {order.leader}; repair the record for {leader}, then fail over"
        raise refuse(Refusal.BAD_INPUT, f"{words}; {_UNCHANGED}")
    if silent and leader not in leases:
        words = f"the gate of {', '.join(silent)} is silent, and the Lease is not {leader}'s: another primary may run there"
        raise refuse(Refusal.UNREACHABLE, f"{words}; {_UNCHANGED}")
    if later := _on_a_later_timeline(leader, seen):
        words = f"{leader} runs as primary on timeline {later.here}, and {later.others} is on {later.there}, which led since"
        remedy = "stop it (delete its pod: its gate does not start it again), then repair with --leader MEMBER"
        raise refuse(Refusal.WRONG_TIMELINE, f"{words}: {remedy}; {_UNCHANGED}")
    return leader


class _Later(NamedTuple):
    """Who has a later timeline than the member in question."""

    here: int
    others: str
    there: int


def _on_a_later_timeline(member: str, seen: dict[str, GateStatus | None]) -> _Later | None:
    """Return who is; writes that were acknowledged there would be given up for those of ``member``."""
    timelines = {name: one.timeline or 0 for name, one in seen.items() if one is not None}
    here, last = timelines.get(member, 0), max(timelines.values(), default=0)
    return _Later(here, " and ".join(name for name, at in timelines.items() if at == last), last) if last > here else None


def _named(order: RepairOrder, record: Record, seen: dict[str, GateStatus | None], silent: list[str]) -> str:
    """Return the member that a person has named, once no gate speaks against it."""
    name = order.leader
    if not name:
        words = f"no member of {order.target.name} runs as primary: say who has led last, --leader MEMBER"
        raise refuse(Refusal.NO_PRIMARY, f"{words}; {_UNCHANGED}")
    if name not in seen:
        raise refuse(Refusal.BAD_INPUT, f"leader: {order.target.name} has no {name}; it has {', '.join(seen)}")
    if silent:
        words = f"the gate of {', '.join(silent)} is silent: whether it runs as primary is unknown"
        raise refuse(Refusal.UNREACHABLE, f"{words}; {_UNCHANGED}")
    chosen = seen[name]
    if chosen is None or chosen.empty or chosen.system_identifier != record.system_identifier:
        raise refuse(Refusal.NO_STANDBY, f"{name} has no data of this cluster; {_UNCHANGED}")
    if later := _on_a_later_timeline(name, seen):
        words = f"{later.others} is on a later timeline ({later.there}) than {name} ({later.here}), and has led since"
        raise refuse(Refusal.WRONG_TIMELINE, f"{words}; {_UNCHANGED}")
    return name


def _wanted(order: RepairOrder, record: Record, leader: str, seen: int) -> Record:
    """Return the record that agrees: unchanged where it does."""
    if record.leader == leader and record.epoch >= seen:
        return record.model_copy(update={"selector": leader, "foreign": record.foreign})
    epoch = max(record.epoch, seen) + 1
    if epoch > HIGHEST_EPOCH:
        raise refuse(Refusal.RECORD_DISAGREES, f"epoch {epoch - 1} has been seen, the last one; {_UNCHANGED}")
    moved = {"previous": record.leader} if record.leader != leader else {}
    update = {"leader": leader, "epoch": epoch, "sync": NO_SYNC, "run": str(order.run), "selector": leader, **moved}
    update |= {"intent": None, "unfinished": ""}
    return record.model_copy(update=update)


def _changes(record: Record, wanted: Record) -> tuple[str, ...]:
    """Return what differs, one line each."""
    fields = [(name, getattr(record, name), getattr(wanted, name)) for name in _SHOWN]
    lines = [f"{name}: {before or 'none'} → {after}" for name, before, after in fields if before != after]
    if owner := record.owner:
        lines.append(f"unfinished switch: {owner} → none; it is stale, see failover report {owner.split('/')[-1]}")
    if record.selector != wanted.leader:
        lines.append(f"writes: to {record.receivers} → to {wanted.leader}")
    elif record.foreign:
        lines.append(f"selector: {record.foreign} is taken out")
    return tuple(lines)
