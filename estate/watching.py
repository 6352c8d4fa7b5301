"""How a target is watched, and what follows once a majority of the witnesses finds it gone."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from estate.base import Entry

_Interval = Annotated[timedelta, Field(ge=timedelta(milliseconds=50), le=timedelta(minutes=1))]
_Patience = Annotated[timedelta, Field(ge=timedelta(0))]
_WithinALook = Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(minutes=30))]
"""A witness counts it within one step, which lasts an hour at most."""


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

    @property
    def returned_after(self) -> timedelta:
        """For how long what was taken out of service must be well until it is put in again."""
        return timedelta(0)

    @property
    def seen_after(self) -> timedelta:
        """How long its witnesses may go on to see a target as it was before a run has changed it."""
        return timedelta(0)


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


class GatewayWatching(Watching):
    """Counted from when the gateway itself calls a backend Down, which takes its own probe 90 s as declared."""

    interval: _Interval = timedelta(seconds=5)
    stopped_after: _Patience = timedelta(seconds=10)
    """It answers with another status than the probe takes, or nobody listens there."""
    refused_after: _Patience = timedelta(seconds=10)
    silent_after: _Patience = timedelta(seconds=30)
    healthy_after: _WithinALook = timedelta(minutes=5)
    """A backend that was taken out must answer well for so long, without a break, before it is put in again."""
    asks_azure_every: _Interval = timedelta(seconds=15)
    """Between two questions of one witness to Azure; an answer takes about 5 s."""
    cooldown: _Patience = timedelta(minutes=2)

    @property
    def returned_after(self) -> timedelta:
        """For how long a backend must be well until it is put in again."""
        return self.healthy_after

    @property
    def seen_after(self) -> timedelta:
        """How long its witnesses may work with an older answer of Azure."""
        return 3 * self.asks_azure_every


class RegionWatching(Watching):
    """A region is left by people only: whatever is found, they are told."""

    policy: Policy = Policy.NOTIFY
    interval: _Interval = timedelta(seconds=5)
    stopped_after: _Patience = timedelta(minutes=1)
    """DEGRADED: the public name answers that it does not serve, or it serves and the API server is silent."""
    refused_after: _Patience = timedelta(minutes=1)
    silent_after: _Patience = timedelta(minutes=1)
    """LOST: customers are not served, and nothing of the region answers."""
    cooldown: _Patience = timedelta(0)

    @model_validator(mode="after")
    def _is_for_people(self) -> Self:
        if self.policy is not Policy.NOTIFY:
            message = f"policy is {self.policy.value}, and only people leave a region: write notify, or leave policy out"
            raise ValueError(message)
        return self
