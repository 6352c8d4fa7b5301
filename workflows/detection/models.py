"""What people and watches send each other, and what a watch knows of itself."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from activities.detection.models import Kind
from activities.run.models.wire import Wire
from workflows.run.automatic import WATCHES
from workflows.run.models import ShortName


class Cooling(Wire):
    """After an automatic failover: the next one waits for a person until then."""

    until: datetime
    after: str
    """What was failed over."""


class WatchState(Wire):
    """What a watch knows beside what its witnesses say; goes on from one history, and version, to the next."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cooling: Cooling | None = None
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
    open: tuple[str, ...] = ()
    """Failovers that it has begun and that go on."""
    cooling: Cooling | None = None
    last_words: str = ""

    @property
    def headline(self) -> str:
        """How it stands, in a few words."""
        if self.open:
            return f"has begun {', '.join(self.open)}"
        if self.gone:
            return "; ".join(self.gone)
        if self.cooling:
            return f"cool-down after {self.cooling.after} until {self.cooling.until:%H:%M:%S} UTC"
        return "healthy"


class _Typed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WatchInput(_Typed):
    """Input of ``postgres-watch``, ``redis-watch``, ``node-watch`` and ``pod-watch``."""

    target: ShortName
    """Cluster, master, node pool or workload, as the estate lists it."""
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
    return f"{WATCHES}{kind.value}/{target}"
