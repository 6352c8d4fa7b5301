"""What is seen of a Redis deployment and its Sentinels, and what its steps ask and answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AliasChoices, Field

from activities.run.models.diagnosis import Silence
from activities.run.models.plan import NOTHING_OF_POSTGRES, Candidate, Plan
from activities.run.models.report import Details
from activities.run.models.wire import RunId, Wire
from estate.redis import RedisTarget
from estate.reference import Named


class RedisRole(StrEnum):
    """As Redis itself calls them."""

    MASTER = "master"
    REPLICA = "slave"


class ServerFact(Wire):
    """One server by its own word; ``role`` is ``None`` when it does not answer."""

    name: str
    """Its pod."""
    address: str = ""
    """``host:port`` that it announces to Sentinels and replicas."""
    role: RedisRole | None = None
    offset: int = 0
    """Bytes of the replication stream that it has written (master) or received (replica)."""
    follows: str = ""
    """Replica: ``host:port`` of its master."""
    link_up: bool = False
    """Replica: it receives the stream now."""
    replicas: int = 0
    """Connected to it."""
    priority: int = 100
    """Sentinel never promotes a replica with 0."""
    error: str = ""
    silence: Silence | None = None

    @property
    def is_master(self) -> bool:
        """Whether it takes writes as far as it knows."""
        return self.role is RedisRole.MASTER


class SentinelFact(Wire):
    """One Sentinel by its own word; ``master`` is empty when it does not answer, or does not know the name."""

    name: str
    master: str = ""
    """``host:port`` of the master that it names."""
    config_epoch: int = 0
    """Of that word: the higher one is the newer one."""
    agrees_it_is_down: bool = False
    """A quorum agrees that the master is down (``o_down``)."""
    fails_over: bool = False
    """A failover is under way."""
    can_decide: bool = False
    """Enough Sentinels reach each other to authorize a failover (``SENTINEL CKQUORUM``)."""
    words: str = ""
    """Why it cannot."""
    error: str = ""
    silence: Silence | None = None


class RedisSurvey(Wire):
    """The deployment as it was at ``at``; servers and Sentinels in the estate's order."""

    at: datetime
    servers: tuple[ServerFact, ...]
    sentinels: tuple[SentinelFact, ...]

    @property
    def majority(self) -> int:
        """How many Sentinels decide: more than half of all, also of those that do not answer."""
        return len(self.sentinels) // 2 + 1

    @property
    def named(self) -> str:
        """Address of the master that a majority of all Sentinels names; empty when no such majority answers."""
        named = [fact.master for fact in self.sentinels if fact.master]
        return next((address for address in named if named.count(address) >= self.majority), "")

    @property
    def newest_word(self) -> str:
        """Address of the master that the Sentinel with the newest configuration names, be it the only one that answers."""
        known = [fact for fact in self.sentinels if fact.master]
        return max(known, key=lambda fact: fact.config_epoch).master if known else ""

    @property
    def config_epoch(self) -> int:
        """The newest configuration that a Sentinel knows."""
        return max((fact.config_epoch for fact in self.sentinels), default=0)

    @property
    def master(self) -> ServerFact | None:
        """The server at that address; ``None`` also when it does not say where it is, since it does not answer."""
        return self.server_at(self.named)

    @property
    def holds_it_for_down(self) -> bool:
        """Whether a Sentinel says that a quorum of them agrees that the master is down: not a matter of one view."""
        return any(fact.agrees_it_is_down for fact in self.sentinels)

    @property
    def strays(self) -> tuple[ServerFact, ...]:
        """Servers that take themselves for the master while a majority names another one."""
        return tuple(fact for fact in self.servers if self.named and fact.is_master and fact.address != self.named)

    @property
    def fails_over(self) -> bool:
        """Whether any Sentinel has a failover under way."""
        return any(fact.fails_over for fact in self.sentinels)

    @property
    def is_led(self) -> bool:
        """Whether the master that a majority names says so too, and no failover is under way."""
        return not self.fails_over and self.master is not None and self.master.is_master

    @property
    def can_decide(self) -> bool:
        """Whether the Sentinels can authorize a failover: one of them says so, and a majority answers us too.

        A Sentinel takes seconds to notice that the others are gone.
        """
        return self.most_answer and any(fact.can_decide for fact in self.sentinels)

    @property
    def newest_among_most(self) -> str:
        """The newest word, if most Sentinels answer and it is newer than every other one; else empty.

        A Sentinel that carries out a failover has its new epoch already and names the old master until the end: it is
        not counted against the others.
        """
        settled = [fact for fact in self.sentinels if fact.master and not fact.fails_over]
        newest = max(settled, key=lambda fact: fact.config_epoch, default=None)
        if newest is None or not self.most_answer:
            return ""
        others = [fact.config_epoch for fact in settled if fact.master != newest.master]
        return newest.master if all(epoch < newest.config_epoch for epoch in others) else ""

    @property
    def most_answer(self) -> bool:
        """Whether a majority of all Sentinels says who the master is, be it not the same."""
        return sum(bool(fact.master) for fact in self.sentinels) >= self.majority

    def server_at(self, address: str) -> ServerFact | None:
        """Return the server that announces ``address``; ``None`` also when it does not answer."""
        return next((fact for fact in self.servers if fact.address and fact.address == address), None)

    def server(self, name: str) -> ServerFact | None:
        """Return the server called ``name``."""
        return next((fact for fact in self.servers if fact.name == name), None)

    def followers(self, address: str) -> tuple[ServerFact, ...]:
        """Return the replicas that receive the stream of ``address`` now."""
        return tuple(fact for fact in self.servers if fact.follows == address and fact.link_up)


