"""The gate of one member: its parts, and what they share.

``gate.loop.loop`` decides and acts, ``gate.commands.http`` lets commands in between. One lock serialises decisions and the
commands that change who leads, for as long as those take; the leave is renewed beside it (``gate.loop.observation``).
Outside it run a checkpoint, which changes nothing, whatever copies or rewinds a directory (``gate.loop.work``), and the word
that one is to rejoin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from gate.api import GateStatus
from gate.lease.kube import ApiServer
from gate.lease.lease import Leave
from gate.lease.peers import Peers
from gate.lease.renewal import Renewal
from gate.lease.supervisor import Watchdog
from gate.loop import revert
from gate.loop.housekeeping import Duties
from gate.loop.observation import Outlook
from gate.loop.sampler import Sampler
from gate.loop.state import Store
from gate.loop.status import Portrait
from gate.loop.work import Work
from gate.postgres.configuration import write_configuration
from gate.postgres.controldata import ControlData, ProgramError, read_control
from gate.postgres.server import Server
from gate.postgres.sql import NOT_ANSWERING, Session
from gate.record import Record
from gate.settings import Settings


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

    def _hear_watcher(self, message: str) -> None:
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

    async def follow(self, leader: str) -> None:
        """Let a standby that runs receive WAL from ``leader``, wherever its pod is now."""
        await self.peers.locate(leader)
        self.configure(leader=leader)
        self.server.reload()

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
        (``gate.loop.revert``).
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
        """Stop the server cleanly: the pod is going away.

        One that the watcher, or somebody, has frozen is killed: it hears no signal, nobody will let it go on, and it must
        not outlive its gate.
        """
        self.log("asked to end: stops the server")
        self.watchdog.end()
        if self.server.frozen or not (await self.server.stop(within=50) or await self.server.stop(within=5, quick=True)):
            self.server.kill()
        for end in (self.api.close, self.peers.close):
            with contextlib.suppress(*NOT_ANSWERING):
                await end()
