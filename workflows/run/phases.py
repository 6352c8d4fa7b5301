"""Phases of a run, what is true of each, and which step belongs to which row: what live progress and reports share."""

from __future__ import annotations

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

    SURVEYING = "surveying", _OPEN
    AWAITING_APPROVAL = "awaiting approval", _OPEN | _ASKING
    CLAIMING = "claiming", _OPEN
    FENCING = "fencing", _OPEN
    PROVING = "awaiting proof", _OPEN | _ASKING
    PROMOTING = "promoting", _OPEN
    ROUTING = "routing", _PAST
    VERIFYING = "verifying", _PAST
    RECONNECTING = "reconnecting", _PAST | Trait.LONG
    REJOINING = "restoring redundancy", Trait.LONG
    STRIKING = "ending a process", _OPEN
    MENDING = "waiting for Kubernetes", _OPEN
    REPLACING = "replacing pods", _OPEN
    CORDONING = "cordoning", _OPEN
    MOVING = "moving what leads from here", _OPEN
    EVICTING = "evicting", _OPEN
    BLOCKED = "blocked by a disruption budget", _OPEN | _ASKING
    SETTLING = "waiting until all is ready elsewhere", _OPEN
    UNDOING = "undoing"
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled back"
    ROLLBACK_INCOMPLETE = "rollback incomplete"
    STRANDED = "stranded", _PAST | Trait.LONG


def has(phase: str, trait: Trait) -> bool:
    """Whether ``phase``, as history tells it, has ``trait``; one that this version does not know has none."""
    return phase in set(Phase) and trait in Phase(phase).traits


class ReportPhase(StrEnum):
    """Rows of the report's timeline, in order."""

    DECIDE = "decide"
    APPROVE = "approve"
    CLAIM = "claim"
    FENCE = "fence"
    PROMOTE = "promote"
    ROUTE = "route"
    VERIFY = "verify"
    RECONNECT = "reconnect"
    REDUNDANCY = "restore redundancy"
    STRIKE = "strike"
    REPLACE = "replace"
    MEND = "mend"
    CORDON = "cordon"
    MOVE = "move leaders"
    EVICT = "evict"
    SETTLE = "settle"
    UNDO = "undo"


REPORT_PHASE_OF_STEP = {
    "estate.resolve": ReportPhase.DECIDE,
    "postgres.settle": ReportPhase.DECIDE,
    "postgres.survey": ReportPhase.DECIDE,
    "kubernetes.preview": ReportPhase.DECIDE,
    "postgres.claim": ReportPhase.CLAIM,
    "postgres.adopt": ReportPhase.CLAIM,
    "postgres.first_record": ReportPhase.CLAIM,
    "postgres.checkpoint": ReportPhase.CLAIM,
    "kubernetes.await_quiet": ReportPhase.CLAIM,
    "postgres.fence": ReportPhase.FENCE,
    "postgres.prove": ReportPhase.FENCE,
    "postgres.promote": ReportPhase.PROMOTE,
    "postgres.revert": ReportPhase.PROMOTE,
    "postgres.route": ReportPhase.ROUTE,
    "postgres.verify": ReportPhase.VERIFY,
    "postgres.evict": ReportPhase.RECONNECT,
    "kubernetes.reconnect": ReportPhase.RECONNECT,
    "postgres.first_write": ReportPhase.RECONNECT,
    "postgres.await_redundancy": ReportPhase.REDUNDANCY,
    "postgres.give_back": ReportPhase.UNDO,
    "estate.resolve_redis": ReportPhase.DECIDE,
    "redis.survey": ReportPhase.DECIDE,
    "redis.settle": ReportPhase.DECIDE,
    "redis.quiesce": ReportPhase.FENCE,
    "redis.switch": ReportPhase.PROMOTE,
    "redis.elected": ReportPhase.PROMOTE,
    "redis.verify": ReportPhase.VERIFY,
    "redis.agree": ReportPhase.REDUNDANCY,
    "redis.resume": ReportPhase.UNDO,
    "estate.resolve_workload": ReportPhase.DECIDE,
    "pods.survey": ReportPhase.DECIDE,
    "pods.strike": ReportPhase.STRIKE,
    "pods.replace": ReportPhase.REPLACE,
    "pods.mended": ReportPhase.MEND,
    "node.resolve": ReportPhase.DECIDE,
    "node.survey": ReportPhase.DECIDE,
    "node.cordon": ReportPhase.CORDON,
    "node.drain": ReportPhase.EVICT,
    "node.settled": ReportPhase.SETTLE,
    "node.uncordon": ReportPhase.CORDON,
    "node.replace": ReportPhase.REPLACE,
    "node.give_up": ReportPhase.FENCE,
    "node.returned": ReportPhase.REDUNDANCY,
    "node.stopped": ReportPhase.FENCE,
    "child postgres-failover": ReportPhase.MOVE,
    "child redis-failover": ReportPhase.MOVE,
}
"""Registered activity name → row; "child TYPE" for a run that this one waits for. Approval has no step: it lasts as long as
the phase. Steps that are in no row: those that run beside the phases or after them (measuring, keeping the report, waiting
for what others move), and single short ones (a rejoin, the last word to the record)."""
