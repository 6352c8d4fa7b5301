"""Phases of a run, what is true of each, and which step belongs to which row: what live progress and reports share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from typing import Self


class Trait(Flag):
    """What is true of a run in a phase."""

    CANCELLABLE = auto()
    """A cancel is honoured here, unless the run itself is past its point of no return."""
    WAITS_FOR_PEOPLE = auto()
    """Nothing goes on until somebody acts."""
    NO_WAY_BACK = auto()
    """No run in this phase can be undone, whichever procedure it is: for readers that cannot ask the run itself."""
    LONG = auto()
    """May last for minutes: worth looking less often."""


_OPEN = Trait.CANCELLABLE
_ASKING = Trait.WAITS_FOR_PEOPLE | Trait.LONG
_PAST = Trait.NO_WAY_BACK
_PLAIN = Trait(0)


class Phase(StrEnum):
    """What a run is doing (gerunds) or how it ended (participles), with the traits of a run in it."""

    _value_: str
    traits: Trait

    def __new__(cls, value: str, traits: Trait = _PLAIN) -> Self:
        """Make a member whose value is the text alone."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.traits = traits
        return member

    @classmethod
    def _missing_(cls, value: object) -> Phase | None:
        """Return the phase that an older version called ``value``."""
        return next((cls(new) for old, new in _FORMERLY.items() if old == value), None)

    SURVEYING = "surveying", _OPEN
    AWAITING_APPROVAL = "awaiting approval", _OPEN | _ASKING
    CHECKING = "awaiting the checklist", _OPEN | _ASKING
    CLAIMING = "claiming", _OPEN
    FENCING = "fencing", _OPEN
    PROVING = "awaiting proof", _OPEN | _ASKING
    PROMOTING = "promoting", _OPEN
    ROUTING = "routing", _PAST
    PREPARING = "preparing the other region", _OPEN | Trait.LONG
    APPLYING = "applying the overlay", _PAST
    VERIFYING = "verifying", _PAST
    RECONNECTING = "reconnecting", _PAST | Trait.LONG
    REJOINING = "restoring redundancy", Trait.LONG
    STRIKING = "injecting a fault", _OPEN
    MENDING = "waiting for recovery", _OPEN
    REPLACING = "replacing pods", _OPEN
    CORDONING = "cordoning", _OPEN
    MOVING = "failing over hosted leaders", _OPEN
    EVICTING = "evicting", _OPEN
    BLOCKED = "blocked by a disruption budget", _OPEN | _ASKING
    SETTLING = "waiting for replacements", _OPEN
    MOVING_TRAFFIC = "moving the traffic", _OPEN | Trait.LONG
    SPREADING = "waiting for the edge and DNS", _OPEN | Trait.LONG
    CHANGING = "changing the gateway", _OPEN
    RETURNING = "waiting for the lost region", _OPEN | Trait.LONG
    RESTORING = "restoring the pair", _OPEN | Trait.LONG
    DRILLING = "drilling", _OPEN | Trait.LONG
    DRILLING_BACK = "drilling: the way back", Trait.LONG
    JUDGING = "awaiting a judgement", _OPEN | _ASKING
    HELD = "held", _OPEN | _ASKING
    REVIEWING = "awaiting the checklist after", _ASKING
    UNDOING = "undoing"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled back"
    ROLLBACK_INCOMPLETE = "rollback incomplete"
    STRANDED = "stranded", _PAST | Trait.LONG


_FORMERLY = {
    "ending a process": "injecting a fault",
    "waiting for Kubernetes": "waiting for recovery",
    "moving what leads from here": "failing over hosted leaders",
    "waiting until all is ready elsewhere": "waiting for replacements",
}
"""What histories of the first version call phases."""


def has(phase: str, trait: Trait) -> bool:
    """Whether ``phase``, as history tells it, has ``trait``; one that this version does not know has none."""
    try:
        return trait in Phase(phase).traits
    except ValueError:
        return False


class ReportPhase(StrEnum):
    """Rows of the report's timeline, which shows them in the order of their beginnings."""

    DECIDE = "decide"
    APPROVE = "approve"
    HOLD = "held"
    CHECK = "checklist"
    CLAIM = "claim"
    FENCE = "fence"
    PROMOTE = "promote"
    OVERLAY = "apply overlay"
    START = "start applications"
    ROUTE = "route"
    VERIFY = "verify"
    RECONNECT = "reconnect"
    REDUNDANCY = "restore redundancy"
    STRIKE = "inject a fault"
    REPLACE = "replace"
    MEND = "recover"
    CORDON = "cordon"
    MOVE = "fail over leaders"
    EVICT = "evict"
    SETTLE = "await replacements"
    TRAFFIC = "move the traffic"
    SPREAD = "edge and DNS"
    DRILL = "drill"
    BACK = "way back"
    JUDGE = "judge"
    REVIEW = "checklist afterwards"
    UNDO = "undo"


class Part(StrEnum):
    """What a step is to the measured outage."""

    STOPS = "stops writes"
    MOVES = "moves leadership"
    PROVES = "proves that writes flow again"
    CONFIRMS = "confirms that the old leader is stopped"
    UNDOES = "gives writes back"


@dataclass(frozen=True)
class Shown:
    """Where a step is shown, and what its answer tells of a run that has no report (yet)."""

    row: ReportPhase | None = None
    """``None``: it runs beside the phases or after them, or is short and single."""
    fills: str = ""
    """Field of the procedure's details."""
    part: Part | None = None
    measures: bool = False
    """Its answer is the ``Measurement``."""
    resolves: bool = False
    """Its answer is the target."""
