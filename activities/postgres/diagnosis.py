"""Is the primary dead, frozen, busy, or only out of reach from here? Pure: says what the witnesses of a survey amount to.

Four witnesses look from four places: SQL from the worker, the gate beside the server, the API server (the pod), and the
gates of the standbys. One that *answers* counts more than any number that are silent: silence has many causes, and only an
answer has one. None of this is proof that the server is stopped; see ``activities.postgres.fencing``.
"""

from __future__ import annotations

from activities.postgres.models.survey import MemberFact, Survey
from activities.run.models.diagnosis import Condition, Diagnosis, Silence
from gate.api import GateStatus, Role, ServerState

_FRESH_SECONDS = 0.4
"""A standby is asked again when the leader has been silent to the worker for half a second; its gate looks every 0.2 s.
A primary with nothing to send may be silent for 5 s; then it only counts as out of reach, which is no proof either."""
_HUNG_SECONDS = 3.0
_STOPPED_PODS = {"Failed", "Succeeded"}


def diagnose(survey: Survey, leader: str) -> Diagnosis:
    """Return what has become of ``leader``, and what each witness said."""
    fact = survey.member(leader) or MemberFact(name=leader, gate_error="not surveyed", sql_error="not surveyed")
    others = [one for one in survey.members if one.name != leader]
    condition, reason = _condition(fact, [one.gate for one in others if one.gate is not None])
    asks_its_gate = fact.sql is None and fact.gate is not None and not fact.gate.frozen and condition is Condition.FROZEN
    return Diagnosis(
        condition=condition,
        reason=f"{leader} {reason}",
        gate_decides=condition in {Condition.STOPPED, Condition.STARTING} or asks_its_gate,
        evidence=tuple(_evidence(fact, others)),
    )


def _condition(fact: MemberFact, standbys: list[GateStatus]) -> tuple[Condition, str]:  # noqa: PLR0911 - one a rule
    if fact.sql is not None:
        return Condition.ALIVE, "answers SQL" + (" in recovery" if fact.sql.in_recovery else "")
    if fact.gate is not None:
        return _by_its_gate(fact, fact.gate)
    for standby in standbys:
        silent = standby.upstream_silent_seconds
        if standby.upstream == fact.name and silent is not None and silent < _FRESH_SECONDS:
            return Condition.ALIVE, f"still sends WAL to {standby.member}, which heard from it {silent:.1f} s ago"
    if fact.sql_silence is not None and fact.sql_silence.is_answer:
        return Condition.ALIVE, f"turns the worker away: {fact.sql_error}"
    if fact.pod is not None and (fact.pod.phase in _STOPPED_PODS or fact.pod.container not in {"", "running"}):
        return Condition.DEAD, f"has ended: its pod is {fact.pod.phase}, its container {fact.pod.container or 'unknown'}"
    if fact.gate_silence is Silence.REFUSED and fact.sql_silence is Silence.REFUSED:
        return Condition.DEAD, "is gone: its address refuses connections to gate and server"
    if Silence.NO_ANSWER in {fact.gate_silence, fact.sql_silence}:
        return Condition.FROZEN, "takes connections and answers nothing: gate and server are frozen"
    return Condition.UNREACHABLE, "cannot be reached by anybody: it may be dead, or run where nobody can see it"


def _by_its_gate(fact: MemberFact, gate: GateStatus) -> tuple[Condition, str]:  # noqa: PLR0911 - one a rule
    if gate.server is ServerState.STOPPED:
        return Condition.STOPPED, f"is down: its gate {gate.doing}"
    if gate.frozen:
        return Condition.FROZEN, "is frozen: its processes are stopped where they are (SIGSTOP)"
    if gate.server is ServerState.STOPPING or fact.sql_silence is Silence.REFUSED:
        return Condition.STOPPED, f"is stopping or has just stopped: its gate {gate.doing}, and nobody listens there"
    if gate.role is Role.PRIMARY:
        if fact.sql_silence is Silence.NO_ROOM:
            return Condition.BUSY, f"answers its gate and turns clients away: {fact.sql_error}"
        return Condition.ALIVE, f"answers its gate, though not the worker's SQL: {fact.sql_error}"
    if gate.server is ServerState.STARTING and (gate.silent_seconds or 0) < _HUNG_SECONDS:
        return Condition.STARTING, f"is being started: its gate {gate.doing}"
    if gate.role is Role.STANDBY:
        return Condition.STARTING, "is the named leader and still in recovery"
    return Condition.FROZEN, f"has not answered its own gate for {gate.silent_seconds or 0:.1f} s"


def _evidence(fact: MemberFact, others: list[MemberFact]) -> list[str]:
    lines = [
        f"SQL from the worker: {'answers' if fact.sql else fact.sql_error or 'no answer'}",
        f"its gate: {fact.gate.doing if fact.gate else fact.gate_error or 'no answer'}",
    ]
    pod = fact.pod
    if pod is None:
        lines.append(f"API server: {fact.pod_error or 'knows of no such pod'}")
    else:
        ready = "ready" if pod.ready else "not ready"
        lines.append(f"API server: pod {pod.phase}, {ready}, container {pod.container or 'unknown'}, node {pod.node or '?'}")
    for other in others:
        if other.gate is None:
            lines.append(f"gate of {other.name}: {other.gate_error or 'no answer'}")
            continue
        heard = other.gate.heard.get(fact.name)
        hears = f"heard its gate {heard:.1f} s ago" if heard is not None else "has not heard its gate"
        streams = "receives WAL from it" if other.gate.upstream == fact.name else "receives no WAL from it"
        lines.append(f"gate of {other.name}: {hears}, {streams}")
    return lines
