"""What commands of ``gate.api`` share: refuse an old epoch, keep a new one, read the record.

Only those that need the record read it: fence and revoke work without the API server.

Each command is durable before it acts and repeats safely at its epoch. Those that belong together share a class:
``gate.commands.fence``, ``gate.commands.promote``, ``gate.commands.revert``, ``gate.commands.join``.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gate.api import Command, GateStatus, Problem, ProblemKind
from gate.lease.kube import SILENT, ApiServer
from gate.lease.lease import Lease, now
from gate.lease.peers import Peers
from gate.lease.vouching import names
from gate.loop.sampler import Sampler
from gate.loop.serving import Serving
from gate.loop.state import Store
from gate.loop.work import Work
from gate.postgres.catchup import CatchUp
from gate.postgres.clean_stop import CleanStop
from gate.postgres.controldata import ControlFile
from gate.postgres.server import Server
from gate.postgres.sql import Session
from gate.postgres.synchronous import Synchronous
from gate.record import MalformedRecordError, Record, is_older
from gate.settings import Settings

_FURTHEST_AHEAD = 1000
"""A run's epoch is one or two above the record's, or one above what a gate has seen while an older record stood."""


class Context(Protocol):
    """What commands may use of the member that they act on, and nothing else."""

    settings: Settings
    store: Store
    lock: asyncio.Lock
    """Serialises decisions and the commands that change who leads."""
    kick: asyncio.Event
    """Lets the loop look at once."""
    lease: Lease
    server: Server
    clean_stop: CleanStop
    session: Session
    sampler: Sampler
    control: ControlFile
    catch_up: CatchUp
    record: Record | None
    """As it was read last."""
    api: ApiServer
    peers: Peers
    serving: Serving
    synchronous: Synchronous
    work: Work
    doing: str

    def log(self, message: str, **more: object) -> None:
        """Write one line for ``kubectl logs``."""

    def status(self) -> GateStatus:
        """Return everything that the gate knows."""


class RefusedError(Exception):
    """A command was refused."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Handler:
    """Base of what carries commands out."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def _refuse(self, kind: ProblemKind, message: str) -> RefusedError:
        return RefusedError(Problem(kind=kind, message=message, epoch=self._context.store.state.epoch))

    async def _accept(self, command: Command) -> None:
        """Refuse an epoch below the highest seen, or far above all that is known; keep the new highest on disk."""
        await self._must_be_near(command)
        seen = self._context.store.state.epoch
        if command.epoch < seen:
            raise self._refuse(
                ProblemKind.STALE_EPOCH, f"epoch {command.epoch} of {command.run} is stale, {seen} has been seen here"
            )
        self._context.store.write(epoch=command.epoch)

    async def _must_be_near(self, command: Command) -> None:
        """Refuse an epoch that no run can have come to: it would shut every later run out.

        The record is read only when the epoch is suspicious. Without the API server, or without a record, it is believed.
        """
        context = self._context
        known = max(context.record.epoch if context.record else 0, context.store.state.epoch)
        if command.epoch <= known + _FURTHEST_AHEAD:
            return
        try:
            record = await context.api.record()
        except (*SILENT, MalformedRecordError):
            return
        if record is not None and command.epoch > record.epoch + _FURTHEST_AHEAD:
            raise self._refuse(
                ProblemKind.RECORD_FORBIDS,
                f"epoch {command.epoch} of {command.run} is more than {_FURTHEST_AHEAD} above the record's {record.epoch}",
            )

    async def _record(self) -> Record:
        """Return the record; what it says counts as a look, so that a standby which is promoted now has a lease at once.

        Not for the leader itself, which must have renewed the Lease.
        """
        asked = now()
        record = await self._read_record()
        if record is None:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, "there is no leader record")
        member = self._context.settings.member
        is_current = not is_older(record, self._context.store.state.epoch)
        if is_current and record.leader != member and names(record, member):
            self._context.lease.renew(asked)
        return record

    async def _read_record(self) -> Record | None:
        try:
            return await self._context.api.record()
        except SILENT as error:
            raise self._refuse(ProblemKind.API_UNREACHABLE, f"the API server does not answer: {error}") from error
        except MalformedRecordError as error:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, str(error)) from error
