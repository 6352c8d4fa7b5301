"""One PostgreSQL server and its gate, in memory: what is durable, what runs, and what its status says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gate.api import Follower, GateStatus, Role, ServerState
from gate.decide import Local
from gate.lsn import format_lsn
from gate.state import State

if TYPE_CHECKING:
    from tests.fakes.world import World

SYSTEM = "7300000000000000001"
RECORD_BYTES = 0x100


@dataclass
class Member:
    """A member; the fields are turned by tests to make it unfit."""

    name: str
    role: Role | None = Role.STANDBY
    server: ServerState = ServerState.RUNNING
    following: str = ""
    standby_signal: bool = True
    timeline: int = 1
    position: int = 0x3000000
    """End of WAL (primary) or WAL received (standby)."""
    state: State = field(default_factory=State)
    """Survives everything, as the gate's file does."""
    rows: set[tuple[str, int]] = field(default_factory=set)
    alive: bool = True
    """The pod: gate and server."""
    streams: bool = True
    asynchronous: bool = False
    lag_bytes: int | None = 0
    disk_free: int = 10 * 2**30
    system: str = SYSTEM
    stops_uncleanly: bool = False

    @property
    def writes(self) -> bool:
        """Whether a COMMIT would return here."""
        return self.alive and self.server is ServerState.RUNNING and self.role is Role.PRIMARY

    @property
    def stands_by(self) -> bool:
        """Whether it runs as a standby."""
        return self.alive and self.server is ServerState.RUNNING and self.role is Role.STANDBY

    def remember(self, **changes: int | None) -> None:
        """Change the durable state."""
        self.state = self.state.model_copy(update=changes)

    def start(self, role: Role, following: str = "") -> None:
        """Run as ``role``."""
        self.server, self.role, self.following = ServerState.RUNNING, role, following
        self.standby_signal = role is Role.STANDBY

    def stop(self) -> None:
        """Stop the server; the gate stays."""
        self.server, self.role = ServerState.STOPPED, None

    def local(self, members: tuple[str, ...]) -> Local:
        """Return what the gate's decision is made from."""
        return Local(
            member=self.name,
            members=members,
            state=self.state,
            server=self.server,
            role=self.role,
            empty=False,
            standby_signal=self.standby_signal,
            timeline=self.timeline,
            following=self.following,
        )

    def status(self, world: World) -> GateStatus:
        """Return what the gate answers."""
        standby, fenced = self.stands_by, self.state.fenced_at is not None
        return GateStatus(
            member=self.name,
            at=datetime.now(UTC),
            epoch=self.state.epoch,
            fenced_at_epoch=self.state.fenced_at,
            promoted_at_epoch=self.state.promoted_at,
            server=self.server,
            role=self.role,
            doing="is fenced" if fenced else f"runs as {self.role}" if self.role else "is stopped",
            ready=self.writes or standby,
            system_identifier=self.system,
            timeline=self.timeline,
            receive_lsn=format_lsn(self.position) if standby else None,
            current_lsn=format_lsn(self.position) if self.writes else None,
            upstream=self.following if standby and self.streams else None,
            lag_bytes=self.lag_bytes if standby else None,
            followers=self.followers(world) if self.writes else (),
            disk_free_bytes=self.disk_free,
        )

    def followers(self, world: World) -> tuple[Follower, ...]:
        """Return the standbys that stream from here."""
        synchronous = world.record.sync_members if world.has_record else ()
        return tuple(
            Follower(
                member=one.name,
                state="streaming",
                sync_state="sync" if one.name in synchronous and not one.asynchronous else "async",
            )
            for one in world.standbys_of(self)
        )
