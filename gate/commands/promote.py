"""The command that lets a standby lead: once it has what it must have, and only while the record names it as candidate."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from gate.api import Command, GateStatus, ProblemKind, PromoteCommand, Promoted, Role, ServerState
from gate.commands.handler import Handler
from gate.postgres.catchup import BehindError
from gate.postgres.lsn import parse_lsn
from gate.postgres.sql import NOT_ANSWERING, next_xid

_PROMOTE_AGAIN_SECONDS = 0.05
_LOOK_AGAIN_SECONDS = 0.005
_REPLAY = "select pg_is_wal_replay_paused() as paused, coalesce(pg_last_wal_replay_lsn(), '0/0')::text as replayed"


class Promoting(Handler):
    """Takes the server out of recovery."""

    async def prepare(self, command: PromoteCommand) -> GateStatus:
        """Return once nothing is left that could keep this server from leading; changes nothing but the epoch seen.

        Asked while an undo is still a short way: from the promotion's acceptance on, only its end tells what has happened.
        """
        async with self._context.lock:
            await self._accept(command)
            if self._context.store.state.promoted_at != command.epoch:
                await self._may_promote(command)
            return self._context.status()

    async def promote(self, command: PromoteCommand) -> Promoted:
        """Leave recovery and lead."""
        context = self._context
        async with context.lock:
            await self._accept(command)
            if context.store.state.promoted_at != command.epoch:
                await self._may_promote(command)
                context.store.write(promoted_at=command.epoch, promoted_xid=await self._xid(), reverting=None)
            context.log("promote", run=command.run)
            if context.server.state is ServerState.STOPPED:
                return self._promoted_before(command)
            context.serving.open()
            return await self._promote(command, command.within_seconds)

    async def _xid(self) -> int | None:
        """Return the next transaction ID before the promotion; unknown must not hold the promotion up."""
        try:
            return await next_xid(self._context.session)
        except NOT_ANSWERING:
            return None

    def _promoted_before(self, command: Command) -> Promoted:
        """Answer for a server that was promoted at this epoch and has stopped since; the record will start it."""
        control = self._context.control.last
        if control is None or (self._context.settings.data / "standby.signal").exists():
            raise self._refuse(ProblemKind.NOT_SERVING, "the promotion was accepted, but the server is down in recovery")
        lsn, at = control.checkpoint_lsn, datetime.now(UTC)
        return Promoted(epoch=command.epoch, timeline=control.timeline, lsn=lsn, promoted_at=at, requests_sent=0)

    async def _may_promote(self, command: PromoteCommand) -> None:
        context, facts = self._context, self._context.sampler.facts
        if context.sampler.facts.role is not Role.STANDBY or context.server.state is not ServerState.RUNNING:
            raise self._refuse(ProblemKind.NOT_STANDBY, f"does not run as a standby: {context.doing}")
        if facts.system_identifier != command.system_identifier:
            raise self._refuse(
                ProblemKind.WRONG_SYSTEM, f"is system {facts.system_identifier}, not {command.system_identifier}"
            )
        record = await self._record()
        intent = record.intent
        if record.epoch != command.epoch or intent is None or intent.candidate != context.settings.member:
            raise self._refuse(
                ProblemKind.RECORD_FORBIDS,
                f"the record is at epoch {record.epoch} with intent {intent.candidate if intent else 'none'};"
                f" epoch {command.epoch} may not promote {context.settings.member}",
            )
        if command.at_least_lsn is not None:
            await self._must_have(command.at_least_lsn, command.within_seconds)
        if command.replayed and command.at_least_lsn is not None:
            await self._must_replay(command.at_least_lsn, command.within_seconds)
        if command.wanted_lsn is not None:
            await self._should_have(command.wanted_lsn)

    async def _must_have(self, wanted: str, within: float) -> None:
        try:
            await self._context.catch_up.to(wanted, within)
        except BehindError as error:
            raise self._refuse(ProblemKind.LSN_NOT_REACHED, str(error)) from error
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error

    async def _must_replay(self, wanted: str, within: float) -> None:
        """Refuse what is held up in replay: a promotion comes to its end only once everything received is replayed."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + within
        try:
            while True:
                row = await self._context.session.row(_REPLAY)
                if row["paused"]:
                    message = (
                        f"its replay of WAL is paused at {row['replayed']}: look into its log, or pg_wal_replay_resume()"
                    )
                    raise self._refuse(ProblemKind.LSN_NOT_REACHED, message)
                if parse_lsn(row["replayed"]) >= parse_lsn(wanted):
                    return
                if clock() > deadline:
                    raise self._refuse(ProblemKind.LSN_NOT_REACHED, f"has replayed {row['replayed']}, needs {wanted}")
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error

    async def _should_have(self, wanted: str) -> None:
        try:
            missing = await self._context.catch_up.while_it_comes(wanted)
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error
        if missing:
            self._context.log("leads without the end of the old primary's WAL", missing=missing)

    async def _promote(self, command: Command, within: float) -> Promoted:
        """Ask again every 50 ms: a request that meets the wait for the lost upstream would sleep up to five seconds."""
        session, clock = self._context.session, asyncio.get_running_loop()
        began, sent, next_send = clock.time(), 0, 0.0
        try:
            while (await session.row("select pg_is_in_recovery() as yes"))["yes"]:
                if clock.time() >= next_send:
                    await session.row("select case when pg_is_in_recovery() then pg_promote(false) end")
                    sent, next_send = sent + 1, clock.time() + _PROMOTE_AGAIN_SECONDS
                if clock.time() - began > within:
                    raise self._refuse(ProblemKind.NOT_SERVING, f"still in recovery after {within:g} s")
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            row = await session.row(
                "select pg_current_wal_lsn()::text as lsn,"
                " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline"
            )
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error
        await self._context.sampler.sample()
        self._context.kick.set()
        return Promoted(epoch=command.epoch, promoted_at=datetime.now(UTC), requests_sent=sent, **row)
