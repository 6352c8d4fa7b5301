"""Small duties of a settled member: its door, synchronous replication, its upstream's address, its label.

The door: a former primary turns applications away for a while after the route has left it (``closed_after_route``), so that
no pool keeps a session on a server that takes no writes any more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gate.api import Role
from gate.lease.kube import SILENT
from gate.loop.replication_recovery import ReplicationRecovery
from gate.postgres.synchronous import Synchronous
from gate.record import Record

if TYPE_CHECKING:
    from gate.loop.core import Gate


class Housekeeping:
    """Done again and again while a member is settled."""

    def __init__(self, gate: Gate) -> None:
        """Do them for ``gate``."""
        self._gate = gate
        self.synchronous = Synchronous(gate)
        self.recovery = ReplicationRecovery(gate)
        self._told: tuple[Role, str, int] | None = None
        self._closed_until = 0.0
        self.closed = False
        """Whether the server that runs turns applications away."""

    def close_for_a_while(self) -> None:
        """Turn applications away from the next start on: the route has just left this member."""
        self._closed_until = time.monotonic() + self._gate.settings.closed_after_route

    @property
    def is_to_be_closed(self) -> bool:
        """Whether that time is not over."""
        return time.monotonic() < self._closed_until

    def open(self) -> None:
        """End that time. Safe to repeat."""
        gate = self._gate
        self._closed_until = 0.0
        if self.closed:
            gate.configure(leader=gate.following, sync=self.synchronous.names)
            gate.server.reload()
            gate.log("open to applications")

    async def tend(self, record: Record) -> None:
        """Do what is due."""
        gate = self._gate
        if not self.is_to_be_closed:
            self.open()
        if record.intent is not None:
            return
        if record.leader == gate.settings.member:
            if gate.sampler.role is Role.PRIMARY:
                await self.synchronous.tend(record)
        else:
            await self._stand_by(record)
        if gate.sampler.role is not None:
            await self._tell(record, gate.sampler.role)

    async def _stand_by(self, record: Record) -> None:
        gate = self._gate
        if gate.following == record.leader and gate.peers.known(record.leader) != gate.upstream_address:
            await gate.follow(record.leader)  # its pod was made anew
        await self.recovery.tend(record)
        if gate.sampler.facts.get("upstream") == record.leader:
            gate.store.write(rejoin_behind="")

    async def _tell(self, record: Record, role: Role) -> None:
        """Label the pod with its role, once per change."""
        told = (role, record.leader, record.epoch)
        if told == self._told:
            return
        try:
            await self._gate.api.label(role.value)
        except SILENT as error:
            self._gate.log("label not written", why=str(error))
            return
        self._told = told
