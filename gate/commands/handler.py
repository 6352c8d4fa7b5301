"""What commands of ``gate.api`` share: refuse an old epoch, keep a new one, read the record.

Only those that need the record read it: fence and revoke work without the API server.

Each command is durable before it acts and repeats safely at its epoch. Those that belong together share a class:
``gate.commands.fence``, ``gate.commands.promote``, ``gate.commands.revert``, ``gate.commands.join``.
"""

from __future__ import annotations

from gate.api import Command, Problem, ProblemKind
from gate.lease.kube import SILENT
from gate.lease.lease import now
from gate.lease.vouching import names
from gate.loop.core import Gate
from gate.record import Record


class RefusedError(Exception):
    """A command was refused."""

    def __init__(self, problem: Problem) -> None:
        """Carry what is answered."""
        super().__init__(problem.message)
        self.problem = problem


class Handler:
    """Base of what carries commands out."""

    def __init__(self, gate: Gate) -> None:
        """Act on ``gate``."""
        self._gate = gate

    def _refuse(self, kind: ProblemKind, message: str) -> RefusedError:
        return RefusedError(Problem(kind=kind, message=message, epoch=self._gate.store.state.epoch))

    def _accept(self, command: Command) -> None:
        """Refuse an epoch below the highest seen; keep the new highest on disk."""
        seen = self._gate.store.state.epoch
        if command.epoch < seen:
            raise self._refuse(
                ProblemKind.STALE_EPOCH, f"epoch {command.epoch} of {command.run} is stale, {seen} has been seen here"
            )
        self._gate.store.write(epoch=command.epoch)

    async def _record(self) -> Record:
        """Return the record; what it says counts as a look, so that a standby which is promoted now has a lease at once.

        Not for the leader itself, which must have renewed the Lease.
        """
        asked = now()
        record = await self._read_record()
        if record is None:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, "there is no leader record")
        member = self._gate.settings.member
        if record.leader != member and names(record, member):
            self._gate.lease.renew(asked)
        return record

    async def _read_record(self) -> Record | None:
        try:
            return await self._gate.api.record()
        except SILENT as error:
            raise self._refuse(ProblemKind.API_UNREACHABLE, f"the API server does not answer: {error}") from error
