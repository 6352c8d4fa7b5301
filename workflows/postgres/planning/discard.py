"""Decides from a survey whether the writes made since a promotion may be given up. Pure, as ``planned`` is.

Possible only while the member that led before is held exactly as it was: its server is stopped, its directory has neither
been rewound nor followed anybody, and it is on the timeline that the new primary's grew out of. Its gate must say all of
that. The loss is counted in bytes of WAL behind the fork and in transactions begun since the promotion, both upper bounds;
a figure that is unknown refuses. Transactions of ``failover`` itself, which nobody misses, are taken off; a leader that says
nothing of them by SQL has none. The caps are decisions, and part of what is approved; the figures drift, and are not.
"""

from __future__ import annotations

from activities.postgres.models.plan import GiveUp, Loss, PostgresPlan
from activities.postgres.models.survey import MemberFact, Survey
from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Candidate
from estate.postgres import PostgresTarget, Reconnect
from gate.api import Fenced, GateStatus, ServerState
from gate.postgres.lsn import parse_lsn
from gate.record import Mode, Record
from workflows.postgres.models import RollbackRequest
from workflows.postgres.planning.left_behind import left_behind
from workflows.postgres.planning.planned import has_room, leader_of, must_be_of_the_cluster, usable_record
from workflows.run.models import Run

_SPARE_BYTES = 64 * 1024 * 1024


def make_discard_plan(request: RollbackRequest, target: PostgresTarget, survey: Survey) -> PostgresPlan:
    """Return the plan for giving up what was written since the last promotion.

    Raises:
        ApplicationError: with the ``Refusal`` that applies; nothing was changed.

    """
    record = usable_record(survey, target)
    leader = leader_of(record, survey)
    old = _held(record, leader, survey, target)
    given_up = _give_up(request, leader, _own(survey, record.leader))
    must_be_within(given_up, given_up.so_far)
    _must_have_room(leader, old, target)
    return PostgresPlan(
        cluster=target.name,
        mode=Mode.DISCARD,
        primary=record.leader,
        candidate=old.member,
        epoch=record.epoch,
        timeline=old.timeline or 0,
        system_identifier=record.system_identifier,
        sync=record.sync,
        candidates=(_as_candidate(old),),
        applications=target.cluster.applications,
        steps=_steps(request, record, old, given_up, target),
        lossless=False,
        loss=f"so far {loss_words(given_up.so_far)}; {_allowed(request, given_up)}",
        give_up=given_up,
        left_behind=left_behind(survey, record.leader, old.member),
    ).sealed()


def previous_member(record: Record, target: PostgresTarget) -> str:
    """Return the member that led before.

    Raises:
        ApplicationError: ``NoStandby``; the record does not tell, or the estate does not know it.

    """
    if not record.previous or record.previous == record.leader or record.previous not in target.cluster.members:
        raise refuse(
            Refusal.NO_STANDBY,
            f"the record names no member of the estate that led before {record.leader}: {record.previous or 'nobody'}",
        )
    return record.previous


def counted_loss(given_up: GiveUp | None, fenced: Fenced) -> Loss:
    """Return what is given up, from the answer of the fence: nobody can add to it any more."""
    if given_up is None or fenced.next_xid is None or not fenced.clean or fenced.timeline != given_up.timeline:
        raise refuse(
            Refusal.LOSS_UNKNOWN,
            f"the loss cannot be counted: stopped on timeline {fenced.timeline}, next transaction {fenced.next_xid}",
        )
    return _loss(given_up.fork_lsn, given_up.promoted_xid + given_up.own, fenced.end_lsn, fenced.next_xid)


def must_be_within(given_up: GiveUp | None, loss: Loss) -> None:
    """Return if ``loss`` is within the caps.

    Raises:
        ApplicationError: ``LossTooLarge``, with the figures to ask again with.

    """
    most = given_up.at_most if given_up else Loss(bytes=0, transactions=0)
    if loss.bytes > most.bytes or loss.transactions > most.transactions:
        raise refuse(
            Refusal.LOSS_TOO_LARGE,
            f"{loss_words(loss)}, allowed are {_figures(most)}; to lose that much, ask again with max_bytes and"
            " max_transactions that cover it",
        )


def loss_words(loss: Loss) -> str:
    """Return the loss as people read it."""
    return f"{_figures(loss)} written since the promotion would be lost"


def _allowed(request: RollbackRequest, given_up: GiveUp) -> str:
    if request.max_bytes is None:
        return "a start says how much may be lost: allow for what is written until then"
    return f"allowed are {_figures(given_up.at_most)}"


def _figures(loss: Loss) -> str:
    return f"{loss.bytes} bytes of WAL and {loss.transactions} transactions"


