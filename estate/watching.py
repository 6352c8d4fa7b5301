"""How a target is watched, and what follows once a majority of the witnesses finds it gone."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from estate.base import Entry

_Interval = Annotated[timedelta, Field(ge=timedelta(milliseconds=50), le=timedelta(minutes=1))]
_Patience = Annotated[timedelta, Field(ge=timedelta(0))]


class Policy(StrEnum):
    """What a watch does about a target that is gone."""

    NOTIFY = "notify"
    """Says so, in ``failover status`` and in the Temporal UI."""
    ASK = "ask"
    """Starts the failover, which makes its plan and waits for the people that its approval policy names."""
    AUTOMATIC = "automatic"
    """Starts the failover, which waits for nobody."""


class Watching(Entry):
    """When a target counts as gone, and what is done then.

    Silence has many causes and an answer has one, so each kind of trouble has a patience of its own. A witness must see it
    all that time, but for the moments in which a server that crashes in a loop is up, and a majority of them must agree.
    """

    policy: Policy = Policy.AUTOMATIC
    interval: _Interval = timedelta(seconds=2)
    """Between two looks of one witness."""
    stopped_after: _Patience
    """It says itself, or whoever supervises it says, that it does not work."""
    refused_after: _Patience
    """Its machine answers, and nobody listens there."""
    silent_after: _Patience
    """Nobody answers. Azure freezes machines for 8 to 30 s to move them: less than that fails over what is not dead."""
    steady_after: _Patience = timedelta(seconds=10)
    """After two failures within 10 minutes: how long it must be up before it is called well again."""
    cooldown: _Patience
    """After an automatic failover: how long until the next one may be automatic, unless a person acknowledges it before."""

    @property
    def relieves(self) -> bool:
        """Whether a leader that is asked to end is relieved without asking anybody."""
        return False


class PostgresWatching(Watching):
    """A gate starts a killed server again at once, and a killed container is back after 1 to 3 s (measured).

    A primary that was frozen for 30 s is killed by its own watchdog when it thaws.
    """

    policy: Policy = Policy.ASK
    interval: _Interval = timedelta(milliseconds=200)
    stopped_after: _Patience = timedelta(seconds=3)
    refused_after: _Patience = timedelta(seconds=3)
    silent_after: _Patience = timedelta(seconds=30)
    cooldown: _Patience = timedelta(hours=1)
    hand_over: bool = True
    """A primary whose pod is asked to end hands over first, by a planned failover that asks nobody: it loses nothing, and
    without it writes stop until the pod is back. Not with ``policy: notify``, and not while a pause holds."""

    @property
    def relieves(self) -> bool:
        """Whether a leader that is asked to end is relieved without asking anybody."""
        return self.hand_over and self.policy is not Policy.NOTIFY


class RedisWatching(Watching):
    """Sentinel elects within 10 s; this is for when it does not."""

    interval: _Interval = timedelta(seconds=1)
    stopped_after: _Patience = timedelta(seconds=15)
    refused_after: _Patience = timedelta(seconds=15)
    silent_after: _Patience = timedelta(seconds=15)
    cooldown: _Patience = timedelta(minutes=10)


class NodeWatching(Watching):
    """As long as Kubernetes waits before it calls a node unreachable (40 s)."""

    stopped_after: _Patience = timedelta(seconds=40)
    refused_after: _Patience = timedelta(seconds=40)
    silent_after: _Patience = timedelta(seconds=40)
    cooldown: _Patience = timedelta(minutes=15)


class PodWatching(Watching):
    """``pod-failover`` itself leaves Kubernetes its time."""

    stopped_after: _Patience = timedelta(seconds=6)
    refused_after: _Patience = timedelta(seconds=6)
    silent_after: _Patience = timedelta(seconds=6)
    cooldown: _Patience = timedelta(minutes=5)
