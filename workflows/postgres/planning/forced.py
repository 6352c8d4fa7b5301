"""Decides from a survey whether a forced failover may happen, and to whom. Pure, as ``planned`` is.

Two questions come before the choice. *Is the primary gone?* One that lives is failed over by force only when a person says
so by name. *Is everything that was acknowledged on the candidate?* Commits wait for any one of the record's synchronous
members, so the most advanced of them has every acknowledged write, provided that all of them were looked at. Where that
cannot be said, the candidate's lag at the primary's last word bounds the loss; unknown or above the threshold means no. What
another standby has received and the candidate has not, it gets from that one before it leads (``gate.postgres.catchup``).
"""

from __future__ import annotations

from dataclasses import dataclass

from activities.postgres.diagnosis import diagnose
from activities.postgres.isolation import is_accepted, unlisted
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.survey import MemberFact, Survey
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import LIVING, Diagnosis
from activities.run.models.plan import Candidate
from estate.postgres import PostgresTarget, ProofKind
from gate.api import GateStatus
from gate.postgres.lsn import parse_lsn
from gate.record import Mode, Record
from workflows.postgres.models import FailoverRequest
from workflows.postgres.planning.followers import leads_since, must_know_who_has_most, on_an_earlier_timeline
from workflows.postgres.planning.left_behind import left_behind
from workflows.postgres.planning.planned import (
    Limitation,
    as_candidate,
    claims_to_lead,
    fit,
    has_room,
    no_standby,
    usable_record,
)
from workflows.postgres.planning.set_back import must_not_be_parted, of_a_disk_set_back, with_other_wal

_NO_WORD = "mode planned moves it without loss; the estate accepts no attestation that it is to be stopped"


@dataclass(frozen=True)
class _Loss:
    none: bool
    words: str


def make_forced_plan(request: FailoverRequest, target: PostgresTarget, survey: Survey) -> PostgresPlan:
    """Return the plan for a forced failover.

    Raises:
        ApplicationError: with the ``Refusal`` that applies; nothing was changed.

    """
    record = usable_record(survey, target)
    diagnosis = diagnose(survey, record.leader)
    standbys = [fact for fact in survey.members if fact.name != record.leader]
    _nobody_else_leads(record, standbys)
    limits = {fact.name: _limitation(fact, survey, record, target) for fact in standbys}
    candidates = tuple(as_candidate(fact, limits[fact.name], "stands by, and its lag is known") for fact in standbys)
    left = on_an_earlier_timeline(survey, record)
    must_know_who_has_most(left, standbys, record, request.to)
    apart = (*left, *must_not_be_parted(survey, record, request.to))
    compared = tuple(one for one in candidates if one.name not in apart)
    chosen = _most_advanced(fit(request.to, record, candidates, limits), compared, target)
    status = _status_of(survey, chosen.name)
    loss = _loss(record, survey, status)
    return PostgresPlan(
        cluster=target.name,
        mode=Mode.FORCED,
        primary=record.leader,
        candidate=chosen.name,
        epoch=record.epoch,
        timeline=status.timeline or 0,
        system_identifier=record.system_identifier,
        sync=record.sync,
        candidates=candidates,
        applications=target.cluster.applications,
        steps=_steps(record, chosen, target),
        diagnosis=diagnosis,
        lossless=loss.none,
        loss=loss.words,
        weak_commits=survey.weak_commit_settings,
        keeps_what_waited=_doubt(status, survey, record) is None,
        attestation=_attestation(
            diagnosis, target, survey.node_of(record.leader), isolates=_isolates(survey, record, target)
        ),
        other_wal=apart,
        left_behind=left_behind(survey, record.leader, chosen.name),
    ).sealed()


