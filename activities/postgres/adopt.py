"""The two changes of an adoption: the chosen gate makes the product's roles, then the first leader record is written.

Until the record is there nobody leads, and everything can be left as it is: the roles do no harm. The record is written by
compare-and-swap on the Service's ``resourceVersion``, as it was before somebody looked whether there is a record. Killed
between the write and the answer, the next attempt finds its own record.
"""

from __future__ import annotations

from activities.clients.granting import granted
from activities.clients.ports import ForbiddenError, MissingError
from activities.clients.systems import Systems
from activities.postgres.claim import try_write
from activities.postgres.gate_errors import obeyed
from activities.postgres.models.upkeep import AdoptStep, FirstRecord
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.postures import CHANGE, CHANGE_UNHURRIED
from gate.api import Adopted
from gate.record import HIGHEST_EPOCH, NO_SYNC, MalformedRecordError, Record


class AdoptActivities:
    """Prepare, and write the first record."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems`` for every look and command."""
        self._systems = systems

    @step("postgres.adopt", CHANGE_UNHURRIED, lambda request: f"prepare {request.leader}")
    async def adopt(self, step: AdoptStep) -> Adopted:
        """Let the gate make what the product needs in the old primary's directory. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``NoPrimary``, ``RecordChanged`` (there is a record by now), ``Superseded``, and
                ``CandidateFailed``: another system, another version, no such database.

        """
        run, system = str(step.run), step.system_identifier
        return await obeyed(self._systems.gates.adopt(step.target, step.leader, step.epoch, run, system_identifier=system))

    @step("postgres.first_record", CHANGE, lambda request: f"first record: {request.leader}, epoch {request.epoch}")
    async def first_record(self, step: AdoptStep) -> FirstRecord:
        """Write the record that lets the leader start, above the epoch of a Lease that was left; safe to repeat.

        Raises:
            ApplicationError: ``AdoptedAlready`` when a record of somebody else is there, ``NoRecord`` without the
                Service, ``Unreachable`` when we may not write it.

        """
        region, service = step.target.region, step.target.cluster.write_service
        left = await granted(self._systems.leader_records.lease_epoch(region, service), "no record was written")
        if left >= HIGHEST_EPOCH:
            raise refuse(Refusal.RECORD_DISAGREES, f"Lease {service} is at epoch {left}, the last one: delete it first")
        wanted = Record(
            leader=step.leader,
            epoch=max(step.epoch, left + 1),
            run=str(step.run),
            sync=NO_SYNC,
            system_identifier=step.system_identifier,
        )
        try:
            while True:
                version = await self._systems.leader_records.version(region, service)
                found = await self._systems.leader_records.read(region, service)
                if found is not None:
                    return _ours(found, wanted, service)
                await try_write(self._systems, step.target, wanted.model_copy(update={"resource_version": version}))
        except (MissingError, MalformedRecordError) as error:
            raise refuse(Refusal.NO_RECORD, str(error)) from error
        except ForbiddenError as error:
            raise refuse(Refusal.UNREACHABLE, f"{error}; see the worker's Role; no record was written") from error


def _ours(found: Record, wanted: Record, service: str) -> FirstRecord:
    """Return the record if this run has written it; leader and gates may have raised its epoch since."""
    if found.run != wanted.run or found.leader != wanted.leader:
        raise refuse(
            Refusal.ADOPTED_ALREADY,
            f"Service {service} has a leader record by now: {found.leader} leads at epoch {found.epoch},"
            f" written by {found.run or 'nobody named'}",
        )
    return FirstRecord(leader=found.leader, epoch=found.epoch)