class RedisLook(Wire):
    """Look at a deployment; nobody is waited for longer than ``patience``."""

    target: Named[RedisTarget]
    patience: timedelta = timedelta(seconds=1)


class RedisPlan(Plan):
    """Which server is replaced, and of which others Sentinel may choose."""

    candidates: tuple[Candidate, ...] = ()

    def warned(self) -> tuple[str, ...]:
        """Return which replicas Sentinel could not promote."""
        return tuple(f"{one.name} could not be promoted: {one.reason}" for one in self.candidates if not one.eligible)

    def decisions(self) -> dict[str, Any]:
        """Return what an approver agrees to."""
        return super().decisions() | NOTHING_OF_POSTGRES | ({} if self.lossless else {"lossless": False})


class RedisSwitch(Wire):
    """One failover that a plan describes."""

    target: Named[RedisTarget]
    plan: RedisPlan
    old: str
    """Address of the master that is to be replaced."""
    eligible: tuple[str, ...]
    """Pods of which Sentinel may choose one."""
    run: RunId
    config_epoch: int = 0
    """The newest of the Sentinels' when the plan was made: whoever is named at a later one was elected since."""
    by_word: bool = False
    """A person has decided, and no majority of Sentinels may be left to name the new master."""


class ElectRequest(Wire):
    """Wait for the Sentinels to elect, and insist after a while."""

    switch: RedisSwitch
    insist_after: timedelta
    by_word: bool
    """A person has given the old master up; else a quorum must agree that it is down before anybody insists."""
    given_up: str = ""
    """Who that is, where the word names it: a master that answers is replaced only if it is this one."""


class Quiesced(Wire):
    """Writers are held back, and every eligible replica has everything."""

    offset: int
    seconds: float
    """From the pause to the last replica's word."""
    paused_at: datetime


class Resumed(Wire):
    """Answer of the undo."""

    gave_back: bool
    """Writers go on at the old master; ``False``: another master leads, there is no way back."""
    leader: str = ""
    message: str


class Moved(Wire):
    """Another server is the master."""

    leader: str
    """Its pod."""
    address: str
    seconds: float
    """From the request to the new master's own word."""
    moved_at: datetime
    demoted: bool
    """The old master was made a replica by us, and its clients were sent away."""
    clients_ended: int = 0
    note: str = ""


class AgreeRequest(Wire):
    """Wait for everybody to agree on the new master, but no longer than ``within``."""

    switch: RedisSwitch
    within: timedelta
    only_living: bool = False
    """Do not wait for servers and Sentinels that do not answer."""


class Agreed(Wire):
    """Who follows and who agrees, when the wait for them was over."""

    sentinels: tuple[str, ...]
    """That name the new master."""
    followers: tuple[str, ...]
    """Servers that receive its stream."""
    missing: tuple[str, ...]
    """Servers and Sentinels that do neither."""
    sentinels_seconds: float | None = None
    """Until the last of those that answer named it; ``None``: not all did."""
    followers_seconds: float | None = None


class RedisVerified(Wire):
    """A client that asked the Sentinels wrote to the new master and read it back."""

    leader: str
    """The one that a majority names; not the one that was seen first, where the Sentinels elected another meanwhile."""
    address: str = ""
    replicas: int
    """That confirmed the write."""
    milliseconds: float
    verified_at: datetime


class RedisMeasureRequest(Wire):
    """Write until cancelled."""

    target: Named[RedisTarget]
    run: RunId
    interval: timedelta = timedelta(milliseconds=20)


class RedisDetails(Details):
    """What a run has found out and done."""

    survey: RedisSurvey | None = Field(default=None, validation_alias=AliasChoices("survey", "redis"))
    strays: tuple[str, ...] = ()
    """Servers that took themselves for the master before the run, and follow it now."""
    quiesced: Quiesced | None = None
    moved: Moved | None = None
    verified: RedisVerified | None = Field(default=None, validation_alias=AliasChoices("verified", "redis_verified"))
    agreed: Agreed | None = None
