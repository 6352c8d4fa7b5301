"""Commands that end a server's leadership or give it back: checkpoint, fence, unfence, revoke."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from datetime import UTC, datetime

from gate.api import (
    Command,
    FenceCommand,
    Fenced,
    GateStatus,
    ProblemKind,
    Role,
    SealCommand,
    Sealed,
    ServerState,
)
from gate.commands.handler import Handler
from gate.loop import revert
from gate.postgres.controldata import CLEAN_PRIMARY, end_of_wal, newest_timeline
from gate.postgres.sql import NOT_ANSWERING, checkpoint
from gate.record import is_older

_SERVE_WITHIN_SECONDS = 90.0
_AT_ANY_PRICE_SECONDS = 2.0
_RECEIVER_LOOKS, _RECEIVER_LOOKS_BEFORE_ITS_END, _RECEIVER_LOOK_SECONDS = 200, 30, 0.01
_STOPS_BEFORE_UNFENCED_SECONDS = 0.2
"""A stop that hangs is no reason to let clients wait: then the server is killed, and started anew."""


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


class Fencing(Handler):
    """Stops the server so that it stays stopped, lets it serve again, and promises to hear no older command."""

    async def checkpoint(self, command: Command) -> GateStatus:
        """CHECKPOINT, outside the lock: it may take long and changes no role."""
        if command.epoch < self._context.store.state.epoch:
            await self._accept(command)
        if self._context.sampler.facts.role is not Role.PRIMARY:
            raise self._refuse(ProblemKind.NOT_PRIMARY, f"does not run as primary: {self._context.doing}")
        try:
            await checkpoint(self._context.settings)
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server did not checkpoint: {error}") from error
        return self._context.status()

    async def fence(self, command: FenceCommand) -> Fenced:
        """Stop the server and keep it stopped."""
        context = self._context
        async with context.lock:
            await self._accept(command)
            standing = context.store.state.fenced_at is not None
            if command.clean and not standing and context.sampler.facts.role is not Role.PRIMARY:
                raise self._refuse(ProblemKind.NOT_PRIMARY, f"does not run as primary: {context.doing}")
            context.store.write(fenced_at=command.epoch)
            context.log("fence", run=command.run)
            if not command.clean:
                await context.server.stop_now(within=_AT_ANY_PRICE_SECONDS)
            elif not await context.clean_stop.stop(
                command.wait_for or context.settings.peers, within=command.timeout_seconds
            ):
                raise self._refuse(
                    ProblemKind.NOT_SERVING, f"the server is still stopping after {command.timeout_seconds:g} s"
                )
            return await self._fenced(command)

    async def _fenced(self, command: FenceCommand) -> Fenced:
        context = self._context
        control = await context.control.read()
        clean = control.state == CLEAN_PRIMARY
        if command.clean and not clean:
            raise self._refuse(ProblemKind.UNCLEAN_STOP, f"the server is stopped but not cleanly: {control.state}")
        settings, end = context.settings, control.checkpoint_lsn
        if clean:
            end = end_of_wal(settings.data, control)
        return Fenced(
            epoch=command.epoch, clean=clean, timeline=control.timeline, checkpoint_lsn=control.checkpoint_lsn, end_lsn=end,
            sessions_ended=context.sampler.sessions or 0, stopped_at=datetime.now(UTC), next_xid=control.next_xid,
        )  # fmt: skip

    async def unfence(self, command: Command) -> GateStatus:
        """Lift the fence; answer once the server serves again."""
        context = self._context
        async with context.lock:
            await self._accept(command)
            record = await self._record()
            older = is_older(record, command.epoch)
            if older or record.leader != context.settings.member or record.intent is not None:
                raise self._refuse(
                    ProblemKind.RECORD_FORBIDS,
                    f"the record names {record.leader} at epoch {record.epoch}, intent {record.intent}: stays fenced",
                )
            await context.server.finish_stopping(within=_STOPS_BEFORE_UNFENCED_SECONDS)
            context.store.write(fenced_at=None)
            context.log("unfence", run=command.run)
        context.kick.set()
        deadline = asyncio.get_running_loop().time() + _SERVE_WITHIN_SECONDS
        while context.server.state is not ServerState.RUNNING or context.sampler.facts.role is not Role.PRIMARY:
            if asyncio.get_running_loop().time() > deadline:
                raise self._refuse(ProblemKind.NOT_SERVING, f"does not serve yet: {context.doing}")
            await asyncio.sleep(0.02)
        return context.status()

    async def revoke(self, command: SealCommand) -> Sealed:
        """Promise to ignore everything below the epoch; say whether a promotion may have taken effect."""
        context = self._context
        async with context.lock:
            await self._accept(command)
            accepted = context.store.state.promoted_at
            if accepted is not None and command.stop_unfinished and await self._is_unfinished():
                context.log("stops a promotion that has not come to its end", run=command.run)
                await context.server.stop_now(within=0)
            if command.stop_receiving and accepted is None:
                await self._stop_receiving()
            if accepted is not None and await self._never_happened():
                revert.forget(context.settings.data, context.store.state)
                context.store.write(promoted_at=None, promoted_xid=None, reverting=None)
                accepted = None
            context.log("seal", run=command.run, promoted=accepted is not None)
            return Sealed(epoch=command.epoch, promoted=accepted is not None, status=context.status())

    async def _stop_receiving(self) -> None:
        """Let go of the upstream; return once it is gone, with what was received in the next status.

        From then on no commit is acknowledged because this member has it, whoever still runs as primary.
        """
        context = self._context
        if context.server.state is ServerState.STOPPED or context.sampler.facts.role is Role.PRIMARY:
            return
        if context.sampler.facts.role is None:
            raise self._refuse(ProblemKind.NOT_SERVING, "the server does not say whether it receives WAL")
        try:
            await context.serving.follow("")
            for look in range(_RECEIVER_LOOKS):
                receivers = await context.session.rows("select pid from pg_stat_wal_receiver")
                if not receivers:
                    break
                if look == _RECEIVER_LOOKS_BEFORE_ITS_END:  # while replay is held up, nobody else tells it to end
                    _end(receivers[0]["pid"])
                await asyncio.sleep(_RECEIVER_LOOK_SECONDS)
            else:
                raise self._refuse(ProblemKind.NOT_SERVING, "its WAL receiver does not end")
        except NOT_ANSWERING as error:
            raise self._refuse(ProblemKind.NOT_SERVING, f"the server does not answer: {error}") from error
        await context.sampler.sample()

    async def _is_unfinished(self) -> bool:
        """Whether the server runs and does not say that it has left recovery."""
        context = self._context
        if context.server.state is ServerState.STOPPED or context.store.state.reverting is not None:
            return False
        try:
            return bool((await context.session.row("select pg_is_in_recovery() as yes", within=0.3))["yes"])
        except NOT_ANSWERING:
            return True

    async def _never_happened(self) -> bool:
        """Whether an accepted promotion provably did nothing: the server is down and still a standby on its timeline."""
        context = self._context
        if context.server.state is not ServerState.STOPPED:
            return False
        data = context.settings.data
        control = await context.control.read()
        if context.store.state.reverting is not None:
            return revert.is_pending(data, context.store.state)
        standby = (data / "standby.signal").exists() and control.state != "in production"
        return standby and newest_timeline(data) <= control.timeline
