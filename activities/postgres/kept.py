"""Looks through what rejoins have kept aside, and removes one thing of it by name."""

from __future__ import annotations

import asyncio

from activities.clients.granting import granted
from activities.clients.ports import GateRefusedError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.claim import NOTHING_CHANGED, current_record
from activities.postgres.gate_errors import obeyed
from activities.postgres.models.upkeep import KeptBy, KeptDiscard, KeptLook, KeptReport
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.postures import CHANGE, READ
from estate.postgres import PostgresTarget
from gate.api import DiscardCommand


class KeptActivities:
    """Asks every member's gate."""

    def __init__(self, systems: Systems) -> None:
        """Ask ``systems.gates``; the record says at which epoch."""
        self._systems = systems

    @step("postgres.kept", READ, lambda request: f"what {request.target.name} keeps aside")
    async def kept(self, request: KeptLook) -> KeptReport:
        """Return what each member keeps aside, or why it cannot be asked. Changes nothing."""
        target = request.target
        found = await asyncio.gather(*(self._of(target, member) for member in target.cluster.members))
        return KeptReport(cluster=target.name, members=tuple(found))

    @step("postgres.discard_kept", CHANGE, lambda request: f"remove {request.name} of {request.member}, for good")
    async def discard(self, request: KeptDiscard) -> KeptReport:
        """Remove one thing of one member, and return what is left of all. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``BadInput`` for a member that the estate does not list; ``NoRecord``; what its gate refuses.

        """
        target, gates = request.target, self._systems.gates
        if request.member not in target.cluster.members:
            raise refuse(Refusal.BAD_INPUT, f"member: {target.name} has no {request.member}")
        record = await granted(current_record(self._systems, target), NOTHING_CHANGED)
        command = DiscardCommand(epoch=record.epoch, run=str(request.run), name=request.name)
        answer = await obeyed(gates.discard(target, request.member, command))
        return (await self.kept(KeptLook(target=target))).model_copy(update={"removed": answer.removed})

    async def _of(self, target: PostgresTarget, member: str) -> KeptBy:
        try:
            return KeptBy(member=member, items=(await self._systems.gates.kept(target, member)).items)
        except (GateRefusedError, UnreachableError) as error:
            return KeptBy(member=member, error=str(error))
