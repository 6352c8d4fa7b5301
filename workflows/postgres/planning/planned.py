"""Decides from a survey whether a planned switch may happen, and to whom. Pure, so that every branch is a plain test.

Missing data means no: a gate, a server or a figure that is unknown refuses, with a sentence that has a name or a number
in it. The plan's digest covers decisions only; an LSN that moved on between two surveys is the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.survey import MemberFact, Survey
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import Silence
from activities.run.models.plan import Candidate
from estate.postgres import PostgresTarget, Reconnect
from gate.api import SYNCHRONOUS, GateStatus, Role, ServerState
from gate.record import Mode, Record
from workflows.postgres.models import FailoverRequest
from workflows.postgres.planning.left_behind import left_behind

FULL = frozenset((Silence.NO_ROOM,))
"""All connection slots are taken, by readers or by applications that come back: a server that lives."""


@dataclass(frozen=True)
class Limitation:
    """Why a member may not lead."""

    kind: Refusal
    reason: str


def must_hand_over(member: str, survey: Survey, target: PostgresTarget) -> None:
    """Refuse to relieve ``member``, which is asked to end, when another one leads already or the estate says no by now."""
    if not target.watching.relieves:
        words = f"{member} is asked to end, and watch.hand_over or watch.policy of {target.name} says: let it end"
        raise refuse(Refusal.NOT_AVAILABLE, words)
    if survey.record is not None and survey.record.leader != member:
        words = f"{survey.record.leader} leads, and {member} is asked to end: nothing is to be done"
        raise refuse(Refusal.MOVED_ALREADY, words)


def make_plan(request: FailoverRequest, target: PostgresTarget, survey: Survey) -> PostgresPlan:
    """Return the plan for a planned switch: to the first fit standby in the order of the estate.

    The order decides, not who has received most at this moment: all that are fit get everything, and the choice must not
    change while people make up their minds.

    Raises:
        ApplicationError: with the ``Refusal`` that applies; nothing was changed.

    """
    record = usable_record(survey, target)
    leader = leader_of(record, survey)
    standbys = [fact for fact in survey.members if fact.name != record.leader]
    limits = {fact.name: limitation(fact, leader, record, target) for fact in standbys}
    candidates = tuple(as_candidate(fact, limits[fact.name], "streams synchronously and is caught up") for fact in standbys)
    chosen = fit(request.to, record, candidates, limits)[0]
    return PostgresPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        primary=record.leader,
        candidate=chosen.name,
        epoch=record.epoch,
        timeline=leader.timeline or 0,
        system_identifier=record.system_identifier,
        sync=record.sync,
        candidates=candidates,
        applications=target.cluster.applications,
        steps=_steps(record, chosen.name, target),
        left_behind=left_behind(survey, record.leader, chosen.name),
    ).sealed()


def usable_record(survey: Survey, target: PostgresTarget) -> Record:
    """Return the leader record if a switch may start from it."""
    record, service = survey.record, target.cluster.write_service
    if record is None:
        raise refuse(Refusal.NO_RECORD, f"Service {service} has no leader record; its gates have not started yet")
    if record.selector != record.leader:
        raise refuse(
            Refusal.RECORD_DISAGREES,
            f"Service {service} sends writes to {record.receivers}, but its record names {record.leader};"
            f" somebody changed the selector: find out who (failover doctor), then failover repair {target.name}",
        )
    if record.intent is not None:
        raise refuse(
            Refusal.CLAIMED_ELSEWHERE,
            f"an unfinished switch to {record.intent.candidate} by {record.intent.run} stands in the record;"
            " a run with run=real recovers it first",
        )
    if ahead := survey.ahead:
        seen = ", ".join(f"{name} has seen epoch {epoch}" for name, epoch in ahead.items())
        raise refuse(
            Refusal.RECORD_DISAGREES,
            f"the record on Service {service} is older than what has been seen: it names {record.leader} at epoch"
            f" {record.epoch}, and {seen}; a person must decide who leads: failover repair {target.name}",
        )
    if record.leader not in target.cluster.members:
        raise refuse(Refusal.RECORD_DISAGREES, f"the record names {record.leader}, which the estate does not list")
    return record


def leader_of(record: Record, survey: Survey) -> GateStatus:
    """Return the primary's status once gate and SQL agree that it, and nobody else, leads."""
    for fact in survey.members:
        if fact.name != record.leader and claims_to_lead(fact):
            raise refuse(Refusal.TWO_PRIMARIES, f"{fact.name} is out of recovery beside the leader {record.leader}")
    return _agreed(record, survey.member(record.leader) or MemberFact(name=record.leader, gate_error="not surveyed"))


