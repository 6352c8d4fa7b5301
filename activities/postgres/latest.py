"""Whether an unfinished switch in the leader record is of now, or of a copy of the record that somebody has put back.

An old copy can hold a switch that was carried out long ago: its candidate was promoted once, and says so. Going on with it
would take the writes from whoever leads by now, with all that was committed since. The gates and the Lease keep the latest
epoch that they have seen, so they tell.
"""

from __future__ import annotations

import asyncio

from activities.clients.systems import Systems
from activities.run.errors import Refusal, refuse
from estate.postgres import PostgresTarget
from gate.api import GateStatus
from gate.record import Record, ahead_of


async def must_be_latest(systems: Systems, target: PostgresTarget, record: Record) -> None:
    """Return unless somebody who answers has seen a later epoch than the record and its unfinished switch can have.

    Raises:
        ApplicationError: ``RecordDisagrees``; nothing was changed.

    """
    members = target.cluster.members
    epochs = {"its Lease": await systems.leader_records.lease_epoch(target.region, target.cluster.write_service)}
    answers = await asyncio.gather(*(systems.gates.status(target, name) for name in members), return_exceptions=True)
    epochs |= {name: one.epoch for name, one in zip(members, answers, strict=True) if isinstance(one, GateStatus)}
    if ahead := ahead_of(record, epochs):
        seen = ", ".join(f"{name} has seen epoch {epoch}" for name, epoch in ahead.items())
        raise refuse(
            Refusal.RECORD_DISAGREES,
            f"the unfinished switch of {record.owner} stands in an old copy of the record, at epoch {record.epoch}, and"
            f" {seen}; a person must decide who leads: failover repair {target.name}",
        )
