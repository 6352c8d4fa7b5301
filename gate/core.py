"""The gate itself: looks, decides, acts, for ever; commands come in between.

One lock serialises decisions and the commands that change who leads. What takes long runs outside it: a checkpoint, which
changes nothing, and whatever copies or rewinds a directory (``gate.work``), which a command may ask for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import traceback
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gate import bootstrap, rejoin, revert
from gate.api import GateStatus, Role, ServerState
from gate.configuration import write_configuration
from gate.controldata import ControlData, ProgramError, read_control
from gate.decide import Action, Decision, Local, Outside, decide, fence_stands
from gate.duties import Duties
from gate.kube import SILENT, ApiServer, ConflictError
from gate.leave import Leave, now
from gate.leftover import clear_leftover
from gate.outlook import Outlook
from gate.peers import Peers
from gate.portrait import Portrait
from gate.record import Record
from gate.renewal import Renewal
from gate.sampler import Sampler
from gate.server import Server
from gate.settings import Settings
from gate.sql import NOT_ANSWERING, Session
from gate.state import Store
from gate.watchdog import Watchdog
from gate.work import Work

_BUSY_POLL_SECONDS = 0.1
_LEADER_POLL_SECONDS = 0.15
"""A primary must hear of a claim soon: whoever takes a person's word that it is stopped waits little longer than this."""
_STOPS_WITHIN_SECONDS = 3.0
_STARTS = {Action.START_LEADER, Action.START_STANDBY, Action.START_REVERTED}


