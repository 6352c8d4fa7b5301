"""The gate of one member: its parts, and what they share.

``gate.loop.loop`` decides and acts, ``gate.commands.http`` lets commands in between. One lock serialises decisions and the
commands that change who leads, for as long as those take; the leadership lease is renewed beside it
(``gate.loop.observation``). Outside it run a checkpoint, which changes nothing, whatever copies or rewinds a directory
(``gate.loop.work``), and the command ``rejoin``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime
from functools import partial

import aiohttp

from gate.api import GateStatus, Role
from gate.lease.kube import ApiServer
from gate.lease.lease import Lease
from gate.lease.peers import Peers
from gate.lease.renewal import Renewal
from gate.lease.supervisor import Supervisor
from gate.loop import revert
from gate.loop.ahead import Ahead
from gate.loop.certificate import Certificate
from gate.loop.contents import ContentsLook
from gate.loop.handover import HandOver
from gate.loop.observation import Observer
from gate.loop.replication_recovery import ReplicationRecovery
from gate.loop.sampler import Sampler
from gate.loop.serving import Serving
from gate.loop.silent_standbys import SilentStandbys
from gate.loop.situation import Sample
from gate.loop.state import Store
from gate.loop.status import Status
from gate.loop.work import Work
from gate.postgres.catchup import CatchUp, received_lsn, receives_wal
from gate.postgres.clean_stop import CleanStop
from gate.postgres.controldata import ControlFile
from gate.postgres.least_settings import HeldUp
from gate.postgres.own_wal import OwnWal
from gate.postgres.server import Server
from gate.postgres.sql import NOT_ANSWERING, Session, checkpoint
from gate.postgres.synchronous import Synchronous, up_to_date
from gate.record import Record
from gate.settings import Settings


class Gate:
    """Everything of one member."""

    def __init__(self, settings: Settings) -> None:
        """Open the durable state.

        Raises:
            BlockingIOError: another gate holds the directory.
        """
        self.settings, self.store, self.lock, self.kick = settings, Store(settings.own), asyncio.Lock(), asyncio.Event()
        self.doing = "starting"
        self.record: Record | None = None
        self.lease, self.control, self.session = Lease.make(), ControlFile(settings), Session(settings)
        self.server, self.api = Server(settings, self.lease), ApiServer(settings)
        self.peers = Peers(settings, self.api)
        self.synchronous = Synchronous(settings, partial(checkpoint, settings), partial(up_to_date, self.session))
        self.own_wal, self.lacks = OwnWal(settings, self.control), ""
        self.held_up = HeldUp(self.session, self.control)
        self.clean_stop = CleanStop(self.server, self.session, self.log)
        self.serving = Serving(settings, self.store, self.server, self.peers, self.control, self.synchronous, self.log)
        self.ahead = Ahead(self.store, settings.peers)
        self.sampler = Sampler(settings, self.server, lambda: self.serving.following, self.ahead.mark)
        self.catch_up = CatchUp(
            partial(received_lsn, self.session), partial(receives_wal, self.session),
            lambda: self.sampler.facts.timeline, self.peers.statuses,
            self.serving.follow, self.log,
        )  # fmt: skip
        self.work = Work(settings, self.peers, self.control, self.say, self.kick.set)
        self.observer = Observer(self.api, self.peers, lambda: self.store.state.epoch, self._log_silence)
        self.supervisor = Supervisor(self.lease, settings.isolation_timeout, settings.data, self._hear_watchdog)
        self.renewal = Renewal(
            settings.member, self.lease, lambda: self.store.state.epoch, lambda: self.sampler.facts.role is Role.PRIMARY,
            lambda: self.sampler.facts.timeline or 0, self.api.renew, self.log,
        )  # fmt: skip
        self.recovery = ReplicationRecovery(settings, self.peers.status)
        self.figures = Status(settings, self.control)
        self.contents = ContentsLook(settings, lambda: self.sampler.facts.role is not None)
        self.silent = SilentStandbys(
            lambda: self.sampler.facts.followers,
            self.peers.answers,
            self.peers.is_there,
            lambda: self.sampler.sampled_at,
        )
        self.handover = HandOver(settings.hand_over_within, self.sample, self.log)
        self.certificate = Certificate(settings, self.server.reload, self.log)

    def log(self, message: str, **more: object) -> None:
        """Write one line for ``kubectl logs``."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "gate": self.settings.member, "what": message}
        print(json.dumps({**line, "epoch": self.store.state.epoch, **more}), file=sys.stdout, flush=True)  # noqa: T201

    def _hear_watchdog(self, message: str) -> None:
        self.log(message)
        self.kick.set()

    def _log_silence(self, what: str, why: str) -> None:
        if self.record is not None:
            self.log(what, why=why)

    def say(self, doing: str) -> None:
        """Say what is going on, once per change."""
        if doing != self.doing:
            self.doing = doing
            self.log(doing)

    def sample(self) -> Sample:
        """Return what is known at this moment."""
        settings, state, facts, control = self.settings, self.store.state, self.sampler.facts, self.control.last
        data, serving, server, observer = settings.data, self.serving, self.server, self.observer
        return Sample(
            member=settings.member, members=settings.members, state=state, server=server.state, role=facts.role,
            empty=not (data / "PG_VERSION").exists(), standby_signal=(data / "standby.signal").exists(),
            timeline=facts.timeline or (control.timeline if control else 0), following=serving.following,
            reverts=revert.is_pending(data, state), half_rewound=revert.half_rewound(settings),
            received=facts.receive_lsn, lacks=self.lacks,
            facts=facts, record=self.record, control=control, doing=self.doing, sessions=self.sampler.sessions,
            weak=self.sampler.weak, contents=self.contents.seen, certificate_ends_at=self.certificate.ends_at,
            closed=serving.closed, may_open=serving.may_open, has_moved=serving.has_moved,
            silent_seconds=server.silent_seconds, frozen=server.frozen, heard=observer.heard, asked=observer.asked,
        )  # fmt: skip

    @property
    def ready(self) -> bool:
        """Whether the pod counts as ready."""
        return self.figures.ready(self.sample())

    def status(self) -> GateStatus:
        """Return everything that this gate knows."""
        sample = self.sample()
        return self.figures.draw(sample, hands_over=self.handover.is_wanted(sample))

    async def shut_down(self) -> None:
        """Stop the server cleanly: the pod is going away.

        One that the watchdog, or somebody, has frozen is killed, also when that happens while it stops: it hears no signal,
        nobody will let it go on, and it must not outlive its gate.
        """
        self.log("asked to end: stops the server")
        await self.take_leave()
        self.supervisor.end()
        server, peers = self.server, self.settings.peers
        stopped = not server.frozen and await self.clean_stop.stop(peers, within=50, in_vain=lambda: server.frozen)
        if not stopped and (server.frozen or not await server.stop(within=5, quick=True)):
            server.kill()
        for end in (self.api.close, self.peers.close):
            with contextlib.suppress(*NOT_ANSWERING):
                await end()

    async def take_leave(self) -> None:
        """Let the leader go on without this standby before its server stops; one that does not answer is not waited for."""
        record = self.record
        if record is not None and record.leader != self.settings.member:
            try:
                await self.peers.leave(record.leader, self.store.state.epoch)
            except (aiohttp.ClientError, *NOT_ANSWERING) as error:
                self.log("ends without a word of the leader", leader=record.leader, why=str(error) or type(error).__name__)
