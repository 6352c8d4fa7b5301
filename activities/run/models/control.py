"""What people have ordered of a run while it went on: to hold it, let it go on, leave a step out, or force one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from activities.run.models.wire import Wire


class Control(StrEnum):
    """What can be ordered."""

    HOLD = "hold"
    RELEASE = "release"
    SKIP = "skip"
    FORCE = "force"

    @property
    def done(self) -> str:
        """Return the same as what was done: ``held``, ``skipped``."""
        return {"hold": "held", "release": "released", "skip": "skipped", "force": "forced"}[self.value]


class ControlEntry(Wire):
    """One order that counted."""

    what: Control
    by: str
    at: datetime
    reason: str = ""
    step: str = ""
    """What is skipped or forced; empty for the rest."""
    anyway: bool = False
    """Held even where that keeps clients from being served."""
    key: str = ""
    """Fingerprint of the SSH key that has signed it; empty: nothing proves who sent it."""
    too_late: bool = False
    """The step was done when it was to be skipped or forced."""

    @property
    def why(self) -> str:
        """Return by whom and why: ``by omar: REASON``."""
        return f"by {self.by}: {self.reason}" if self.reason else f"by {self.by}"

    def told(self, when: str) -> str:
        """Return the order in one line, with its time as the reader writes times."""
        reason = f": {self.reason}" if self.reason else ""
        late = "; it was done already" if self.too_late else ""
        what = f"{self.step} {self.what.done}" if self.step else self.what.done
        proof = f", signed with {self.key}" if self.key else ""
        return f"{what} by {self.by}, {when}{proof}{reason}{late}"


class Offer(Wire):
    """A step that can be skipped or forced now, and what that means."""

    step: str
    means: str
