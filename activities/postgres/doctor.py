"""From a survey to doctor's findings, each one line with its remedy. Pure; ``activities.doctor`` does the looking."""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.postgres.availability import standing_of
from activities.postgres.isolation import unlisted
from activities.postgres.models.survey import MemberFact, Survey
from activities.run.findings import fault, ok, outage, warning
from activities.run.models.diagnosis import Silence
from activities.run.models.doctor import Finding
from estate.postgres import Durability, PostgresTarget, ProofKind
from gate.api import GateStatus, Role, ServerState
from gate.loop.pause import is_paused, pause_words
from gate.record import NO_SYNC, Record

_RENEWED_BEFORE = timedelta(days=7)
"""Whoever renews certificates does so well before: one that is nearer to its end was forgotten."""


def of_survey(target: PostgresTarget, survey: Survey) -> list[Finding]:
    """Return what a survey shows: an outage first, then the record, then each member."""
    record = survey.record
    if record is None:
        waiting = [fact.name for fact in survey.members if fact.gate is not None and not fact.gate.empty]
        remedy = "start the gates; the first member makes it"
        if waiting:
            remedy = f"{', '.join(waiting)} have data and wait for a person: failover adopt {target.name} --plan"
        return [fault(f"Service {target.cluster.write_service}", "has no leader record", remedy)]
    standing = standing_of(target, survey)
    down = standing.takes_writes is False
    findings = [outage(target.name, f"WRITES ARE DOWN: {standing.message}", standing.remedy)] if down else []
    findings += [*_of_record(target, record, down=down), *_of_older_record(target, survey)]
    findings += [*_of_pause(target, record, survey.at), *_of_commits(record, survey)]
    for fact in survey.members:
        held = _is_held(record, fact, survey.at)
        findings += _of_held(target, fact) if held else _of_member(target, record, fact, down=down)
        findings += _of_certificate(fact, survey.at)
    return findings


def _of_certificate(fact: MemberFact, now: datetime) -> list[Finding]:
    ends_at = fact.gate.certificate_ends_at if fact.gate else None
    if ends_at is None or ends_at - now > _RENEWED_BEFORE:
        return []
    remedy = "renew the Secret that GATE_TLS_CERTIFICATE is mounted from; the gate serves a new one within a minute"
    if ends_at <= now:
        return [
            fault(
                fact.name, f"its certificate ended at {ends_at:%Y-%m-%d %H:%M} UTC: who verifies it gets in no more", remedy
            )
        ]
    return [warning(fact.name, f"its certificate ends at {ends_at:%Y-%m-%d %H:%M} UTC", remedy)]


def _of_record(target: PostgresTarget, record: Record, *, down: bool) -> list[Finding]:
    """Return what the record says. That it is in order is left out while nobody can write: it would mislead."""
    service = f"Service {target.cluster.write_service}"
    findings = [] if down else [ok(service, f"sends writes to {record.leader}, epoch {record.epoch}")]
    if record.selector != record.leader:
        remedy = f"find out who changed the selector, then: failover repair {target.name}"
        findings = [fault(service, f"sends writes to {record.receivers}, its record names {record.leader}", remedy)]
    owner = record.owner
    if owner:
        remedy = (
            f"follow that run; if it is closed, start postgres-failover {target.name} with run=real: it recovers this first"
        )
        findings.append(warning(service, f"an unfinished switch of {owner} stands in the record", remedy))
    if record.sync == NO_SYNC:
        remedy = "bring a standby back (failover start postgres-rejoin); until then a planned failover is refused"
        findings.append(fault(service, "NOT REDUNDANT: commits wait for no standby", remedy))
    elif not down:
        findings.append(ok(service, f"commits wait for {record.sync}"))
    if strangers := [name for name in record.sync_members if name not in target.cluster.members]:
        remedy = "list it in the estate; as long as it is not, a forced failover cannot say that nothing is lost"
        words = f"commits may wait for {', '.join(strangers)}, which the estate does not list"
        findings.append(fault(service, words, remedy))
    return findings


def _of_older_record(target: PostgresTarget, survey: Survey) -> list[Finding]:
    """Return the fault that the record is an old copy; a claim that is being undone passes by itself."""
    record = survey.record
    if record is None or record.intent is not None or not survey.ahead:
        return []
    seen = ", ".join(f"{name} has seen epoch {epoch}" for name, epoch in survey.ahead.items())
    message = f"THE LEADER RECORD IS OLDER: it names {record.leader} at epoch {record.epoch}, and {seen}"
    remedy = f"find out who put it back; nobody moves until a person decides: failover repair {target.name}"
    return [fault(f"Service {target.cluster.write_service}", message, remedy)]


def _of_commits(record: Record, survey: Survey) -> list[Finding]:
    if not (weak := survey.weak_commit_settings):
        return []
    remedy = "remove it: a commit that waits for nobody can be lost, or be taken by a second writer"
    return [fault(record.leader, f"synchronous_commit is weakened for {', '.join(weak)}", remedy)]


def _of_pause(target: PostgresTarget, record: Record, now: datetime) -> list[Finding]:
    if not is_paused(record, now):
        return []
    remedy = f"no member rejoins automatically meanwhile; end it: failover pause {target.name} --off"
    subject = f"Service {target.cluster.write_service}"
    return [warning(subject, f"automatic rejoin is {pause_words(record)}", remedy)]


def _is_held(record: Record, fact: MemberFact, now: datetime) -> bool:
    """Whether a pause keeps the member stopped: what is wanted is no fault."""
    gate = fact.gate
    stopped = gate is not None and gate.server is ServerState.STOPPED
    return stopped and fact.name != record.leader and is_paused(record, now)


