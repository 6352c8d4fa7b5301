"""What people may order of a run while it goes on, what they have ordered, and what of that holds now.

A hold stops the run before its next phase, at the places where the kit or the procedure looks (``held_back``). While it
would keep clients from being served (``costs``), only a hold that says *anyway* stops it; another one waits until that is
over. Only steps that the procedure has declared (``Leeway``), and that are ahead or going on, can be skipped or forced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import Field

from activities.run.models.control import Control, ControlEntry, Offer
from workflows.run.markdown import plain
from workflows.run.models import Reason, ShortName, Signable


@dataclass(frozen=True)
class Leeway:
    """A step that a person may leave out, or have done ungracefully, and what follows from that."""

    step: str
    skip: str = ""
    """What is not known or not done then; empty: it cannot be skipped."""
    force: str = ""
    """What the ungraceful form does; empty: it has none."""
    of_each: str = ""
    """It is done for each of these: people type ``step/NAME``."""

    @property
    def typed(self) -> str:
        """Return what people type."""
        return f"{self.step}/{self.of_each}" if self.of_each else self.step


Why = Annotated[str, Field(min_length=1, max_length=1000)]


class HoldOrder(Signable):
    """Input of the update ``hold`` and the signal ``held``."""

    by: ShortName
    reason: Why
    anyway: bool = False
    """Also where that keeps clients from being served."""


class ReleaseOrder(Signable):
    """Input of the update ``release`` and the signal ``released``."""

    by: ShortName
    reason: Reason = ""


class StepOrder(Signable):
    """Input of the updates ``skip`` and ``force``, and of the signals ``skipped`` and ``forced``."""

    by: ShortName
    step: ShortName
    reason: Why


class Endable(Protocol):
    """A step that goes on."""

    def cancel(self) -> bool:
        """Ask it to end."""


_TOO_LATE: dict[Control | None, set[Control]] = {
    None: {Control.SKIP, Control.FORCE},
    Control.FORCE: {Control.SKIP},
    Control.SKIP: set(),
}
"""Order that was followed → orders of the same step that came too late."""


@dataclass
class RunControl:
    """Of one run."""

    declared: tuple[Leeway, ...] = ()
    entries: tuple[ControlEntry, ...] = ()
    costs: str = ""
    """Why a hold would keep clients from being served now; empty: it would not."""
    held_since: datetime | None = None
    """Since when the run stands still."""
    left_out: tuple[str, ...] = ()
    """What was skipped or forced when its turn came, with name and reason."""
    _ahead: dict[str, Leeway] = field(default_factory=dict)
    _running: dict[str, Endable] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    @property
    def hold(self) -> ControlEntry | None:
        """The hold that nobody has ended."""
        last = [one for one in self.entries if one.what in {Control.HOLD, Control.RELEASE}]
        return last[-1] if last and last[-1].what is Control.HOLD else None

    @property
    def stops(self) -> bool:
        """Whether the run is to stand still before its next phase."""
        hold = self.hold
        return hold is not None and (hold.anyway or not self.costs)

    @property
    def told(self) -> str:
        """How the run is held, for people; empty when it is not."""
        if (hold := self.hold) is None:
            return ""
        words = f"held by {hold.by} since {hold.at:%H:%M}Z: {hold.reason}"
        if self.held_since is not None:
            return words
        return f"{words}; it goes on until then: {self.costs}" if not self.stops else f"{words}; from its next phase on"

    def lines(self, target: str) -> tuple[str, ...]:
        """Return what the UI shows of it, as Markdown: how it is held, what can be skipped or forced, and how."""
        lines = []
        if self.hold is not None:
            lines.append(f"{plain(self.told)}; goes on by `failover release {target} --by NAME`, or the update `release`")
        for what in (Control.SKIP, Control.FORCE):
            typed = f"`failover {what.value} {target} STEP --by NAME --reason WHY`, or the update `{what.value}`"
            if offers := ", ".join(f"{one.step} ({one.means})" for one in self.can(what)):
                lines.append(f"can be {what.done}: {offers}; {typed}")
        return (*lines, *(plain(one.told(f"{one.at:%H:%M}Z")) for one in self.entries))

    def offer(self, step: str, names: Iterable[str] = ()) -> None:
        """Let people skip or force ``step``, or each of ``names`` of it, until it is ``over``."""
        leeway = next(one for one in self.declared if one.step == step)
        self._ahead |= {f"{step}/{name}": leeway for name in names} if leeway.of_each else {step: leeway}

    def over(self, step: str, took: Control | None = None) -> None:
        """Take note that ``step`` is done, or was left out; ``took``: the order that was followed, others came too late."""
        self._ahead.pop(step, None)
        late = _TOO_LATE[took]
        self.entries = tuple(
            one.model_copy(update={"too_late": True}) if one.step == step and one.what in late else one
            for one in self.entries
        )

    def can(self, what: Control) -> tuple[Offer, ...]:
        """Return what can be skipped, or forced, now."""
        open_ = {step: leeway for step, leeway in self._ahead.items() if self.ordered(what, step) is None}
        told = {step: leeway.skip if what is Control.SKIP else leeway.force for step, leeway in open_.items()}
        return tuple(Offer(step=step, means=means) for step, means in told.items() if means)

    def ordered(self, what: Control, step: str) -> ControlEntry | None:
        """Return who has ordered that ``step`` is skipped or forced."""
        found = (one for one in self.entries if one.what is what and one.step == step and not one.too_late)
        return next(found, None)

    def must_be_offered(self, what: Control, step: str) -> None:
        """Return if ``step`` can be skipped or forced now. ValueError: it cannot; says what can."""
        now = [one.step for one in self.can(what)]
        if step in now:
            return
        if now:
            message = f"step: {step} cannot be {what.done} now; what can: {', '.join(now)}"
            raise ValueError(message)
        ever = [one.typed for one in self.declared if (one.skip if what is Control.SKIP else one.force)]
        told = f"what can, once the run changes something and until it is done: {', '.join(ever)}"
        message = f"step: {step} cannot be {what.done}; {told if ever else f'no step of this procedure can be {what.done}'}"
        raise ValueError(message)

    def must_be_new(self, order: HoldOrder) -> None:
        """Return if ``order`` changes something. ValueError: the run is held already."""
        if (hold := self.hold) is not None and (hold.anyway or not order.anyway):
            message = f"{self.told}; it cannot be held twice"
            raise ValueError(message)

    def after(self, explanation: str) -> str:
        """Return how the run has ended, with what was skipped or forced."""
        return "; ".join((explanation, *self.left_out))

    def keep_order(self, entry: ControlEntry) -> None:
        """Keep an order; a step that goes on, and that it is about, is asked to end."""
        self.entries = (*self.entries, entry)
        if (running := self._running.get(entry.step)) is not None:
            self._ended.add(entry.step)
            running.cancel()

    def begins(self, step: str, running: Endable) -> None:
        """Take note that ``step`` goes on."""
        self._running[step] = running

    def ends(self, step: str) -> bool:
        """Take note that ``step`` does not go on any more; return whether an order has ended it."""
        del self._running[step]
        asked = step in self._ended
        self._ended.discard(step)
        return asked