def must_be_gone(plan: PostgresPlan, target: PostgresTarget, *, attested_by: str) -> None:
    """Return if the old primary may be taken for dead, or a person has said that it is to be stopped.

    Raises:
        ApplicationError: ``PrimaryAlive``; nothing was changed.

    """
    diagnosis = plan.diagnosis
    if diagnosis is not None and diagnosis.condition in LIVING and not attested_by:
        words = "use mode planned, which loses nothing, or attest that it is to be stopped even if writes are lost"
        raise refuse(Refusal.PRIMARY_ALIVE, f"{diagnosis.reason}; {words if target.takes_words else _NO_WORD}")


def _nobody_else_leads(record: Record, standbys: list[MemberFact]) -> None:
    for fact in standbys:
        if claims_to_lead(fact):
            raise refuse(Refusal.TWO_PRIMARIES, f"{fact.name} is out of recovery beside the leader {record.leader}")


def _status_of(survey: Survey, name: str) -> GateStatus:
    fact = survey.member(name)
    if fact is None or fact.gate is None:
        raise refuse(Refusal.UNREACHABLE, f"the gate of {name} does not answer")
    return fact.gate


def _most_advanced(able: list[Candidate], candidates: tuple[Candidate, ...], target: PostgresTarget) -> Candidate:
    """Return the one that has received most, of equals the first; refuse one that lacks much of what another has."""
    chosen, limit = max(able, key=_received), int(target.cluster.thresholds.planned_lag)
    ahead = max(candidates, key=_received)
    if _received(ahead) - _received(chosen) > limit:
        raise refuse(
            Refusal.LAG_TOO_LARGE,
            f"{chosen.name} has received up to {chosen.receive_lsn}, {ahead.name} up to {ahead.receive_lsn}, more than"
            f" {limit} bytes further (thresholds.planned_lag): {ahead.name} must lead{_and_why_not(ahead)}",
        )
    return chosen


def _and_why_not(candidate: Candidate) -> str:
    return "" if candidate.eligible else f", and cannot: {candidate.reason}"


def _received(candidate: Candidate) -> int:
    return parse_lsn(candidate.receive_lsn or "0/0")


def _limitation(fact: MemberFact, survey: Survey, record: Record, target: PostgresTarget) -> Limitation | None:
    """Return why ``fact`` may not be promoted by force, or ``None``."""
    gate = fact.gate
    unfit = no_standby(fact, record, target)
    if gate is None or unfit is not None:
        return unfit
    if (behind := on_an_earlier_timeline(survey, record).get(fact.name)) is not None:
        return Limitation(Refusal.WRONG_TIMELINE, behind)
    return _lag_of(gate, survey, record, target) or has_room(gate, target)


def _lag_of(gate: GateStatus, survey: Survey, record: Record, target: PostgresTarget) -> Limitation | None:
    limit, name = target.cluster.thresholds.forced_lag.total_seconds(), gate.member
    if gate.receive_lsn is None or gate.replay_lsn is None:
        return Limitation(Refusal.LAG_UNKNOWN, f"the lag of {name} is unknown: it does not say what it has")
    caught_up = parse_lsn(gate.receive_lsn) <= parse_lsn(gate.replay_lsn)
    if caught_up and (_doubt(gate, survey, record) is None or with_other_wal(survey, record)):
        return None
    if (told := leads_since(survey, record)) > gate.epoch:
        lag = f"the lag of {name} is unknown: it knows of epoch {gate.epoch}"
        return Limitation(Refusal.LAG_UNKNOWN, f"{lag}, and {record.leader} leads since epoch {told}")
    if gate.lag_seconds is None:
        return Limitation(Refusal.LAG_UNKNOWN, f"the lag of {name} is unknown: nobody has kept the primary's last position")
    if gate.lag_seconds > limit:
        return Limitation(
            Refusal.LAG_TOO_LARGE,
            f"{name} was {gate.lag_seconds:.1f} s behind at the primary's last answer, the limit is {limit:g} s"
            " (thresholds.forced_lag)",
        )
    return None


