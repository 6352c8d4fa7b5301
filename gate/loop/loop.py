"""The gate's loop: looks, decides, acts, for ever.

A decision comes from ``gate.loop.decide`` and is carried out under the gate's lock. What goes wrong is said, and tried again
at the next turn: no fault of ours takes a serving database down.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from gate.api import Role, ServerState
from gate.lease.kube import SILENT, ConflictError
from gate.lease.lease import now
from gate.lease.vouching import Outside
from gate.loop import housekeeping, rejoin
from gate.loop.core import Gate
from gate.loop.decide import decide, heeded
from gate.loop.housekeeping import Effect
from gate.loop.replication_recovery import Recovery
from gate.loop.situation import Action, Decision, Sample
from gate.postgres import bootstrap
from gate.postgres.controldata import ProgramError
from gate.postgres.sql import NOT_ANSWERING, next_xid
from gate.postgres.stale_locks import clear_stale_locks
from gate.postgres.synchronous import Change
from gate.record import Record, is_older

_BUSY_POLL_SECONDS = 0.1
_LEADER_POLL_SECONDS = 0.15
"""A primary must hear of a claim soon: whoever takes a person's word that it is stopped waits little longer than this."""
_STOPS_WITHIN_SECONDS = 3.0
_STOPS_CLEANLY_WITHIN_SECONDS = 30.0
_STOPS_FOR_A_TURN_SECONDS = 0.5
"""A fenced server that goes on stopping is waited for a turn at a time: commands, such as an undo's, come in between."""
_SHOWS_WITHIN_SECONDS = 1.0
_STARTS = {Action.START_LEADER, Action.START_STANDBY, Action.START_REVERTED}


