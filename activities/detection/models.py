"""What witnesses see of a target, and what a watch makes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from activities.run.models.lease import Unrenewed
from activities.run.models.wire import Wire
from estate.base import Name
from estate.gateways import GatewayTarget
from estate.nodes import NodePoolTarget
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.reference import Named
from estate.regions import WatchedRegion
from estate.workloads import WorkloadTarget

WatchedTarget = PostgresTarget | RedisTarget | WorkloadTarget | NodePoolTarget | GatewayTarget | WatchedRegion


class Kind(StrEnum):
    """What is watched; the first part of a watch's workflow ID."""

    POSTGRES = "postgres"
    REDIS = "redis"
    PODS = "pods"
    NODES = "nodes"
    GATEWAY = "gateway"
    REGION = "region"


class Condition(StrEnum):
    """What is wrong with what is looked at."""

    STOPPED = "stopped"
    """It says itself, or whoever supervises it says, that it does not work."""
    REFUSED = "refused"
    """Its machine answers, and nobody listens there."""
    SILENT = "silent"
    """Nobody answers."""
    RETURNED = "returned"
    """It was taken out of service, and is well: it can be put in again."""


class Finding(Wire):
    """Something that does not do its work."""

    subject: str
    """Member, server, workload or node."""
    condition: Condition
    words: str
    unrenewed: Unrenewed | None = None
    """PostgreSQL: for how long the leader has certainly not renewed the record's Lease."""
    advice: str = ""
    """What a person is to do about it: no failover helps, and none is begun; empty: one may."""
    since: datetime | None = None
    """When this witness began to see it so, by its own clock."""


class Look(Wire):
    """One look at a target: what does not do its work; nothing: all is well."""

    findings: tuple[Finding, ...] = ()
    blind: str = ""
    """Why nothing can be said: the witness itself may be the one that is cut off."""
    leaving: tuple[str, ...] = ()
    """Who does its work, is asked to end, and waits until another one takes over."""


class Failures(Wire):
    """When a subject has failed of late, by the witness's own clock."""

    subject: str
    at: tuple[datetime, ...]


class Sighting(Wire):
    """What a witness says until it says something else: what it has seen for long enough.

    A blind witness keeps what it said last, and goes on from there when it sees again.
    """

    witness: str
    at: datetime
    findings: tuple[Finding, ...] = ()
    blind: str = ""
    recovering: tuple[Finding, ...] = ()
    """It has said that they are down, and they are up again for too short a time to be called well."""
    undecided: tuple[str, ...] = ()
    """It began to look, or to see again, while they were in trouble, and that has not lasted long enough yet."""
    leaving: tuple[str, ...] = ()
    """Who does its work, is asked to end, and waits until another one takes over."""
    failures: tuple[Failures, ...] = ()
    """Whoever fails repeatedly must be up for longer until it is called well."""

    @property
    def down(self) -> tuple[str, ...]:
        """What is gone, sorted."""
        return tuple(sorted(finding.subject for finding in self.findings))

    @property
    def returned(self) -> tuple[str, ...]:
        """What can be put in again, sorted."""
        return tuple(sorted(one.subject for one in self.findings if one.condition is Condition.RETURNED))

    @property
    def not_well(self) -> tuple[str, ...]:
        """What it does not call well, sorted."""
        return tuple(sorted({*self.down, *(one.subject for one in self.recovering), *self.undecided}))

    def says_well(self, subject: str) -> bool:
        """Whether it sees, and calls ``subject`` well."""
        return not self.blind and subject not in self.not_well


class Standing(Wire):
    """What a watch says of itself in its memo, as far as steps need it."""

    witnesses: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    """A line for each witness that does not speak, or cannot see."""
    gone: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


class WatchRequest(Wire):
    """Look until there is something new to say, or ``lasts`` is over."""

    target: Named[WatchedTarget]
    witness: str
    told: Sighting | None = None
    """What this witness said last; ``None``: it has never spoken."""
    heard: bool = True
    """Whether its last word still counts; if not, the next look's word is wanted at once, as from one that never spoke."""
    silent_since: datetime | None = None
    """Since when its word has not counted; ``None`` where that is unknown, or it does."""
    lasts: timedelta = timedelta(minutes=10)


class WatchedRequest(Wire):
    """Which target is to be watched."""

    kind: Kind
    name: str


class Watched(Wire):
    """A target, and who looks at it."""

    target: WatchedTarget
    witnesses: tuple[Name, ...]


class ListRequest(Wire):
    """Which targets are to be watched: one by its name, or (empty) all."""

    target: str = ""
    """``orders`` or ``postgres/orders``."""


class Listed(Wire):
    """One target of the estate."""

    kind: Kind
    name: str


class TargetList(Wire):
    """What the estate lists."""

    targets: tuple[Listed, ...]


class CauseRequest(Wire):
    """Which workload is broken."""

    name: str


class Cause(Wire):
    """Why it is broken, as far as another watch knows."""

    message: str = ""
    """Empty: nobody knows of anything."""


class LastRequest(Wire):
    """Which lock to look up, and the watch that may have had it held."""

    lock: str
    watch: str


class LastRun(Wire):
    """The last run under a lock, if it was an automatic one."""

    closed_at: datetime | None = None
    """When it ended; ``None``: there was none, it goes on, or a person has started one since."""


def witness_queue(queue: str, witness: str) -> str:
    """Return the task queue on which one witness of those who serve ``queue`` is asked to look."""
    return f"{queue}/witness/{witness}"
