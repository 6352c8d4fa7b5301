"""What people and watches send each other, and what a watch knows of itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from activities.detection.models import Kind, Sighting
from activities.run.models.wire import Wire
from activities.run.watches import watch_of
from workflows.run.models import ShortName


class Cooling(Wire):
    """After an automatic failover: the next one waits for a person until then."""

    until: datetime
    after: str
    """What was failed over."""


class Rest(Wire):
    """After a failover that was refused: none is begun until then, and the rest after the next one is so long."""

    until: datetime
    following: timedelta


class WatchState(Wire):
    """What a watch knows beside what its witnesses say; goes on from one history, and version, to the next."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cooling: Cooling | None = None
    rest: Rest | None = None
    last: tuple[Sighting, ...] = ()
    """What each witness said last: it goes on from there."""
    silent_since: dict[str, datetime] = Field(default_factory=dict)
    """Witness → since when it is silent."""
    taken_out: tuple[str, ...] = ()
    """Backends that runs of this watch have taken out of service, and that none has put in again."""
    last_words: str = ""
    """What it did last."""


class WatchStatus(Wire):
    """Answer of the query ``watch_status``; the memo ``watch`` holds the same."""

    shown: ClassVar[bool] = True

    target: str
    policy: str
    witnesses: tuple[str, ...]
    """A line each."""
    silent: tuple[str, ...] = ()
    """Of these the ones that do not speak, or cannot see."""
    gone: tuple[str, ...] = ()
    """What a majority finds gone, in words."""
    advice: tuple[str, ...] = ()
    """What people are to do about it, where nothing is begun for it."""
    open: tuple[str, ...] = ()
    """Failovers that it has begun and that go on."""
    cooling: Cooling | None = None
    tries_again_at: datetime | None = None
    """When the next run is begun, if a majority still finds something gone: the last one was refused."""
    cause: str = ""
    """Why something is gone, where another detection knows it: nothing is begun until that is repaired."""
    last_words: str = ""

    @property
    def seeing(self) -> int:
        """How many witnesses see."""
        return len(self.witnesses) - len(self.silent)

    @property
    def blind(self) -> bool:
        """Whether no majority sees: such a watch begins nothing and withdraws nothing."""
        return 2 * self.seeing <= len(self.witnesses)

    @property
    def alarm(self) -> bool:
        """Whether a person must look, beyond the runs that it has begun."""
        return self.blind or bool(self.gone and not self.open)

    @property
    def headline(self) -> str:
        """How it stands, in a few words."""
        if not self.witnesses:
            return "has not reported yet; failover doctor says whether a worker serves it"
        sees = "sees" if self.seeing == 1 else "see"
        blind = [f"BLIND: {self.seeing} of {len(self.witnesses)} {sees}"] if self.blind else []
        return "; ".join([*blind, *self._what_goes_on()]) or "healthy"

    def _what_goes_on(self) -> list[str]:
        if self.open:
            return [f"has begun {', '.join(self.open)}"]
        cooling = [f"cool-down after {self.cooling.after} until {self.cooling.until:%H:%M:%S} UTC"] if self.cooling else []
        again = [f"tried again at {self.tries_again_at:%H:%M:%S} UTC"] if self.gone and self.tries_again_at else []
        cause = [self.cause] if self.gone and self.cause else []
        return [*self.gone, *cause, *again, *cooling]


class _Typed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WatchInput(_Typed):
    """Input of ``postgres-watch``, ``redis-watch``, ``node-watch``, ``pod-watch``, ``gateway-watch``, ``region-watch``."""

    target: ShortName
    """Cluster, master, node pool, workload, gateway or region, as the estate lists it."""
    state: WatchState | None = None
    """Only from one of its own histories to the next."""


class WatchersRequest(_Typed):
    """Input of ``watchers-start``."""

    target: ShortName | None = None
    """``orders`` or ``postgres/orders``; ``None``: everything that the estate lists."""


class StartedWatches(Wire):
    """Which watches were started, and which ran already; by workflow ID."""

    shown: ClassVar[bool] = True

    started: tuple[str, ...] = ()
    running: tuple[str, ...] = ()


class Acknowledgement(_Typed):
    """Input of the update ``acknowledge``."""

    by: ShortName
    note: str = Field(default="", max_length=1000)


def watch_id(kind: Kind, target: str) -> str:
    """Return the workflow ID of the watch on a target."""
    return watch_of(kind.value, target)
