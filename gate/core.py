"""The gate itself: looks, decides, acts, for ever; commands come in between, never at the same time as a decision.

One lock serialises decisions and commands. Only a rejoin runs outside it, since it may take hours and the server is
stopped meanwhile: a command that needs the server is refused then, a seal is still answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import time
import traceback
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from gate import bootstrap, rejoin
from gate.api import GateStatus, Role, ServerState
from gate.configuration import write_configuration
from gate.controldata import ControlData, ProgramError, read_control
from gate.decide import Action, Decision, Local, Outside, decide, fence_stands
from gate.kube import SILENT, ApiServer, ConflictError
from gate.leftover import clear_leftover
from gate.peers import Peers
from gate.record import MalformedRecordError, Record
from gate.sampler import Sampler
from gate.server import Server
from gate.settings import Settings
from gate.sql import NOT_ANSWERING, Session
from gate.starvation import Starvation, oldest_wal
from gate.state import Store
from gate.synchronous import Synchronous

_BUSY_POLL_SECONDS = 0.1
_READY_HOLD_SECONDS = 60.0


class Gate:
    """Everything of one member."""

    def __init__(self, settings: Settings) -> None:
        """Open the durable state.

        Raises:
            BlockingIOError: another gate holds the directory.
        """
        self.settings = settings
        self.store = Store(settings.own)
        self.server = Server(settings)
        self.api = ApiServer(settings)
        self.peers = Peers(settings)
        self.sampler = Sampler(settings, self.server, lambda: self.following)
        self.control_session = Session(settings)
        self.lock = asyncio.Lock()
        self.kick = asyncio.Event()
        self.following = ""
        self.doing = "starting"
        self.record: Record | None = None
        self.control: ControlData | None = None
        self._work: asyncio.Task[None] | None = None
        self._heard_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._ready, self._held_since = False, 0.0
        self._told: tuple[Role, str, int] | None = None
        self._closed_until, self._closed = 0.0, False
        self._sizes = (0, 0)
        self._oldest_wal: str | None = None
        self.synchronous = Synchronous(self)
        self.starvation = Starvation(self)

    def log(self, message: str, **more: object) -> None:
        """Write one line for ``kubectl logs``."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "gate": self.settings.member, "what": message}
        print(json.dumps({**line, "epoch": self.store.state.epoch, **more}), file=sys.stdout, flush=True)  # noqa: T201

    async def run(self) -> None:
        """Decide and act until cancelled."""
        await clear_leftover(self.settings)
        await self._refresh_control()
        background = [asyncio.create_task(work) for work in (self.sampler.run(), self._measure_sizes())]
        try:
            while True:
                try:
                    async with self.lock:
                        await self._step()
                except (ConflictError, ProgramError, rejoin.NotPossibleError, *SILENT, *NOT_ANSWERING) as error:
                    self.say(f"tries again: {error or type(error).__name__}")
                except Exception as error:  # noqa: BLE001 - a fault of ours must not take a serving database down
                    self.log("FAULT IN THE GATE, goes on", what_failed=traceback.format_exception(error)[-3:])
                await self._pause()
        finally:
            for task in background:
                task.cancel()

    async def _pause(self) -> None:
        waiters = [asyncio.create_task(self.kick.wait()), asyncio.create_task(self.server.ended.wait())]
        await asyncio.wait(waiters, timeout=self._pause_seconds(), return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiters:
            waiter.cancel()
        if self.server.ended.is_set():
            self.server.ended.clear()
            await self._refresh_control()
        self.kick.clear()

    def _pause_seconds(self) -> float:
        settled = self.server.state is ServerState.RUNNING and self.record is not None and self.record.intent is None
        settled = settled and self.record is not None and bool(self.record.sync_members)
        return self.settings.poll_seconds if settled else _BUSY_POLL_SECONDS

    def say(self, doing: str) -> None:
        """Say what is going on, once per change."""
        if doing != self.doing:
            self.doing = doing
            self.log(doing)

    async def _step(self) -> None:
        outside = await self._look_outside()
        if self._isolated(outside):
            return await self._stop_isolated()
        record = outside.record if outside.api_answers else None
        if record is not None:
            self._heed(record)
        if self._work is not None and not self._work.done():
            return None
        self._collect_work()
        decision = decide(self._local(), outside)
        if self.server.rests and decision.action in {Action.START_LEADER, Action.START_STANDBY}:
            decision = Decision(
                Action.WAIT, "the server ended right after its start (see above); pauses before the next attempt"
            )
        if decision.action not in {Action.REJOIN, Action.BASE_BACKUP}:
            self.say(decision.reason)
        await self._act(decision, outside)
        if record is not None and decision.action is Action.KEEP:
            await self._tend(record)
        return None

    def _heed(self, record: Record) -> None:
        """Take over what the leader record says of epochs, fences and doors."""
        state, member = self.store.state, self.settings.member
        if self.record is not None and self.record.leader == member != record.leader:
            self._closed_until = time.monotonic() + self.settings.closed_after_route
        self.record = record
        if record.epoch > state.epoch and record.intent is None:
            self.store.write(epoch=record.epoch)
        if state.fenced_at is not None and not fence_stands(state, member, record):
            self.store.write(fenced_at=None)
        if state.promoted_at is not None and record.leader != member and record.epoch > state.promoted_at:
            self.store.write(promoted_at=None)

    async def _tend(self, record: Record) -> None:
        """Small duties of a settled member: its door, synchronous replication, mirror, label."""
        if time.monotonic() > self._closed_until:
            self.open_to_applications()
        if record.leader == self.settings.member and self.sampler.role is Role.PRIMARY and record.intent is None:
            await self.synchronous.tend(record)
        if record.leader != self.settings.member and record.intent is None:
            await self.starvation.tend(record)
        if record.intent is None and self.sampler.role is not None:
            await self._tell(record, self.sampler.role)

    async def _tell(self, record: Record, role: Role) -> None:
        """Label the pod with its role and, as leader, let the Lease mirror the record; once per change."""
        told = (role, record.leader, record.epoch)
        if told == self._told:
            return
        try:
            await self.api.label(role.value)
            if role is Role.PRIMARY:
                await self.api.mirror(record)
        except SILENT as error:
            self.log("label or mirror not written", why=str(error))
            return
        self._told = told

    def open_to_applications(self) -> None:
        """End the time in which a former primary turns applications away. Safe to repeat."""
        self._closed_until = 0.0
        if self._closed:
            self._configure(leader=self.following, sync=self.synchronous.names)
            self.server.reload()
            self.log("open to applications")

    async def _look_outside(self) -> Outside:
        record, answers = None, True
        try:
            record = await self.api.record()
        except (*SILENT, MalformedRecordError) as error:
            answers = False
            self.log("the API server does not answer", why=str(error)) if self.record else None
        need_peers = not answers or record is None or self.server.state is ServerState.STOPPED
        peers = await self.peers.statuses() if need_peers else {}
        if answers or any(peers.values()):
            self._heard_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        mirror = await self.api.has_mirror() if answers and record is None else False
        return Outside(api_answers=answers, record=record, mirror=mirror, peers=peers)

    def _isolated(self, outside: Outside) -> bool:
        silent = time.clock_gettime(time.CLOCK_BOOTTIME) - self._heard_at
        heard = outside.api_answers or any(outside.peers.values())
        return not heard and self.sampler.role is Role.PRIMARY and silent > self.settings.isolation_timeout

    async def _stop_isolated(self) -> None:
        self.say(f"ISOLATED for over {self.settings.isolation_timeout:g} s: stops so that nobody writes here")
        if not await self.server.stop(within=5):
            await self.server.stop(within=5, quick=True)

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
        )

    async def _act(self, decision: Decision, outside: Outside) -> None:
        record = outside.record
        match decision.action:
            case Action.STOP:
                await self.server.stop(within=30)
            case Action.START_LEADER:
                await self.start(leader="", sync=record.sync_members if record else ())
            case Action.START_STANDBY:
                await self.start(leader=decision.leader)
            case Action.FOLLOW:
                self._configure(leader=decision.leader)
                self.server.reload()
            case Action.PROMOTE_SELF:
                await self.sampler.sample()
                if self.sampler.role is Role.STANDBY:
                    await self.control_session.row("select pg_promote(false)")
            case Action.BOOTSTRAP:
                self.record = await bootstrap.bootstrap(self.settings, self.api)
                await self._refresh_control()
            case Action.BASE_BACKUP | Action.REJOIN if record is not None:
                await bootstrap.finish_bootstrap(self.settings, record)
                self.begin(self._become_standby(decision, outside, record))
            case Action.WAIT:
                await bootstrap.finish_bootstrap(self.settings, record)

    async def start(self, *, leader: str, sync: tuple[str, ...] = ()) -> None:
        """Start the server as a standby of ``leader``, or (empty) as what its directory is.

        A standby's directory is never started as a primary: it starts in recovery and is promoted onto a new timeline.
        """
        if leader:
            (self.settings.data / "standby.signal").touch()
        await self.server.start(self._configure(leader=leader, sync=sync))

    def _configure(self, *, leader: str, sync: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - a path
        self.following = leader
        self.synchronous.names = sync
        self._closed = bool(leader) and time.monotonic() < self._closed_until
        return write_configuration(self.settings, leader=leader, sync=sync, closed=self._closed)

    async def _become_standby(self, decision: Decision, outside: Outside, record: Record) -> None:
        if decision.action is Action.BASE_BACKUP and self.settings.data.exists():
            return
        leader = outside.peers.get(decision.leader)
        if leader is None or leader.role is not Role.PRIMARY:
            self.say(f"waits for {decision.leader} to lead before following it")
            await asyncio.sleep(0.1)
            return
        await self._refresh_control()
        if decision.action is Action.BASE_BACKUP:
            await self.copy_anew(leader)
            return
        await rejoin.rejoin(self.settings, self.peers, leader, record.epoch, self.say)
        await self._refresh_control()

    async def copy_anew(self, leader: GateStatus) -> None:
        """Replace this member's directory by a copy of ``leader``; the server is stopped."""
        await rejoin.base_backup(self.settings, leader, self.say)
        await self._refresh_control()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work``, for which the server is stopped; nothing is decided until it is done."""
        self._work = asyncio.create_task(work)
        self._work.add_done_callback(lambda _: self.kick.set())

    def _collect_work(self) -> None:
        work, self._work = self._work, None
        if work is not None and not work.cancelled() and work.exception() is not None:
            self.log("rejoin failed; tries again", why=str(work.exception()))

    async def _refresh_control(self) -> None:
        with contextlib.suppress(ProgramError, KeyError):
            self.control = await read_control(self.settings.programs, self.settings.data)

    async def _measure_sizes(self) -> None:
        while True:
            sizes = await asyncio.to_thread(
                lambda: (rejoin.folder_bytes(self.settings.data), rejoin.kept_bytes(self.settings))
            )
            self._sizes = sizes
            if self.control is not None:
                self._oldest_wal = await asyncio.to_thread(oldest_wal, self.settings.data, self.control.segment_bytes)
            await asyncio.sleep(10)

    @property
    def ready(self) -> bool:
        """Whether the pod counts as ready.

        While a switch is under way readiness keeps its last value, for a minute at most: the old primary is stopped and the
        candidate has lost its upstream, and an endpoint change right before the route's would make kube-proxy wait out its
        minimum sync period.
        """
        claimed = self.record is not None and self.record.intent is not None
        if self.store.state.fenced_at is not None or claimed:
            self._held_since = self._held_since or time.monotonic()
            if time.monotonic() - self._held_since < _READY_HOLD_SECONDS:
                return self._ready
        else:
            self._held_since = 0.0
        streaming = self.sampler.role is Role.STANDBY and self.sampler.facts.get("upstream") is not None
        leads = self.sampler.role is Role.PRIMARY
        self._ready = self.server.state is ServerState.RUNNING and (leads or streaming) and not self._closed
        return self._ready

    def status(self) -> GateStatus:
        """Return everything that this gate knows."""
        state, control = self.store.state, self.control
        facts: dict[str, Any] = {
            "system_identifier": control.system_identifier if control else None,
            "timeline": control.timeline if control else None,
            **(self.sampler.facts if self.server.state is not ServerState.STOPPED else {}),
        }
        return GateStatus(
            member=self.settings.member,
            at=datetime.now(UTC),
            epoch=state.epoch,
            fenced_at_epoch=state.fenced_at,
            promoted_at_epoch=state.promoted_at,
            server=self.server.state,
            role=self.sampler.role if self.server.state is not ServerState.STOPPED else None,
            doing=self.doing,
            ready=self.ready,
            control_state=control.state if control else None,
            checkpoint_lsn=control.checkpoint_lsn if control else None,
            empty=not (self.settings.data / "PG_VERSION").exists(),
            disk_free_bytes=shutil.disk_usage(self.settings.directory).free,
            data_bytes=self._sizes[0],
            kept_aside_bytes=self._sizes[1],
            oldest_wal=self._oldest_wal,
            **facts,
        )

    async def shut_down(self) -> None:
        """Stop the server cleanly: the pod is going away."""
        self.log("asked to end: stops the server")
        if not await self.server.stop(within=50):
            await self.server.stop(within=5, quick=True)
        for end in (self.api.close, self.peers.close):
            with contextlib.suppress(*NOT_ANSWERING):
                await end()
