"""One PostgreSQL server and its gate, in memory: what is durable, what runs, and what its status says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from activities.run.models.diagnosis import Silence
from gate.api import Follower, GateStatus, Role, ServerState
from gate.loop.situation import Local
from gate.loop.state import State
from gate.postgres.lsn import format_lsn, parse_lsn

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
    history: tuple[tuple[int, str], ...] = ()
    """Earlier timelines and where each was left."""
    xid: int = 740
    """Next transaction ID."""
    kept: list[set[tuple[str, int]]] = field(default_factory=list)
    discarded: set[str] = field(default_factory=set)
    """Rows of directories that were moved aside."""
    position: int = 0x3000000
    """End of WAL (primary) or WAL received (standby)."""
    state: State = field(default_factory=State)
    """Survives everything, as the gate's file does."""
    rows: set[tuple[str, int]] = field(default_factory=set)
    alive: bool = True
    """The pod: gate and server."""
    reachable: bool = True
    """Its network: cut off, it runs on and hears nobody."""
    hidden: bool = False
    """It is cut off from workers and API server, but not from the other gates and its clients."""
    frozen: bool = False
    """Its container: gate and server stand still."""
    server_frozen: bool = False
    """Only the server does; the gate goes on."""
    hands_over: bool = False
    """Its gate is asked to end, and waits for somebody who takes over."""
    full: bool = False
    """No connection slot of its server is free for the operator's role; its gate's own are."""
    held: bool = False
    """Its gate's watchdog has stopped the server where it is after a freeze, until somebody vouches for it."""
    vouched_at: float = 0.0
    """By the event loop's clock."""
    asked_at: dict[str, float] = field(default_factory=dict)
    """Member → when its gate asked this one last, by the same clock."""
    sync: set[str] = field(default_factory=set)
    """Members that a commit of its server waits for one of."""
    streams: bool = True
    asynchronous: bool = False
    unaware: bool = False
    """Streams, and its gate has not seen it yet."""
    lag_bytes: int | None = 0
    disk_free: int = 10 * 2**30
    system: str = SYSTEM
    stops_uncleanly: bool = False
    replay_held: bool = False
    cannot_prepare: bool = False
    """Its gate is of an earlier version."""
    promotion_hangs: bool = False
    """It is accepted, and does not come to its end."""
    empty: bool = False
    """Its directory holds no database."""
    known_missing: tuple[int, int, str] | None = None
    """What its gate knows to be missing on its disk: timeline, end of WAL, and who has replayed it."""
    prepared: bool = False
    """The product's roles have been made in a directory that ran without a gate."""

    @property
    def writes(self) -> bool:
        """Whether a COMMIT would return here."""
        return self.runs and self.role is Role.PRIMARY

    @property
    def stands_by(self) -> bool:
        """Whether it runs as a standby."""
        return self.runs and self.role is Role.STANDBY

    @property
    def runs(self) -> bool:
        """Whether its server executes anything."""
        still = self.frozen or self.server_frozen or self.held
        return self.alive and not still and self.server is ServerState.RUNNING

    @property
    def silence(self) -> Silence | None:
        """How its gate fails to answer; ``None`` when it answers."""
        if not self.reachable:
            return Silence.NO_CONNECTION
        if not self.alive:
            return Silence.REFUSED
        return Silence.NO_ANSWER if self.frozen else None

    @property
    def sql_silence(self) -> Silence | None:
        """How its server fails to answer; ``None`` when it answers."""
        if self.silence is not None or self.runs:
            return self.silence or (Silence.NO_ROOM if self.full else None)
        return Silence.REFUSED if self.server is ServerState.STOPPED else Silence.NO_ANSWER

    def die(self) -> None:
        """End the pod; what is on its disk stays."""
        self.alive, self.known_missing = False, None
        self.stop()

    def remember(self, **changes: int | str | None) -> None:
        """Change the durable state."""
        self.state = self.state.model_copy(update=changes)

    def start(self, role: Role, following: str = "") -> None:
        """Run as ``role``."""
        self.server, self.role, self.following = ServerState.RUNNING, role, following
        self.standby_signal = role is Role.STANDBY

    def stop(self) -> None:
        """Stop the server; the gate stays."""
        self.server, self.role = ServerState.STOPPED, None
        self.server_frozen = self.held = False

    def local(self, members: tuple[str, ...], peers: Mapping[str, GateStatus | None]) -> Local:
        """Return what the gate's decision is made from."""
        return Local(
            lacks=self._lacks(peers) if self.server is ServerState.STOPPED and not self.standby_signal else "",
            member=self.name,
            members=members,
            state=self.state,
            server=self.server,
            role=None if self.server_frozen or self.held else self.role,
            empty=self.empty,
            standby_signal=self.standby_signal,
            timeline=self.timeline,
            following=self.following,
            received=format_lsn(self.position) if self.stands_by else None,
            reverts=self.reverts,
        )

    def _lacks(self, peers: Mapping[str, GateStatus | None]) -> str:
        """As ``gate.postgres.own_wal``: what is known to be missing stays known while this gate runs."""
        replayed = [
            (self.timeline, parse_lsn(one.replay_lsn), one.member)
            for one in peers.values()
            if one is not None and one.role is Role.STANDBY and one.replay_lsn and one.timeline == self.timeline
        ]
        known = [self.known_missing] if self.known_missing is not None else []
        missing = [one for one in [*replayed, *known] if one[0] == self.timeline and one[1] > self.position]
        self.known_missing = max(missing, default=None)
        return f"{self.known_missing[2]} has replayed more" if self.known_missing is not None else ""

    @property
    def reverts(self) -> bool:
        """Whether a revert was accepted whose timeline has not been begun."""
        return self.state.reverting is not None and self.timeline <= self.state.reverting

    def begin_timeline(self, number: int) -> None:
        """Leave recovery onto timeline ``number``."""
        self.history = (*self.history, (self.timeline, format_lsn(self.position)))
        self.timeline = number

    def status(self, world: World) -> GateStatus:
        """Return what the gate answers."""
        standby, fenced = self.stands_by, self.state.fenced_at is not None
        return GateStatus(
            member=self.name,
            at=datetime.now(UTC),
            epoch=self.state.epoch,
            fenced_at_epoch=self.state.fenced_at,
            promoted_at_epoch=self.state.promoted_at,
            promoted_xid=self.state.promoted_xid,
            next_xid=self.xid,
            untouched=self.server is ServerState.STOPPED and not self.standby_signal,
            history=self.history if self.writes else (),
            fork_lsn=self.history[-1][1] if self.writes and self.history else None,
            data_bytes=2**20,
            lacks=self._set_back(world),
            server=self.server,
            role=self.role if self.runs else None,
            frozen=self.server_frozen or self.held,
            silent_seconds=9.0 if self.server_frozen else None,
            hands_over=self.hands_over and self.writes,
            doing="is fenced" if fenced else f"runs as {self.role}" if self.role else "is stopped",
            ready=self.writes or standby,
            system_identifier=self.system,
            timeline=self.timeline,
            empty=self.empty,
            standby_directory=None if self.empty else self.standby_signal,
            control_state="in production" if self.stops_uncleanly else "shut down",
            checkpoint_lsn=format_lsn(self.position),
            receive_lsn=format_lsn(self.position) if standby else None,
            current_lsn=format_lsn(self.position) if self.writes else None,
            replay_lsn=format_lsn(self.position) if standby else None,
            lag_seconds=0.0 if standby and self.lag_bytes == 0 else None,
            **world.last_word(self),
            upstream=self.following if standby and world.streams_to(self) and not self.unaware else None,
            lag_bytes=self.lag_bytes if standby else None,
            followers=self.followers(world) if self.writes else (),
            disk_free_bytes=self.disk_free,
            members=tuple(world.members),
            asked={name: asyncio.get_running_loop().time() - at for name, at in self.asked_at.items()},
        )

    def _set_back(self, world: World) -> str:
        """Say who has WAL that this stopped leader's disk has not."""
        if self.server is not ServerState.STOPPED or self.standby_signal:
            return ""
        ahead = [one.name for one in world.members.values() if one.stands_by and is_ahead(one, self)]
        known = [self.known_missing[2]] if self.known_missing is not None else []
        return "".join(f"{one} has more" for one in [*ahead, *known][:1])

    def followers(self, world: World) -> tuple[Follower, ...]:
        """Return the standbys that stream from here."""
        synchronous = world.record.sync_members if world.has_record else ()
        return tuple(
            Follower(
                member=one.name,
                state="streaming",
                sync_state="sync" if one.name in synchronous and not one.asynchronous else "async",
                ahead=is_ahead(one, self),
            )
            for one in world.standbys_of(self)
        )


def is_ahead(standby: Member, leader: Member) -> bool:
    """Whether ``standby`` has WAL that its leader has not: the leader's disk was set back."""
    return standby.timeline == leader.timeline and standby.position > leader.position