class Gate:
    """Everything of one member."""

    def __init__(self, settings: Settings) -> None:
        """Open the durable state.

        Raises:
            BlockingIOError: another gate holds the directory.
        """
        self.settings = settings
        self.store = Store(settings.own)
        self.leave = Leave.make()
        self.server = Server(settings, self.leave)
        self.api = ApiServer(settings)
        self.peers = Peers(settings, self.api)
        self.sampler = Sampler(settings, self.server, lambda: self.following)
        self.control_session = Session(settings)
        self.lock = asyncio.Lock()
        self.kick = asyncio.Event()
        self.following = ""
        self.upstream_address: str | None = None
        """Where the server looks for the member that it follows; ``None``: by name."""
        self.doing = "starting"
        self.record: Record | None = None
        self.control: ControlData | None = None
        self.work = Work(self)
        self.outlook = Outlook(self.api, self.peers, self._log_silence)
        self.watchdog = Watchdog(self.leave, settings.isolation_timeout, settings.data, self._hear_watcher)
        self.renewal = Renewal(self)
        self.duties = Duties(self)
        self.portrait = Portrait(self)

    def log(self, message: str, **more: object) -> None:
        """Write one line for ``kubectl logs``."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "gate": self.settings.member, "what": message}
        print(json.dumps({**line, "epoch": self.store.state.epoch, **more}), file=sys.stdout, flush=True)  # noqa: T201

    async def run(self) -> None:
        """Decide and act until cancelled."""
        await clear_leftover(self.settings)
        await self.refresh_control()
        work = (
            self.watchdog.run,
            self.sampler.run,
            self.portrait.measure,
            lambda: self.outlook.hear(self.renewal.by_showing_itself),
        )
        background = [asyncio.create_task(self._for_ever(one)) for one in work]
        await self.watchdog.watches.wait()
        try:
            while True:
                try:
                    async with self.lock:
                        await self._step()
                except (ConflictError, ProgramError, rejoin.NotPossibleError, *SILENT, *NOT_ANSWERING) as error:
                    self.say(f"tries again: {error or type(error).__name__}")
                except Exception as error:  # noqa: BLE001 - a fault of ours must not take a serving database down
                    self._log_fault(error)
                await self._pause()
        finally:
            self.watchdog.end()
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
        self.log("FAULT IN THE GATE, goes on", what_failed=traceback.format_exception(error)[-3:])

    def _hear_watcher(self, message: str) -> None:
        self.log(message)
        self.kick.set()

    def _log_silence(self, what: str, why: str) -> None:
        if self.record is not None:
            self.log(what, why=why)

    async def _pause(self) -> None:
        waiters = [asyncio.create_task(self.kick.wait()), asyncio.create_task(self.server.ended.wait())]
        await asyncio.wait(waiters, timeout=self._pause_seconds(), return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiters:
            waiter.cancel()
        if self.server.ended.is_set():
            self.server.ended.clear()
            await self.refresh_control()
        self.kick.clear()

    def _pause_seconds(self) -> float:
        record = self.record
        settled = record is not None and record.intent is None and bool(record.sync_members)
        alone = self.sampler.role is Role.STANDBY and self.sampler.facts.get("upstream") is None
        if not settled or self.server.state is not ServerState.RUNNING or alone:
            return _BUSY_POLL_SECONDS
        longest = self.settings.poll_seconds
        return longest if self.sampler.role is Role.STANDBY else min(longest, _LEADER_POLL_SECONDS)

    def say(self, doing: str) -> None:
        """Say what is going on, once per change."""
        if doing != self.doing:
            self.doing = doing
            self.log(doing)

    async def _step(self) -> None:
        asked = now()
        outside = await self.outlook.look(ask_peers=self.server.state is ServerState.STOPPED)
        self.renewal.by_a_look(asked, outside)
        record = outside.record if outside.api_answers else None
        if record is not None:
            self._heed(record)
        if self.work.is_going_on:
            return
        self.work.collect()
        decision = decide(self._local(), outside)
        if self.server.rests and decision.action in _STARTS:
            decision = Decision(
                Action.WAIT, "the server ended right after its start (see above); pauses before the next attempt"
            )
        works = decision.action in {Action.REJOIN, Action.BASE_BACKUP}
        if works and self.work.rests:
            return
        if not works:
            complaint = self.duties.stuck.complaint if decision.action is Action.KEEP else ""
            self.say(complaint or decision.reason)
        await self._act(decision, outside)
        if record is not None and decision.action is Action.KEEP:
            await self.duties.tend(record)

    def _heed(self, record: Record) -> None:
        """Take over what the leader record says of epochs, fences and doors."""
        state, member = self.store.state, self.settings.member
        if self.record is not None and self.record.leader == member != record.leader:
            self.duties.close_for_a_while()
        self.record = record
        if record.epoch > state.epoch and record.intent is None:
            self.store.write(epoch=record.epoch)
        if state.fenced_at is not None and not fence_stands(state, member, record):
            self.store.write(fenced_at=None)
        if state.promoted_at is not None and record.leader != member and record.epoch > state.promoted_at:
            self.store.write(promoted_at=None, promoted_xid=None, reverting=None)
        if state.rejoin_behind and record.leader != state.rejoin_behind:
            self.store.write(rejoin_behind="")

    def _local(self) -> Local:
        data = self.settings.data
        control = self.control
        return Local(
            member=self.settings.member,
            members=self.settings.members,
            state=self.store.state,
            server=self.server.state,
            role=self.sampler.role,
            empty=not (data / "PG_VERSION").exists(),
            standby_signal=(data / "standby.signal").exists(),
            timeline=self.sampler.facts.get("timeline") or (control.timeline if control else 0),
            following=self.following,
            reverts=revert.is_pending(data, self.store.state),
            half_rewound=revert.half_rewound(self.settings),
        )

    async def _act(self, decision: Decision, outside: Outside) -> None:
        record = outside.record
        match decision.action:
            case Action.STOP:
                await self.server.stop(within=30)
            case Action.STOP_NOW:
                await self.server.stop_now(within=_STOPS_WITHIN_SECONDS)
            case Action.START_LEADER | Action.START_REVERTED:
                named = record is not None and record.leader == self.settings.member
                await self.start(leader="", sync=record.sync_members if record and named else ())
            case Action.START_STANDBY:
                await self.peers.locate(decision.leader)
                await self.start(leader=decision.leader)
            case Action.FOLLOW:
                await self.follow(decision.leader)
            case Action.PROMOTE_SELF:
                await self._promote_self()
            case Action.BOOTSTRAP:
                self.record = await bootstrap.bootstrap(self.settings, self.api)
                await self.refresh_control()
            case Action.BASE_BACKUP | Action.REJOIN if record is not None:
                await bootstrap.finish_bootstrap(self.settings, record)
                self.work.begin(self.work.become_standby(decision, outside, record))
            case Action.WAIT:
                await bootstrap.finish_bootstrap(self.settings, record)

    async def follow(self, leader: str) -> None:
        """Let a standby that runs receive WAL from ``leader``, wherever its pod is now."""
        await self.peers.locate(leader)
        self.configure(leader=leader)
        self.server.reload()

    async def _promote_self(self) -> None:
        await self.sampler.sample()
        if self.sampler.role is Role.STANDBY:
            self.store.write(promoted_xid=await self.next_xid())
            await self.control_session.row("select pg_promote(false)")

    async def checkpoint(self) -> None:
        """CHECKPOINT, which may take minutes, on a connection of its own. Raises as ``Session.row``."""
        session = Session(self.settings)
        try:
            await session.row("checkpoint", within=300)
        finally:
            await session.close()

    async def next_xid(self) -> int:
        """Return the running server's next transaction ID, in recovery as far as it has replayed."""
        return int((await self.control_session.row("select pg_snapshot_xmax(pg_current_snapshot())::text as xid"))["xid"])

    async def start(self, *, leader: str, sync: tuple[str, ...] = ()) -> None:
        """Start the server as a standby of ``leader``, or (empty) as what its directory is.

        A standby's directory is never started as a primary: it starts in recovery and is promoted onto a new timeline.
        Neither is one that is to lead again without what was written since, nor one whose promotion was cut short
        (``gate.revert``).
        """
        if leader or revert.is_pending(self.settings.data, self.store.state) or await self._was_cut_short():
            (self.settings.data / "standby.signal").touch()
        await self.server.start(self.configure(leader=leader, sync=sync))

    async def _was_cut_short(self) -> bool:
        """Whether a promotion ended in the middle, by the control file as it is now: what was read earlier may be old."""
        await self.refresh_control()
        cut_short = revert.was_cut_short(self.settings, self.control)
        if cut_short:
            self.log("ITS PROMOTION WAS CUT SHORT: goes through recovery again, onto a timeline of its own")
        return cut_short

    def configure(self, *, leader: str, sync: tuple[str, ...] = ()) -> Path:
        """Write the configuration of a server that follows ``leader``, or (empty) nobody; return its path."""
        self.following = leader
        if self.settings.durability == "strict" and not sync:  # a standby that is promoted must not begin without
            sync = self.settings.peers
        self.duties.synchronous.begin(sync)
        self.duties.closed = bool(leader) and self.duties.is_to_be_closed
        self.upstream_address = self.peers.known(leader)
        return write_configuration(
            self.settings,
            leader=leader,
            sync=sync,
            address=self.upstream_address,
            closed=self.duties.closed,
            reverts=not leader and revert.is_pending(self.settings.data, self.store.state),
        )

    async def refresh_control(self) -> None:
        """Read the control file again; what was known stays when it cannot be read."""
        with contextlib.suppress(ProgramError, KeyError):
            self.control = await read_control(self.settings.programs, self.settings.data)

    @property
    def ready(self) -> bool:
        """Whether the pod counts as ready."""
        return self.portrait.ready

    def status(self) -> GateStatus:
        """Return everything that this gate knows."""
        return self.portrait.draw()

    async def shut_down(self) -> None:
        """Stop the server cleanly: the pod is going away."""
        self.log("asked to end: stops the server")
        self.watchdog.end()
        if not await self.server.stop(within=50):
            await self.server.stop(within=5, quick=True)
        for end in (self.api.close, self.peers.close):
            with contextlib.suppress(*NOT_ANSWERING):
                await end()