class Loop:
    """Of one gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._labelled: housekeeping.Label | None = None

    async def run(self) -> None:
        """Decide and act until cancelled."""
        gate = self._gate
        await clear_stale_locks(gate.settings)
        await gate.control.refresh()
        work = (
            gate.supervisor.run,
            gate.sampler.run,
            gate.figures.measure,
            gate.contents.run,
            gate.certificate.run,
            gate.silent.run,
            lambda: gate.observer.hear(gate.renewal.by_showing_itself),
        )
        background = [asyncio.create_task(self._for_ever(one)) for one in work]
        await gate.supervisor.watches.wait()
        try:
            while True:
                try:
                    async with gate.lock:
                        await self._step()
                except (ConflictError, ProgramError, rejoin.NotPossibleError, *SILENT, *NOT_ANSWERING) as error:
                    gate.say(f"tries again: {error or type(error).__name__}")
                except Exception as error:  # noqa: BLE001 - a fault of ours must not take a serving database down
                    self._log_fault(error)
                await self._pause()
        finally:
            gate.supervisor.end()
            for task in background:
                task.cancel()

    async def _for_ever(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do ``work``, which never ends by itself, anew whenever a fault of ours ends it."""
        while True:
            try:
                return await work()
            except Exception as error:  # noqa: BLE001 - without it the gate would go on blind
                self._log_fault(error)
            await asyncio.sleep(_BUSY_POLL_SECONDS)

    def _log_fault(self, error: Exception) -> None:
        self._gate.log("FAULT IN THE GATE, goes on", what_failed=traceback.format_exception(error)[-3:])

    async def _pause(self) -> None:
        gate = self._gate
        waiters = [asyncio.create_task(gate.kick.wait()), asyncio.create_task(gate.server.ended.wait())]
        await asyncio.wait(waiters, timeout=self._pause_seconds(), return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiters:
            waiter.cancel()
        if gate.server.ended.is_set():
            gate.server.ended.clear()
            await gate.control.refresh()
        gate.kick.clear()

    def _pause_seconds(self) -> float:
        gate, record = self._gate, self._gate.record
        settled = record is not None and record.intent is None and bool(record.sync_members)
        alone = gate.sampler.facts.role is Role.STANDBY and gate.sampler.facts.upstream is None
        if not settled or gate.server.state is not ServerState.RUNNING or alone:
            return _BUSY_POLL_SECONDS
        longest = gate.settings.poll_seconds
        return longest if gate.sampler.facts.role is Role.STANDBY else min(longest, _LEADER_POLL_SECONDS)

    async def _step(self) -> None:
        gate, asked = self._gate, now()
        outside = await self._look()
        gate.renewal.by_a_look(asked, outside)
        record = outside.record if outside.api_answers else None
        if record is not None:
            self._heed(record)
        if gate.work.is_going_on:
            return
        gate.work.collect()
        gate.lacks = await self._lacks(outside)
        sample = gate.sample()
        decision = decide(sample, outside)
        if gate.server.rests and decision.action in _STARTS:
            decision = Decision(
                Action.WAIT, "the server ended right after its start (see above); pauses before the next one"
            )
        if gate.handover.leaves(decision):
            decision = Decision(Action.WAIT, "is about to end")
        works = decision.action in {Action.REJOIN, Action.BASE_BACKUP}
        if works and gate.work.rests:
            return
        if not works:
            obstacle = gate.recovery.obstacle or _has_less(sample) if decision.action is Action.KEEP else ""
            gate.say(obstacle or decision.reason)
        await self._act(decision, outside)
        if record is not None and decision.action is Action.KEEP and not is_older(record, sample.state.epoch):
            for effect in housekeeping.due(sample, record, self._labelled):
                await self._carry_out(effect, sample, record)

    async def _look(self) -> Outside:
        """Look outside; with all there is to be known for a member that may be about to lead."""
        gate = self._gate
        if gate.server.state is ServerState.STOPPED:
            return await gate.observer.look(ask_peers=True, to_lead=True)
        outside = await gate.observer.look(ask_peers=False)
        if self._is_named(outside) and gate.sampler.facts.role is Role.STANDBY:
            return await gate.observer.look(ask_peers=True, to_lead=True)
        if gate.sampler.facts.role is Role.PRIMARY and not outside.peers:
            return replace(outside, peers=gate.observer.recent())
        return outside

    async def _lacks(self, outside: Outside) -> str:
        """Return what a stopped server lacks that is to lead. One that may be named later learns it while others answer."""
        gate = self._gate
        if gate.server.state is not ServerState.STOPPED or (gate.settings.data / "standby.signal").exists():
            return ""
        lacks = await gate.own_wal.lacks(outside.peers)
        return lacks if self._is_named(outside) else ""

    def _is_named(self, outside: Outside) -> bool:
        return outside.record is not None and outside.record.leader == self._gate.settings.member

    def _heed(self, record: Record) -> None:
        """Take over what the leader record says of epochs, fences and doors."""
        gate, member = self._gate, self._gate.settings.member
        route_left = gate.record is not None and gate.record.leader == member != record.leader
        if route_left and not is_older(record, gate.store.state.epoch):
            gate.serving.close_for_a_while()
        gate.record = record
        if changes := heeded(gate.store.state, member, record):
            gate.store.write(**changes)

    async def _act(self, decision: Decision, outside: Outside) -> None:
        gate, record = self._gate, outside.record
        match decision.action:
            case Action.STOP:
                await gate.clean_stop.stop(gate.settings.peers, within=_STOPS_FOR_A_TURN_SECONDS)
            case Action.STOP_NOW:
                await gate.server.stop_now(within=_STOPS_WITHIN_SECONDS)
            case Action.START_LEADER | Action.START_REVERTED:
                named = record is not None and record.leader == gate.settings.member
                await gate.serving.start(leader="", sync=record.sync_members if record and named else ())
            case Action.START_STANDBY:
                await gate.peers.locate(decision.leader)
                await gate.serving.start(leader=decision.leader)
            case Action.FOLLOW:
                await gate.serving.follow(decision.leader)
            case Action.PROMOTE_SELF:
                await self._promote_self()
            case Action.BOOTSTRAP:
                gate.record = await bootstrap.bootstrap(gate.settings, gate.api)
                await gate.control.refresh()
            case Action.BASE_BACKUP | Action.REJOIN if record is not None:
                await bootstrap.finish_bootstrap(gate.settings, record)
                gate.work.begin(gate.work.become_standby(decision, outside, record))
            case Action.WAIT:
                await bootstrap.finish_bootstrap(gate.settings, record)

    async def _promote_self(self) -> None:
        gate = self._gate
        await gate.sampler.sample()
        if gate.sampler.facts.role is Role.STANDBY:
            gate.store.write(promoted_xid=await next_xid(gate.session))
            await gate.session.row("select pg_promote(false)")

    async def _carry_out(self, effect: Effect, sample: Sample, record: Record) -> None:
        gate = self._gate
        match effect:
            case Effect.OPEN:
                gate.serving.open()
            case Effect.SYNCHRONISE:
                if (change := await gate.synchronous.tend(record, sample.facts.followers, gate.silent.seconds)) is not None:
                    await self._change(change, record)
            case Effect.FOLLOW:
                await gate.serving.follow(record.leader)
            case Effect.RECOVER if held_up := await gate.held_up.by():
                gate.say(f"replay is paused: {held_up}, its primary's; starts anew with these")
                await gate.take_leave()
                await gate.server.stop(within=_STOPS_CLEANLY_WITHIN_SECONDS)
            case Effect.RECOVER:
                asked_for = gate.store.state.rejoin_behind == record.leader
                if (recovery := await gate.recovery.tend(record, sample.facts, asked_for=asked_for)) is not None:
                    await self._recover(recovery, record)
            case Effect.FORGET_REJOIN:
                gate.store.write(rejoin_behind="")
            case Effect.LABEL if sample.facts.role is not None:
                await self._label(sample.facts.role, record)

    async def _change(self, change: Change, before: Record) -> None:
        """Write the record first, and let the server follow only once it is written.

        Nobody goes on to a later epoch by a record that is older than its Lease, where that one answers.
        """
        gate = self._gate
        if change.record is not None:
            if change.record.epoch > before.epoch:
                await self._show_that_it_is_latest(before)
            gate.record = await gate.api.write(change.record)
            gate.store.write(epoch=change.record.epoch)
        if change.names is not None:
            gate.serving.wait_for(change.names)
        gate.synchronous.carried_out(change)
        if change.record is not None:
            gate.log(change.message, before=before.sync, sync=change.record.sync)

    async def _show_that_it_is_latest(self, record: Record) -> None:
        """Renew the Lease by ``record``. ConflictError: it is of a later one. One that is not renewed soon says nothing."""
        with contextlib.suppress(*SILENT):
            async with asyncio.timeout(_SHOWS_WITHIN_SECONDS):
                await self._gate.api.renew(record)

    async def _recover(self, recovery: Recovery, record: Record) -> None:
        gate, leader = self._gate, recovery.leader
        gate.say(recovery.message)
        if await gate.server.stop(within=_STOPS_CLEANLY_WITHIN_SECONDS):
            gate.recovery.begun()
            gate.work.begin(gate.work.rewind(leader, record.epoch) if recovery.rewinds else gate.work.copy_anew(leader))

    async def _label(self, role: Role, record: Record) -> None:
        """Label the pod with its role, once per change."""
        try:
            await self._gate.api.label(role.value)
        except SILENT as error:
            self._gate.log("label not written", why=str(error))
            return
        self._labelled = role, record.leader, record.epoch


def _has_less(sample: Sample) -> str:
    """Return that a standby confirms what this leader has never written; empty when none does."""
    ahead = ", ".join(name for name in sample.state.ahead.split(",") if name)
    return f"LACKS ROWS THAT {ahead} HAS: this disk was set back; commits do not wait for that one" if ahead else ""
