"""What people's procedures may ask of a gate. Each command is durable before it acts and repeats safely at its epoch."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from gate import adoption, revert
from gate.api import (
    AdoptCommand,
    Adopted,
    Command,
    FenceCommand,
    Fenced,
    GateStatus,
    Problem,
    ProblemKind,
    PromoteCommand,
    Promoted,
    Role,
    Sealed,
    ServerState,
)
from gate.catchup import BehindError, catch_up, wait_while_it_comes
from gate.controldata import CLEAN_PRIMARY, end_of_wal, newest_timeline, read_control
from gate.core import Gate
from gate.kube import SILENT
from gate.leave import now
from gate.outlook import names
from gate.record import Record
from gate.sql import NOT_ANSWERING

_PROMOTE_AGAIN_SECONDS = 0.05
_LOOK_AGAIN_SECONDS = 0.005
_PROMOTE_WITHIN_SECONDS = 60.0
_SERVE_WITHIN_SECONDS = 90.0
_AT_ANY_PRICE_SECONDS = 2.0


class RefusedError(Exception):
    """A command was refused."""

    def __init__(self, problem: Problem) -> None:
        """Carry what is answered."""
        super().__init__(problem.message)
        self.problem = problem


class Commands:
    """The commands of ``gate.api``."""

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

    async def checkpoint(self, command: Command) -> GateStatus:
        """CHECKPOINT, outside the lock: it may take long and changes no role."""
        if command.epoch < self._gate.store.state.epoch:
            self._accept(command)
        if self._gate.sampler.role is not Role.PRIMARY:
            raise self._refuse(ProblemKind.NOT_PRIMARY, f"does not run as primary: {self._gate.doing}")
        try:
            await self._gate.checkpoint()
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server did not checkpoint: {error}") from error
        return self._gate.status()

    async def fence(self, command: FenceCommand) -> Fenced:
        """Stop the server and keep it stopped."""
        gate = self._gate
        async with gate.lock:
            self._accept(command)
            standing = gate.store.state.fenced_at is not None
            if command.clean and not standing and gate.sampler.role is not Role.PRIMARY:
                raise self._refuse(ProblemKind.NOT_PRIMARY, f"does not run as primary: {gate.doing}")
            gate.store.write(fenced_at=command.epoch)
            gate.log("fence", run=command.run)
            if not command.clean:
                await gate.server.stop_now(within=_AT_ANY_PRICE_SECONDS)
            elif not await gate.server.stop(within=command.timeout_seconds):
                raise self._refuse(
                    ProblemKind.NOT_SERVING, f"the server is still stopping after {command.timeout_seconds:g} s"
                )
            return await self._fenced(command)

    async def _fenced(self, command: FenceCommand) -> Fenced:
        gate = self._gate
        control = gate.control = await read_control(gate.settings.programs, gate.settings.data)
        clean = control.state == CLEAN_PRIMARY
        if command.clean and not clean:
            raise self._refuse(ProblemKind.UNCLEAN_STOP, f"the server is stopped but not cleanly: {control.state}")
        end = await end_of_wal(gate.settings.programs, gate.settings.data, control) if clean else control.checkpoint_lsn
        return Fenced(
            epoch=command.epoch,
            clean=clean,
            timeline=control.timeline,
            checkpoint_lsn=control.checkpoint_lsn,
            end_lsn=end,
            sessions_ended=gate.sampler.sessions or 0,
            stopped_at=datetime.now(UTC),
            next_xid=control.next_xid,
        )

    async def unfence(self, command: Command) -> GateStatus:
        """Lift the fence; answer once the server serves again."""
        gate = self._gate
        async with gate.lock:
            self._accept(command)
            record = await self._record()
            if record.leader != gate.settings.member or record.intent is not None:
                raise self._refuse(
                    ProblemKind.RECORD_FORBIDS, f"the record names {record.leader}, intent {record.intent}: stays fenced"
                )
            gate.store.write(fenced_at=None)
            gate.log("unfence", run=command.run)
        gate.kick.set()
        deadline = asyncio.get_running_loop().time() + _SERVE_WITHIN_SECONDS
        while gate.server.state is not ServerState.RUNNING or gate.sampler.role is not Role.PRIMARY:
            if asyncio.get_running_loop().time() > deadline:
                raise self._refuse(ProblemKind.NOT_SERVING, f"does not serve yet: {gate.doing}")
            await asyncio.sleep(0.02)
        return gate.status()

    async def seal(self, command: Command) -> Sealed:
        """Promise to ignore everything below the epoch; say whether a promotion may have taken effect."""
        gate = self._gate
        async with gate.lock:
            self._accept(command)
            accepted = gate.store.state.promoted_at
            if accepted is not None and await self._never_happened():
                revert.forget(gate.settings.data, gate.store.state)
                gate.store.write(promoted_at=None, promoted_xid=None, reverting=None)
                accepted = None
            gate.log("seal", run=command.run, promoted=accepted is not None)
            return Sealed(epoch=command.epoch, promoted=accepted is not None, status=gate.status())

    async def _never_happened(self) -> bool:
        """Whether an accepted promotion provably did nothing: the server is down and still a standby on its timeline."""
        gate = self._gate
        if gate.server.state is not ServerState.STOPPED:
            return False
        data = gate.settings.data
        control = gate.control = await read_control(gate.settings.programs, data)
        if gate.store.state.reverting is not None:
            return revert.is_pending(data, gate.store.state)
        standby = (data / "standby.signal").exists() and control.state != "in production"
        return standby and newest_timeline(data) <= control.timeline

    async def promote(self, command: PromoteCommand) -> Promoted:
        """Leave recovery and lead."""
        gate = self._gate
        async with gate.lock:
            self._accept(command)
            if gate.store.state.promoted_at != command.epoch:
                await self._may_promote(command)
                gate.store.write(promoted_at=command.epoch, promoted_xid=await self._xid(), reverting=None)
            gate.log("promote", run=command.run)
            if gate.server.state is ServerState.STOPPED:
                return self._promoted_before(command)
            gate.duties.open()
            return await self._promote(command)

    async def _xid(self) -> int | None:
        """Return the next transaction ID before the promotion; unknown must not hold the promotion up."""
        try:
            return await self._gate.next_xid()
        except NOT_ANSWERING:
            return None

    def _promoted_before(self, command: Command) -> Promoted:
        """Answer for a server that was promoted at this epoch and has stopped since; the record will start it."""
        control = self._gate.control
        if control is None or (self._gate.settings.data / "standby.signal").exists():
            raise self._refuse(ProblemKind.NOT_SERVING, "the promotion was accepted, but the server is down in recovery")
        return Promoted(
            epoch=command.epoch,
            timeline=control.timeline,
            lsn=control.checkpoint_lsn,
            promoted_at=datetime.now(UTC),
            requests_sent=0,
        )

    async def _may_promote(self, command: PromoteCommand) -> None:
        gate, facts = self._gate, self._gate.sampler.facts
        if gate.sampler.role is not Role.STANDBY or gate.server.state is not ServerState.RUNNING:
            raise self._refuse(ProblemKind.NOT_STANDBY, f"does not run as a standby: {gate.doing}")
        if facts.get("system_identifier") != command.system_identifier:
            raise self._refuse(
                ProblemKind.WRONG_SYSTEM, f"is system {facts.get('system_identifier')}, not {command.system_identifier}"
            )
        record = await self._record()
        intent = record.intent
        if record.epoch != command.epoch or intent is None or intent.candidate != gate.settings.member:
            raise self._refuse(
                ProblemKind.RECORD_FORBIDS,
                f"the record is at epoch {record.epoch} with intent {intent.candidate if intent else 'none'};"
                f" epoch {command.epoch} may not promote {gate.settings.member}",
            )
        if command.at_least_lsn is not None:
            await self._must_have(command.at_least_lsn)
        if command.wanted_lsn is not None:
            await self._should_have(command.wanted_lsn)

    async def _must_have(self, wanted: str) -> None:
        try:
            await catch_up(self._gate, wanted)
        except BehindError as error:
            raise self._refuse(ProblemKind.LSN_NOT_REACHED, str(error)) from error
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error

    async def _should_have(self, wanted: str) -> None:
        try:
            missing = await wait_while_it_comes(self._gate, wanted)
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error
        if missing:
            self._gate.log("leads without the end of the old primary's WAL", missing=missing)

    async def _promote(self, command: Command) -> Promoted:
        """Ask again every 50 ms: a request that meets the wait for the lost upstream would sleep up to five seconds."""
        session, clock = self._gate.control_session, asyncio.get_running_loop()
        began, sent, next_send = clock.time(), 0, 0.0
        try:
            while (await session.row("select pg_is_in_recovery() as yes"))["yes"]:
                if clock.time() >= next_send:
                    await session.row("select case when pg_is_in_recovery() then pg_promote(false) end")
                    sent, next_send = sent + 1, clock.time() + _PROMOTE_AGAIN_SECONDS
                if clock.time() - began > _PROMOTE_WITHIN_SECONDS:
                    raise self._refuse(ProblemKind.NOT_SERVING, f"still in recovery after {_PROMOTE_WITHIN_SECONDS:g} s")
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            row = await session.row(
                "select pg_current_wal_lsn()::text as lsn,"
                " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline"
            )
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error
        await self._gate.sampler.sample()
        self._gate.kick.set()
        return Promoted(epoch=command.epoch, promoted_at=datetime.now(UTC), requests_sent=sent, **row)

    async def adopt(self, command: AdoptCommand) -> Adopted:
        """Prepare a directory that has run without a gate; the server stays stopped until the record names this member."""
        gate = self._gate
        async with gate.lock:
            self._accept(command)
            try:
                control = await adoption.must_be_adoptable(gate.settings, command.system_identifier)
                await self._may_be_adopted()
                gate.log("adopt", run=command.run, was=control.state)
                return await adoption.prepare(gate.settings, command.epoch)
            except adoption.NotAdoptableError as error:
                raise self._refuse(error.kind, str(error)) from error
            except NOT_ANSWERING as error:
                raise self._refuse(ProblemKind.NOT_SERVING, f"the server did not serve: {error or 'too late'}") from error

    async def _may_be_adopted(self) -> None:
        """Return if nobody leads yet and nothing runs here."""
        gate = self._gate
        try:
            record = await gate.api.record()
        except SILENT as error:
            raise self._refuse(ProblemKind.API_UNREACHABLE, f"the API server does not answer: {error}") from error
        if record is not None:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, f"there is a leader record already, it names {record.leader}")
        if gate.server.state is not ServerState.STOPPED:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, f"the server is {gate.server.state}: end its pod first")

    async def rejoin(self, command: Command) -> GateStatus:
        """Look at the record now, and follow its leader even if automatic rejoin is paused; answers at once."""
        self._accept(command)
        record = await self._record()
        if record.epoch > command.epoch:
            raise self._refuse(ProblemKind.STALE_EPOCH, f"epoch {command.epoch} is stale, the record is at {record.epoch}")
        if record.leader != self._gate.settings.member:
            self._gate.store.write(rejoin_behind=record.leader)
        self._gate.kick.set()
        return self._gate.status()

    async def _record(self) -> Record:
        """Return the record; what it says counts as a look, so that a standby which is promoted now has leave at once.

        Not for the leader itself, which must have renewed the Lease.
        """
        asked = now()
        try:
            record = await self._gate.api.record()
        except SILENT as error:
            raise self._refuse(ProblemKind.API_UNREACHABLE, f"the API server does not answer: {error}") from error
        if record is None:
            raise self._refuse(ProblemKind.RECORD_FORBIDS, "there is no leader record")
        member = self._gate.settings.member
        if record.leader != member and names(record, member):
            self._gate.leave.renew(asked)
        return record