def _agreed(record: Record, fact: MemberFact) -> GateStatus:
    """Return the leader's status if gate, SQL and record say the same."""
    if fact.gate is None:
        raise refuse(Refusal.UNREACHABLE, f"the gate of {record.leader} does not answer: {fact.gate_error}")
    if fact.gate.server is not ServerState.RUNNING or fact.gate.role is not Role.PRIMARY:
        raise refuse(Refusal.NO_PRIMARY, f"{record.leader} does not run as primary: its gate {fact.gate.doing}")
    if fact.sql is None and fact.sql_silence not in FULL:
        raise refuse(Refusal.UNREACHABLE, f"{record.leader} does not answer SQL: {fact.sql_error}")
    if fact.sql is not None and fact.sql.in_recovery:
        raise refuse(Refusal.NO_PRIMARY, f"{record.leader} says by SQL that it is in recovery")
    if fact.gate.system_identifier != record.system_identifier:
        raise refuse(
            Refusal.RECORD_DISAGREES,
            f"{record.leader} has system identifier {fact.gate.system_identifier}, the record {record.system_identifier}",
        )
    return fact.gate


def claims_to_lead(fact: MemberFact) -> bool:
    """Whether gate or SQL say that the member is out of recovery."""
    by_gate = fact.gate is not None and fact.gate.role is Role.PRIMARY
    return by_gate or (fact.sql is not None and not fact.sql.in_recovery)


def limitation(fact: MemberFact, leader: GateStatus, record: Record, target: PostgresTarget) -> Limitation | None:
    """Return why ``fact`` may not be promoted in a planned switch, or ``None``."""
    gate = fact.gate
    unfit = no_standby(fact, record, target)
    if gate is None or unfit is not None:
        return unfit
    if gate.timeline != leader.timeline:
        return Limitation(
            Refusal.WRONG_TIMELINE, f"{fact.name} is on timeline {gate.timeline}, {leader.member} on {leader.timeline}"
        )
    return _follows(fact, gate, leader, record) or _is_close(gate, target)


def no_standby(fact: MemberFact, record: Record, target: PostgresTarget) -> Limitation | None:
    """Return why ``fact`` is no standby of this cluster that answers, which every promotion wants; ``None`` when it is.

    Its gate asks the server as superuser, on a socket of its own, and says all that SQL would say where no slot is free for
    the worker. One that the worker's login does not open is refused: no route to it could be verified.
    """
    gate = fact.gate
    if gate is None:
        return Limitation(Refusal.UNREACHABLE, f"the gate of {fact.name} does not answer: {fact.gate_error}")
    if gate.server is not ServerState.RUNNING or gate.role is not Role.STANDBY:
        words = f"{fact.name} does not run as a standby: its gate {gate.doing}"
        full = has_room(gate, target)
        return Limitation(Refusal.NO_STANDBY, f"{words}; {full.reason}" if full else words)
    if fact.sql is None and fact.sql_silence not in FULL:
        return Limitation(Refusal.UNREACHABLE, f"{fact.name} does not answer SQL: {fact.sql_error}")
    return must_be_of_the_cluster(fact.name, gate, record)


def must_be_of_the_cluster(name: str, gate: GateStatus, record: Record) -> Limitation | None:
    """Return the limitation of a member that was set up as another system."""
    if gate.system_identifier != record.system_identifier:
        return Limitation(Refusal.NO_STANDBY, f"{name} belongs to another system, {gate.system_identifier}")
    return None


def _follows(fact: MemberFact, gate: GateStatus, leader: GateStatus, record: Record) -> Limitation | None:
    follower = next((row for row in leader.followers if row.member == fact.name), None)
    if follower is None or follower.state != "streaming":
        state = follower.state if follower else "absent"
        return Limitation(Refusal.NO_STANDBY, f"{fact.name} does not stream from {leader.member}: state {state}")
    if gate.upstream != leader.member:
        words = f"{leader.member} says that {fact.name} streams from it, the gate of {fact.name} does not see it yet"
        return Limitation(Refusal.NO_STANDBY, f"{words}; start again in a moment")
    if fact.name not in record.sync_members or follower.sync_state not in SYNCHRONOUS:
        return Limitation(
            Refusal.STANDBY_ASYNCHRONOUS,
            f"{fact.name} is {follower.sync_state}, the record says sync={record.sync}; a planned switch could lose writes",
        )
    return None


