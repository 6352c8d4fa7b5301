"""What a gate decides from, and what it may decide (``gate.loop.decide``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gate.api import Contents, Role, ServerFacts, ServerState
from gate.loop.state import State
from gate.postgres.controldata import ControlData
from gate.record import Record


class Action(StrEnum):
    """What to do next."""

    KEEP = "keep"
    WAIT = "wait"
    START_LEADER = "start leader"
    START_STANDBY = "start standby"
    START_REVERTED = "start reverted"
    """In recovery on its own timeline, following nobody, for the ``revert`` that was accepted."""
    FOLLOW = "follow"
    PROMOTE_SELF = "promote self"
    STOP = "stop"
    STOP_NOW = "stop now"
    """Another member leads or has been claimed by force: at any price."""
    REJOIN = "rejoin"
    BASE_BACKUP = "base backup"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True)
class Decision:
    """An action, the member it is about, and a sentence for people."""

    action: Action
    reason: str
    leader: str = ""


@dataclass(frozen=True)
class Local:
    """One member as it stands."""

    member: str
    members: tuple[str, ...]
    state: State
    server: ServerState
    role: Role | None
    empty: bool
    """No usable PGDATA."""
    standby_signal: bool
    """PGDATA is a standby's."""
    timeline: int
    following: str
    """Member that ``primary_conninfo`` names."""
    reverts: bool = False
    """A ``revert`` was accepted, and its new timeline has not been begun."""
    received: str | None = None
    """Standby that runs: LSN up to which it has WAL."""
    lacks: str = ""
    """Stopped, and to lead: which standby of its own timeline has replayed what is missing here, in words."""
    half_rewound: bool = False
    """A rewind of PGDATA was begun and did not come to its end: it is no database now."""


@dataclass(frozen=True)
class Sample(Local):
    """One member as it stands, with what only its own parts ask for; taken once a turn, and whenever somebody asks."""

    facts: ServerFacts = field(default_factory=ServerFacts)
    """What the server said last; without a role when it does not answer."""
    record: Record | None = None
    """As it was read last."""
    control: ControlData | None = None
    doing: str = ""
    closed: bool = False
    """The server that runs turns applications away."""
    may_open: bool = False
    """It does so although their time is over."""
    has_moved: bool = False
    """The member that the server follows is at another address than the server was told."""
    sessions: int | None = None
    """Of the primary, when it last answered."""
    weak: tuple[str, ...] = ()
    """Settings that weaken commits, when the server last answered."""
    contents: Contents | None = None
    """What does not go where leadership goes, when the server last answered."""
    certificate_ends_at: datetime | None = None
    silent_seconds: float | None = None
    frozen: bool = False
    heard: Mapping[str, float] = field(default_factory=dict)
    asked: Mapping[str, float] = field(default_factory=dict)
