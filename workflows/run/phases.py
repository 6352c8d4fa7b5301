"""Phases of a run, and which step belongs to which: the one table that live progress and reports share."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """What a run is doing (gerunds) or how it ended (participles)."""

    SURVEYING = "surveying"
    AWAITING_APPROVAL = "awaiting approval"
    CLAIMING = "claiming"
    FENCING = "fencing"
    PROVING = "awaiting proof"
    PROMOTING = "promoting"
    ROUTING = "routing"
    VERIFYING = "verifying"
    RECONNECTING = "reconnecting"
    REJOINING = "restoring redundancy"
    STRIKING = "ending a process"
    MENDING = "waiting for Kubernetes"
    REPLACING = "replacing pods"
    CORDONING = "cordoning"
    MOVING = "moving what leads from here"
    EVICTING = "evicting"
    BLOCKED = "blocked by a disruption budget"
    SETTLING = "waiting until all is ready elsewhere"
    UNDOING = "undoing"
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled back"
    ROLLBACK_INCOMPLETE = "rollback incomplete"
    STRANDED = "stranded"


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