def _loss(record: Record, survey: Survey, status: GateStatus) -> _Loss:
    """Return whether the chosen candidate provably has every acknowledged write."""
    weak = survey.weak_commit_settings
    doubts = [doubt] if (doubt := _doubt(status, survey, record)) is not None else []
    doubts += [f"commits are acknowledged without waiting for a standby: {', '.join(weak)}"] if weak else []
    if not doubts:
        return _Loss(none=True, words=f"none: every acknowledged commit waited for {' or '.join(record.sync_members)}")
    bound = f"up to {status.lag_bytes} bytes of WAL ({status.lag_seconds:.1f} s) " if status.lag_seconds is not None else ""
    return _Loss(none=False, words=f"{bound or 'how much is unknown: writes '}may be lost: {'; '.join(doubts)}")


def _doubt(status: GateStatus, survey: Survey, record: Record) -> str | None:
    """Return why it cannot be said that ``status`` is of a member that has every acknowledged write; ``None``: it has.

    A synchronous member that the estate does not list is not asked, and so cannot be seen either.
    """
    if status.member not in record.sync_members:
        return f"commits did not wait for {status.member} (sync={record.sync})"
    others = [name for name in record.sync_members if name != status.member]
    left = on_an_earlier_timeline(survey, record)
    if unseen := [name for name in others if name in left or not _receives(survey, name)]:
        return f"a commit may have waited for {', '.join(unseen)}, which cannot be seen"
    return of_a_disk_set_back(survey, record, others)


def _receives(survey: Survey, name: str) -> bool:
    """Whether it is known what ``name`` has received."""
    fact = survey.member(name)
    return fact is not None and fact.gate is not None and fact.gate.receive_lsn is not None


def _isolates(survey: Survey, record: Record, target: PostgresTarget) -> bool:
    """Whether silence for long enough will count, as far as the gates that answer say."""
    gates = [fact.gate for fact in survey.members if fact.gate is not None]
    return is_accepted(target, record.sync) and not any(unlisted(target, gate) for gate in gates)


def _attestation(diagnosis: Diagnosis, target: PostgresTarget, node: str, *, isolates: bool) -> str:
    """Return what ends the wait for the old primary, on ``node`` if that is known; empty when nothing is awaited."""
    if diagnosis.condition in LIVING:
        word = "somebody must attest that it is to be stopped even if writes are lost" if target.takes_words else _NO_WORD
        return f"{diagnosis.reason}; {word}"
    if diagnosis.gate_decides:
        return ""
    forced = target.cluster.forced
    machine = ["its machine's control plane"] if node and ProofKind.MACHINE in forced.proof else []
    who = " or ".join([*machine, *(["somebody"] if target.takes_words else [])])
    if isolates:
        sooner = f", or {who} says that it is stopped" if who else ""
        return f"{diagnosis.reason}; {forced.isolation_timeout.total_seconds():g} s must pass{sooner}"
    if who:
        return f"{diagnosis.reason}; if its gate stays silent, {who} must say that it is stopped"
    return f"{diagnosis.reason}; the estate accepts no proof but its gate's"


def _steps(record: Record, chosen: Candidate, target: PostgresTarget) -> tuple[str, ...]:
    old, new, service = record.leader, chosen.name, target.cluster.write_service
    kinds = ", ".join(target.cluster.forced.proof)
    apps = [app.deployment for app in target.cluster.applications]
    return (
        f"claim: leader record on Service {service} gets the forced intent {new} and epoch {record.epoch + 1}",
        f"prove: {old} is stopped and stays stopped; accepted is {kinds}",
        f"promote: {new} (no way back from here)",
        f"route: Service {service} sends writes to {new}",
        f"verify: a write through Service {service} reaches {new}",
        f"evict: no session of an application is left on {old}",
        *(f"reconnect: rolling restart of Deployment {name}" for name in apps),
        f"restore redundancy: {old} follows {new} when it is back; its gate does that whenever that is",
    )
