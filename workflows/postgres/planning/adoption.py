"""Decides from a survey who was the primary of a pair that has run without the gate. Pure; every branch is a plain test.

All gates must answer, each with data and a stopped server: a member that is not seen could be the one with the latest
writes. The primary is the one whose directory is no standby's, and nothing may speak against it: another system, a standby
on a later timeline, a standby with a later checkpoint.
"""

from __future__ import annotations

from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.survey import Survey
from activities.run.errors import Refusal, refuse
from activities.run.models.wire import workflow_of
from estate.postgres import PostgresTarget
from gate.api import GateStatus, ServerState
from gate.postgres.lsn import parse_lsn
from gate.record import NO_SYNC, Mode, Record
from workflows.postgres.models import AdoptRequest, lock_id


def make_adoption_plan(request: AdoptRequest, target: PostgresTarget, survey: Survey) -> PostgresPlan:
    """Return the plan: ``candidate`` is who will lead, ``primary`` is empty, since nobody does.

    Raises:
        ApplicationError: with the ``Refusal`` that applies; nothing was changed.

    """
    if (record := survey.record) is not None:
        raise refuse(
            Refusal.ADOPTED_ALREADY,
            f"Service {target.cluster.write_service} has a leader record: {record.leader} leads at epoch {record.epoch};"
            " there is nothing to adopt",
        )
    seen = _all_waiting(survey)
    leader = _primary(request, seen)
    _nothing_speaks_against(leader, seen)
    return PostgresPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        primary="",
        candidate=leader.member,
        epoch=max(one.epoch for one in seen),
        timeline=leader.timeline or 0,
        system_identifier=leader.system_identifier or "",
        sync=NO_SYNC,
        steps=_steps(leader, seen, target),
    ).sealed()


def finishing_plan(request: AdoptRequest, target: PostgresTarget, record: Record) -> PostgresPlan | None:
    """Return what an earlier adoption of this cluster has left to finish; ``None`` when the record is no such one's.

    Nobody has led before its leader, and a run under this cluster's lock has written it.
    """
    ours = workflow_of(record.run) == lock_id(target.name) and not record.previous and record.intent is None
    if not ours or request.leader not in {None, record.leader}:
        return None
    return PostgresPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        primary="",
        candidate=record.leader,
        epoch=record.epoch - 1,
        timeline=0,
        system_identifier=record.system_identifier,
        sync=record.sync,
    )


def _all_waiting(survey: Survey) -> list[GateStatus]:
    seen = []
    for fact in survey.members:
        if fact.gate is None:
            raise refuse(Refusal.UNREACHABLE, f"the gate of {fact.name} does not answer: {fact.gate_error}")
        if fact.gate.empty:
            raise refuse(Refusal.NO_STANDBY, f"{fact.name} has no data: put its directory in place, or leave it out for now")
        if fact.gate.server is not ServerState.STOPPED:
            raise refuse(
                Refusal.NOT_AVAILABLE, f"the server of {fact.name} is {fact.gate.server} without a record: end its pod first"
            )
        if fact.gate.standby_directory is None or not fact.gate.system_identifier or not fact.gate.checkpoint_lsn:
            raise refuse(Refusal.UNREACHABLE, f"the gate of {fact.name} cannot read its directory: {fact.gate.doing}")
        seen.append(fact.gate)
    return seen


def _primary(request: AdoptRequest, seen: list[GateStatus]) -> GateStatus:
    names = [one.member for one in seen]
    if request.leader is not None and request.leader not in names:
        raise refuse(
            Refusal.BAD_INPUT, f"leader: {request.leader} is no member of this cluster; members: {', '.join(names)}"
        )
    primaries = [one for one in seen if not one.standby_directory]
    if not primaries:
        raise refuse(Refusal.NO_PRIMARY, f"nobody was the primary: {', '.join(names)} all have a standby.signal")
    if len(primaries) > 1:
        found = "; ".join(f"{one.member} (timeline {one.timeline}, checkpoint {one.checkpoint_lsn})" for one in primaries)
        raise refuse(
            Refusal.TWO_PRIMARIES,
            f"more than one directory is a primary's: {found}; move the older one aside, its gate copies the leader then",
        )
    if request.leader not in {None, primaries[0].member}:
        raise refuse(
            Refusal.BAD_INPUT, f"leader: {request.leader} has a standby's directory; {primaries[0].member} was the primary"
        )
    return primaries[0]


def _nothing_speaks_against(leader: GateStatus, seen: list[GateStatus]) -> None:
    for one in seen:
        if one.system_identifier != leader.system_identifier:
            raise refuse(
                Refusal.NO_STANDBY,
                f"{one.member} belongs to another system, {one.system_identifier}; {leader.member} is"
                f" {leader.system_identifier}",
            )
        if (one.timeline or 0) > (leader.timeline or 0):
            raise refuse(
                Refusal.WRONG_TIMELINE,
                f"{one.member} is on timeline {one.timeline}, later than {leader.timeline} of {leader.member}:"
                " it has been promoted since",
            )
        if parse_lsn(one.checkpoint_lsn or "0/0") > parse_lsn(leader.checkpoint_lsn or "0/0"):
            raise refuse(
                Refusal.NO_PRIMARY,
                f"{one.member} has a later checkpoint, {one.checkpoint_lsn}, than {leader.member}, {leader.checkpoint_lsn}:"
                " that primary's directory is an older copy",
            )


def _steps(leader: GateStatus, seen: list[GateStatus], target: PostgresTarget) -> tuple[str, ...]:
    service, name = target.cluster.write_service, leader.member
    clean = "was shut down cleanly" if leader.control_state == "shut down" else f"was left {leader.control_state}"
    followers = [one.member for one in seen if one is not leader]
    roles = "the roles replicator and failover with the passwords of the Secret, and the schema failover"
    return (
        f"prepare: {name}, which {clean}, is started closed to others, gets {roles}, and is stopped again",
        f"record: Service {service} names {name} and sends writes to it (no way back from here)",
        f"verify: a write through Service {service} reaches {name}",
        *(f"restore redundancy: {member} follows {name} and is synchronous" for member in followers),
    )
