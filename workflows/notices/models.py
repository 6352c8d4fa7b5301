"""What the workflow that tells people of runs remembers, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import ConfigDict, Field

from activities.notices.models import Facts, Message, Need, Settings
from activities.run.models.wire import Wire
from estate.notices import Event
from workflows.run.models import Input

CHECK = "notices-check"
"""Name of the workflow that tries the targets."""


class Notice(Wire):
    """Something to tell."""

    event: Event
    facts: Facts
    need: Need | None = None
    waited_minutes: int = 0
    """For so long people have been waited for; 0: since now."""
    escalated: bool = False


class Tracked(Wire):
    """A run, and what was told of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    facts: Facts
    told: tuple[str, ...] = ()
    quiet: bool = False
    """It is part of another run, which is told of."""
    waits_since: datetime | None = None
    asked_at: datetime | None = None
    """When people were last told that they are waited for."""


class Lost(Wire):
    """What a target has not taken."""

    target: str
    title: str
    at: datetime
    why: str


class Box(Wire):
    """What waits for one target."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: tuple[Message, ...] = ()
    failures: int = 0
    """So often in a row it has taken nothing."""
    why: str = ""
    """Why it has not taken the last one; empty: it has."""
    failing_since: datetime | None = None


class NoticesState(Wire):
    """What goes on from one history, and version, to the next."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    begun_at: datetime | None = None
    """When it looked first: what ended before is not told."""
    looked_at: datetime | None = None
    settings: Settings | None = None
    runs: tuple[Tracked, ...] = ()
    boxes: dict[str, Box] = Field(default={})
    lost: tuple[Lost, ...] = ()
    number: int = 0
    """Of the last message."""


class NoticesInput(Input):
    """Input of ``notices``."""

    state: NoticesState | None = None
    """Only from one of its own histories to the next."""


class CheckRequest(Input):
    """Input of ``notices-check``."""

    target: str = ""
    """Name of one; empty: all."""
    send: bool = True
    """Send each a text; ``False``: only say which there are."""


class Checked(Wire):
    """Which targets have taken a text."""

    shown: ClassVar[bool] = True

    targets: dict[str, str]
    """Name → why it has not taken it; empty: it has, or nothing was sent."""


class TargetStatus(Wire):
    """How a target stands."""

    shown: ClassVar[bool] = True

    events: tuple[Event, ...]
    waiting: int
    """So many texts wait for it."""
    failing_since: datetime | None = None
    why: str = ""


class NoticesStatus(Wire):
    """Answer of the query ``notices_status``; the memo ``notices`` holds the same."""

    shown: ClassVar[bool] = True

    targets: dict[str, TargetStatus] = Field(default={})
    lost: tuple[Lost, ...] = ()
    """The newest texts that were not delivered to a target, and are not tried any more."""