def _of_held(target: PostgresTarget, fact: MemberFact) -> list[Finding]:
    """Return one warning for all that follows from the pause, and what is wrong beside it."""
    told = warning(fact.name, "held by the pause: it is stopped and follows nobody", f"failover pause {target.name} --off")
    return [told, *(_of_volume(target, fact.gate) if fact.gate else [])]


def _of_member(target: PostgresTarget, record: Record, fact: MemberFact, *, down: bool) -> list[Finding]:
    name, fails = fact.name, down and fact.name == record.leader
    first = f"kubectl describe pod {name}; " if fails else ""
    findings = []
    if fact.gate is None:
        message = f"its gate does not answer: {fact.gate_error}"
        findings.append(fault(name, message, f"{first}see the pod and its network policy"))
    else:
        findings += _of_gate(target, record, fact.gate)
    if fact.sql is None and fact.sql_silence is Silence.NO_ROOM:
        remedy = "end idle sessions, or raise max_connections on all members, standbys first; its gate still sees it"
        findings.append(warning(name, f"has no connection slot free: {fact.sql_error}", remedy))
    elif fact.sql is None:
        message = f"does not answer SQL: {fact.sql_error}"
        findings.append(fault(name, message, f"{first}see login in the estate and pg_hba.conf"))
    else:
        findings.append(ok(name, f"answers SQL as {target.cluster.login.user}"))
    if fact.pod is None:
        findings.append(fault(name, fact.pod_error or "has no pod", "see members in the estate, and the StatefulSet"))
    elif not fact.pod.ready:
        findings.append(warning(name, f"its pod is {fact.pod.phase} and not ready", f"kubectl describe pod {name}"))
    return findings


def _of_gate(target: PostgresTarget, record: Record, gate: GateStatus) -> list[Finding]:
    name = gate.member
    expected = Role.PRIMARY if name == record.leader else Role.STANDBY
    findings = [ok(name, f"its gate answers: {gate.doing}")]
    if gate.role is not expected:
        remedy = f"kubectl logs {name}; its gate says what it waits for"
        findings = [fault(name, f"should be {expected.value} but its gate says: {gate.doing}", remedy)]
    for row in (row for row in gate.followers if row.ahead):
        message = f"{row.member} has WAL that was never written here: this member's disk was set back, rows are missing"
        remedy = f"stop what writes, and decide who leads: failover start postgres-failover {target.name} --mode forced"
        rest = f"--to {row.member} --attest loses what was written since; copying {row.member} again loses its rows"
        findings.append(fault(name, message, f"{remedy} {rest}"))
    if gate.unanswered:
        remedy = "see its load, and who holds locks on its catalog (pg_locks); its place behind its Service is kept"
        findings.append(warning(name, gate.unanswered, remedy))
    allowed = target.cluster.forced.isolation_timeout.total_seconds()
    if ProofKind.ISOLATION in target.cluster.forced.proof and gate.isolation_seconds not in {None, allowed}:
        message = f"its watchdog waits {gate.isolation_seconds:g} s, the estate counts on {allowed:g} s"
        remedy = "make GATE_ISOLATION_TIMEOUT and forced.isolation_timeout equal: a promotion would not wait long enough"
        findings.append(fault(name, message, remedy))
    if strangers := unlisted(target, gate):
        message = f"knows of members that the estate does not list: {', '.join(sorted(strangers))}"
        remedy = "make GATE_MEMBERS and members in the estate equal: until then silence proves nothing of a primary"
        findings.append(fault(name, message, remedy))
    if expected is Role.STANDBY and target.cluster.durability is Durability.STRICT and name not in record.sync_members:
        findings.append(warning(name, "is not synchronous although durability is strict", f"kubectl logs {name}"))
    return [*findings, *_of_contents(gate, expected), *_of_volume(target, gate)]


def _of_volume(target: PostgresTarget, gate: GateStatus) -> list[Finding]:
    """Return what is wrong with the member's disk."""
    name, limits, findings = gate.member, target.cluster.thresholds, []
    if gate.disk_free_bytes is None or gate.disk_free_bytes < limits.free_disk:
        message = f"{gate.disk_free_bytes} bytes free, the limit is {int(limits.free_disk)}"
        findings.append(fault(name, message, "enlarge the volume, or lower thresholds.free_disk"))
    if gate.kept_aside_bytes:
        remedy = f"list it: failover kept {target.name}; remove what nobody needs"
        findings.append(warning(name, f"{gate.kept_aside_bytes} bytes were kept aside by rejoins", remedy))
    return findings


def _of_contents(gate: GateStatus, expected: Role) -> list[Finding]:
    """Return what a member holds that people should know of before the day on which it matters."""
    name, contents = gate.member, gate.contents
    if contents is None:
        return []
    volatile = "lies in the container's own file system: it ends with the pod"
    remedy = "mount a volume there, or move its tables to pg_default"
    places = [f"tablespace {one.name} at {one.location}" for one in contents.outside if one.volatile]
    findings = [warning(name, f"{place} {volatile}", remedy) for place in places]
    if expected is Role.PRIMARY:
        return findings
    for slot in contents.slots:
        if not slot.active:
            held = f"keeps {slot.bytes_held or 0} bytes of WAL, without end, on a member that follows"
            remedy = f"if nobody is to use it here: select pg_drop_replication_slot('{slot.name}') on {name}"
            findings.append(warning(name, f"replication slot {slot.name}: nobody uses it; it {held}", remedy))
    return findings
