"""The members of a PostgreSQL cluster in tables: what was seen of each, and who may be promoted."""

from __future__ import annotations

from activities.postgres.models.survey import MemberFact, Survey
from activities.run.models.plan import Candidate
from starters.render.tables import Rows


def candidates_table(candidates: tuple[Candidate, ...], chosen: str, unknown: str = "unknown") -> Rows:
    """Return who may be promoted and why. ``unknown``: what stands where no LSN does."""
    table = Rows("candidate", "may lead", "because", "received", "lag")
    for one in candidates:
        lag = "unknown" if one.lag_bytes is None else f"{one.lag_bytes} B"
        late = "" if one.lag_seconds is None else f", {one.lag_seconds:.3f} s"
        name = f"{one.name}{' (chosen)' if one.name == chosen else ''}"
        table.add_row(name, "yes" if one.eligible else "no", one.reason, one.receive_lsn or unknown, lag + late)
    return table


def members_table(survey: Survey) -> Rows:
    """Return what gate, SQL and API server said of each member."""
    table = Rows("member", "gate", "SQL", "pod")
    for fact in survey.members:
        table.add_row(fact.name, _gate(fact), _sql(fact), _pod(fact))
    return table


def _gate(fact: MemberFact) -> str:
    gate = fact.gate
    return f"{gate.doing}; timeline {gate.timeline}, epoch {gate.epoch}" if gate else f"no answer: {fact.gate_error}"


def _sql(fact: MemberFact) -> str:
    if fact.sql is None:
        return f"no answer: {fact.sql_error}"
    return "standby (in recovery)" if fact.sql.in_recovery else "primary"


def _pod(fact: MemberFact) -> str:
    if fact.pod is None:
        return fact.pod_error or "unknown"
    return f"{fact.pod.phase}, {'ready' if fact.pod.ready else 'not ready'}, on {fact.pod.node or '?'}"