def _held(record: Record, leader: GateStatus, survey: Survey, target: PostgresTarget) -> GateStatus:
    """Return the status of the member that led before, once it is certain that it is as it was then."""
    name = previous_member(record, target)
    fact = survey.member(name) or MemberFact(name=name, gate_error="not surveyed")
    gate = fact.gate
    if gate is None:
        raise refuse(
            Refusal.UNREACHABLE, f"the gate of {name} does not answer: {fact.gate_error}; whether it is as it was is unknown"
        )
    if gate.server is not ServerState.STOPPED or not gate.untouched:
        raise refuse(
            Refusal.NOT_UNTOUCHED,
            f"{name} has been rewound or has followed {leader.member} (its gate {gate.doing}): only mode lossless goes back",
        )
    if (stranger := must_be_of_the_cluster(name, gate, record)) is not None:
        raise refuse(stranger.kind, stranger.reason)
    parent = leader.history[-1][0] if leader.history else None
    if gate.timeline is None or gate.timeline != parent:
        raise refuse(
            Refusal.WRONG_TIMELINE,
            f"{name} stopped on timeline {gate.timeline}, but timeline {leader.timeline} of {record.leader} left {parent}",
        )
    return gate


def _own(survey: Survey, leader: str) -> int:
    fact = survey.member(leader)
    return fact.sql.own_transactions if fact and fact.sql else 0


def _give_up(request: RollbackRequest, leader: GateStatus, own: int) -> GiveUp:
    figures = (leader.timeline, leader.current_lsn, leader.promoted_xid, leader.next_xid)
    timeline, current, promoted, upcoming = figures
    if timeline is None or current is None or promoted is None or upcoming is None or not leader.history:
        raise refuse(
            Refusal.LOSS_UNKNOWN,
            f"{leader.member} does not tell what was written since its promotion: timeline {timeline}, end of WAL {current},"
            f" transaction at the promotion {promoted}, next transaction {upcoming}",
        )
    so_far = _loss(leader.history[-1][1], promoted + own, current, upcoming)
    at_most = so_far
    if request.max_bytes is not None and request.max_transactions is not None:
        at_most = Loss(bytes=int(request.max_bytes), transactions=request.max_transactions)
    elif request.run is not Run.PLAN:
        raise refuse(Refusal.BAD_INPUT, "max_bytes, max_transactions: mode discard needs both; say how much may be lost")
    return GiveUp(
        timeline=timeline,
        history=leader.history,
        promoted_xid=promoted,
        own=own,
        so_far=so_far,
        at_most=at_most,
        kept=f"gate/kept/pgdata-* on the volume of {leader.member}",
    )


def _loss(fork: str, first_xid: int, end: str, next_xid: int) -> Loss:
    return Loss(bytes=max(parse_lsn(end) - parse_lsn(fork), 0), transactions=max(next_xid - first_xid, 0))


def _must_have_room(leader: GateStatus, old: GateStatus, target: PostgresTarget) -> None:
    """Refuse when the old member is too full to lead, or the new primary cannot keep its directory beside a copy."""
    if (full := has_room(old, target)) is not None:
        raise refuse(full.kind, full.reason)
    free, needed = leader.disk_free_bytes, None if old.data_bytes is None else old.data_bytes + _SPARE_BYTES
    if free is None or needed is None or free < needed:
        raise refuse(
            Refusal.DISK_TOO_FULL,
            f"{leader.member} has {free} bytes free and needs {needed} for a copy beside its own directory, which is kept",
        )


def _as_candidate(old: GateStatus) -> Candidate:
    reason = f"stopped on timeline {old.timeline} at {old.checkpoint_lsn}, neither rewound nor a standby since"
    return Candidate(name=old.member, eligible=True, reason=reason)


def _steps(
    request: RollbackRequest, record: Record, old: GateStatus, given_up: GiveUp, target: PostgresTarget
) -> tuple[str, ...]:
    cap = "the caps of the start" if request.max_bytes is None else _figures(given_up.at_most)
    new, service = record.leader, target.cluster.write_service
    restarts = [app.deployment for app in target.cluster.applications if app.reconnect is Reconnect.ROLLOUT]
    return (
        f"checkpoint: {new}, so that its stop is short",
        f"claim: leader record on Service {service} gets the lossy intent {old.member} and epoch {record.epoch + 1}",
        f"fence: {new} is stopped cleanly and kept stopped; its sessions end",
        f"count: what was written since {given_up.fork_lsn}; above {cap} all is undone",
        f"revert: {old.member} leads again as it is, on a timeline later than {given_up.timeline} (no way back from here)",
        f"route: Service {service} sends writes to {old.member}; a pause of bringing members back ends",
        f"verify: a write through Service {service} reaches {old.member}",
        f"evict: no session of an application is left on {new}",
        *(f"reconnect: rolling restart of Deployment {name}" for name in restarts),
        f"restore redundancy: {new} is copied from {old.member}; its directory is kept in {given_up.kept}",
    )