def _is_close(gate: GateStatus, target: PostgresTarget) -> Limitation | None:
    limits = target.cluster.thresholds
    if gate.lag_bytes is None or gate.receive_lsn is None:
        return Limitation(Refusal.LAG_UNKNOWN, f"the lag of {gate.member} is unknown")
    if gate.lag_bytes > limits.planned_lag:
        return Limitation(
            Refusal.LAG_TOO_LARGE,
            f"{gate.member} lags {gate.lag_bytes} bytes, the limit is {int(limits.planned_lag)} (thresholds.planned_lag)",
        )
    return has_room(gate, target)


def has_room(gate: GateStatus, target: PostgresTarget) -> Limitation | None:
    """Return the limitation of a member whose disk is too full to lead."""
    limits = target.cluster.thresholds
    if gate.disk_free_bytes is None or gate.disk_free_bytes < limits.free_disk:
        return Limitation(
            Refusal.DISK_TOO_FULL,
            f"{gate.member} has {gate.disk_free_bytes} bytes free, the limit is {int(limits.free_disk)}"
            " (thresholds.free_disk)",
        )
    return None


def as_candidate(fact: MemberFact, limit: Limitation | None, praise: str) -> Candidate:
    """Return what the plan says of a standby; ``praise`` is for one without limitation."""
    gate = fact.gate
    return Candidate(
        name=fact.name,
        eligible=limit is None,
        reason=limit.reason if limit else f"{praise}{_by_its_gate_alone(fact)}",
        receive_lsn=gate.receive_lsn if gate else None,
        lag_bytes=gate.lag_bytes if gate else None,
        lag_seconds=gate.lag_seconds if gate else None,
    )


def _by_its_gate_alone(fact: MemberFact) -> str:
    """Return what the plan adds of a standby that has turned the worker's SQL away."""
    if fact.sql is not None:
        return ""
    if fact.sql_silence in FULL:
        return ", as its gate says; it has no connection slot free for the worker"
    return f", as its gate says; it turns the worker away: {fact.sql_error}"


def fit(
    wanted: str | None, record: Record, candidates: tuple[Candidate, ...], limits: dict[str, Limitation | None]
) -> list[Candidate]:
    """Return those that may lead, or just the wanted one; refuse when there is none."""
    if wanted == record.leader:
        raise refuse(Refusal.BAD_INPUT, f"to: {wanted} leads already")
    if wanted is not None and wanted not in limits:
        known = ", ".join(limits) or "none"
        raise refuse(Refusal.BAD_INPUT, f"to: {wanted} is no standby of this cluster; standbys: {known}")
    pool = [one for one in candidates if wanted in (None, one.name)]
    able = [one for one in pool if one.eligible]
    if able:
        return able
    faults = [fault for one in pool if (fault := limits[one.name]) is not None]
    if not faults:
        raise refuse(Refusal.NO_STANDBY, f"{record.leader} has no standby in the estate")
    kind = faults[0].kind if len({fault.kind for fault in faults}) == 1 else Refusal.NO_STANDBY
    raise refuse(kind, "; ".join(fault.reason for fault in faults))


def _steps(record: Record, candidate: str, target: PostgresTarget) -> tuple[str, ...]:
    old, service = record.leader, target.cluster.write_service
    restarts = [app.deployment for app in target.cluster.applications if app.reconnect is Reconnect.ROLLOUT]
    return (
        f"checkpoint: {old}, so that its stop is short",
        f"claim: leader record on Service {service} gets the intent {candidate} and epoch {record.epoch + 1}",
        f"fence: {old} is stopped cleanly and kept stopped; its sessions end",
        f"promote: {candidate}, once it has received everything up to the shutdown checkpoint (no way back from here)",
        f"route: Service {service} sends writes to {candidate}",
        f"verify: a write through Service {service} reaches {candidate}",
        f"evict: no session of an application is left on {old}",
        *(f"reconnect: rolling restart of Deployment {name}" for name in restarts),
        f"restore redundancy: {old} follows {candidate} and is synchronous again",
    )
