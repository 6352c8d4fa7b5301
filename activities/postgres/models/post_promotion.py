"""What follows a switch: verification, sessions, applications, redundancy."""

from __future__ import annotations

from datetime import datetime

from activities.postgres.models.transfer import Switch
from activities.run.models.wire import RunId, Wire
from estate.postgres import Application, PostgresTarget
from estate.reference import Named


class Verified(Wire):
    """A write went through the write Service to the new leader, and was taken or refused by that server itself."""

    leader: str
    endpoints: tuple[str, ...]
    """Pods behind the write Service."""
    write_milliseconds: float
    verified_at: datetime
    refused: str = ""
    """The new leader's own words: it answers, and does not let the operator's role write. Empty: it took the write."""


class Evicted(Wire):
    """What became of the sessions that applications had on the old primary."""

    member: str
    ended: int | None = None
    """Sessions that its gate counted before it stopped; ``None``: that gate is gone or cannot be asked."""
    remaining: int | None = None
    """Sessions of applications there after the route had moved; ``None``: nobody can look."""
    words: str


class Reconnected(Wire):
    """One application after the switch."""

    deployment: str
    restarted: bool
    ready: int
    wanted: int
    seconds: float
    """Until all its pods were ready."""
    writes_again_seconds: float | None = None
    """From the route's change to the first write of one of its sessions that the new primary remembers."""
    note: str = ""


class FirstWriteRequest(Wire):
    """Wait for the first write of ``deployment`` on the new primary of ``switch``."""

    switch: Switch
    deployment: str
    since: datetime
    """When the route was changed."""


class FirstWrite(Wire):
    """When an application wrote again."""

    deployment: str
    seconds: float | None = None
    """After the route's change; ``None`` when it was not seen to write."""


class ReconnectRequest(Wire):
    """Bring one application of ``switch`` over."""

    switch: Switch
    application: Application
    since: datetime
    """When the route moved: ``ready_within`` counts from then, whoever goes on with the step."""
    must_restart: bool = False
    """Restart it although the estate does not ask for that: it may hold sessions that nobody can end."""


class Redundancy(Wire):
    """The old primary as a standby again."""

    member: str
    sync_state: str
    """``absent`` when it is not back yet."""
    seconds: float
    """From the route's change to synchronous again, or to when the wait was ended."""
    note: str = ""


class FinishRequest(Wire):
    """Mark a switch as finished in the record."""

    switch: Switch


class FollowRequest(Wire):
    """Let ``member`` follow ``leader``, or wait until it does."""

    target: Named[PostgresTarget]
    leader: str
    member: str
    epoch: int
    run: RunId
    asked_for: bool = False
    """A person wants ``member`` itself: it is waited for although bringing members back is paused, and, for a moment, until
    commits wait for it."""
    since: datetime | None = None
    """When redundancy was lost; ``None`` counts from now."""
