"""What a gate knows at one moment: what its parts decide from, and what ``/v1/status`` answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gate.api import ServerFacts
from gate.loop.decide import Local
from gate.postgres.controldata import ControlData
from gate.record import Record


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
    silent_seconds: float | None = None
    frozen: bool = False
    heard: Mapping[str, float] = field(default_factory=dict)
    asked: Mapping[str, float] = field(default_factory=dict)
