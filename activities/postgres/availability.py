"""Can anybody write to a cluster, and if not, who could take over? Pure: what a survey says, for doctor and for ``status``.

A planned failover, a pod that restarts and a frozen primary look alike to applications. What helps differs, so each has its
own next command. That a standby is *fit to lead* means that a forced plan would choose it; the plan itself looks again.
"""

from __future__ import annotations

from activities.postgres.diagnosis import diagnose
from activities.postgres.models.survey import MemberFact, Survey
from activities.run.models.diagnosis import LIVING, Condition, Diagnosis
from activities.run.models.doctor import Standing
from estate.postgres import PostgresTarget
from gate.api import Role, ServerState
from gate.record import NO_SYNC, Record

_KIND = "postgres"


def standing_of(target: PostgresTarget, survey: Survey) -> Standing:
    """Return whether the cluster takes writes and is redundant, why not, and what to type then."""
    record = survey.record
    if record is None:
        message = f"Service {target.cluster.write_service} has no leader record"
        return Standing(kind=_KIND, name=target.name, message=message, remedy=f"failover doctor {target.name}")
    leader = survey.member(record.leader) or MemberFact(name=record.leader, gate_error="not surveyed")
    if record.selector != record.leader:
        return _misrouted(target, record, survey)
    diagnosis = diagnose(survey, leader.name)
    redundant = record.sync != NO_SYNC
    if leader.sql is not None and not leader.sql.in_recovery:
        return Standing(kind=_KIND, name=target.name, leader=leader.name, takes_writes=True, redundant=redundant)
    if diagnosis.condition in LIVING and leader.sql is None:
        return Standing(kind=_KIND, name=target.name, leader=leader.name, redundant=redundant, message=diagnosis.reason)
    if diagnosis.condition is Condition.UNREACHABLE and all(
        fact.sql is None and fact.gate is None for fact in survey.members
    ):
        words = "no member answers: it may be the worker that is cut off"
        return Standing(
            kind=_KIND, name=target.name, leader=leader.name, message=words, remedy=f"failover doctor {target.name}"
        )
    return Standing(
        kind=_KIND,
        name=target.name,
        leader=leader.name,
        takes_writes=False,
        redundant=redundant,
        message=f"its leader {_what_is_wrong(leader, diagnosis)}; {_who_could_lead(target, record, survey)}",
        remedy=_remedy(target, record, diagnosis),
    )


def fit_to_lead(target: PostgresTarget, record: Record, survey: Survey) -> list[str]:
    """Return the standbys that answer, have every acknowledged write, and have room to lead."""
    return [fact.name for fact in survey.members if fact.name in record.sync_members and _stands_by(target, record, fact)]


def _stands_by(target: PostgresTarget, record: Record, fact: MemberFact) -> bool:
    gate = fact.gate
    if gate is None or fact.sql is None or fact.name == record.leader:
        return False
    runs = gate.server is ServerState.RUNNING and gate.role is Role.STANDBY
    room = gate.disk_free_bytes is not None and gate.disk_free_bytes >= target.cluster.thresholds.free_disk
    return runs and room and gate.system_identifier == record.system_identifier


def _what_is_wrong(leader: MemberFact, diagnosis: Diagnosis) -> str:
    if leader.gate is None and leader.sql is None:
        return f"{leader.name} answers neither SQL nor its gate"
    return diagnosis.reason


def _who_could_lead(target: PostgresTarget, record: Record, survey: Survey) -> str:
    fit = fit_to_lead(target, record, survey)
    if fit:
        return f"{' and '.join(fit)} {'is' if len(fit) == 1 else 'are'} fit to lead"
    late = [fact.name for fact in survey.members if _stands_by(target, record, fact)]
    if late:
        return f"{' and '.join(late)} may lack the last acknowledged writes"
    return "no standby is fit to lead"


def _remedy(target: PostgresTarget, record: Record, diagnosis: Diagnosis) -> str:
    if record.intent is not None or record.unfinished:
        return f"failover status {target.name}; if no run is open: failover resume {target.name} --by YOU"
    forced = f"failover plan postgres-failover {target.name} --mode forced"
    return f"its gate starts it; after a minute: {forced}" if diagnosis.condition is Condition.STARTING else forced


def _misrouted(target: PostgresTarget, record: Record, survey: Survey) -> Standing:
    chosen = survey.member(record.selector)
    writes = None if chosen is None or chosen.sql is None else not chosen.sql.in_recovery
    return Standing(
        kind=_KIND,
        name=target.name,
        leader=record.leader,
        takes_writes=writes,
        redundant=record.sync != NO_SYNC,
        message=f"Service {target.cluster.write_service} selects {record.selector or 'nobody'}, not its leader",
        remedy=f"failover doctor {target.name}",
    )
