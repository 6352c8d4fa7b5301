"""What a gate does next, as a pure function of what it knows. No clock, no I/O: every rule is a plain test.

It leads only when the record, just read from the API server, names it, no intent names another, no fence stands, no
peer leads on a later timeline and nobody has seen a later epoch. Peers alone justify following, never leading. A record
that is older than what has been seen here moves nobody. Doubt means waiting, and saying why.
"""

from __future__ import annotations

from typing import Any

from gate.api import Role, ServerState
from gate.lease.vouching import Outside, overtaken_by
from gate.loop.leading import (
    as_before,
    must_not_lead,
    must_not_lead_set_back,
    must_not_promote_itself,
    runs_as_primary,
    under_an_older_record,
)
from gate.loop.pause import pause_words
from gate.loop.situation import Action, Decision, Local
from gate.loop.state import State
from gate.record import Mode, Record, is_older


def fence_stands(state: State, member: str, record: Record | None) -> bool:
    """Whether a fence still holds: it ends when the record, without an intent, has moved on."""
    if state.fenced_at is None:
        return False
    if record is None or record.intent is not None or is_older(record, state.epoch):
        return True
    moved_away = record.leader != member and record.epoch >= state.fenced_at
    given_back = record.leader == member and record.epoch > state.fenced_at
    return not (moved_away or given_back)


def heeded(state: State, member: str, record: Record) -> dict[str, Any]:
    """Return what changes in ``member``'s durable state once it has read ``record``; empty when nothing does.

    An epoch counts when no intent stands, which only commands may accept. A fence, a promotion and a rejoin that was asked
    for are forgotten once the record has left them behind. An older record changes nothing.
    """
    changes: dict[str, Any] = {}
    if is_older(record, state.epoch):
        return changes
    if record.epoch > state.epoch and record.intent is None:
        changes["epoch"] = record.epoch
    if state.fenced_at is not None and not fence_stands(state, member, record):
        changes["fenced_at"] = None
    if state.promoted_at is not None and record.leader != member and record.epoch > state.promoted_at:
        changes |= {"promoted_at": None, "promoted_xid": None, "reverting": None}
    if state.ahead and record.leader != member:
        changes["ahead"] = ""
    if state.rejoin_behind and record.leader != state.rejoin_behind:
        changes["rejoin_behind"] = ""
    return changes


def decide(local: Local, outside: Outside) -> Decision:  # noqa: PLR0911 - one return a rule
    """Return what to do next."""
    if fence_stands(local.state, local.member, outside.record if outside.api_answers else None):
        why = f"fenced at epoch {local.state.fenced_at}"
        return Decision(Action.WAIT if local.server is ServerState.STOPPED else Action.STOP, why)
    if not outside.api_answers:
        return _without_api_server(local, outside)
    if outside.unreadable:
        return as_before(local, outside, f"{outside.unreadable}: a person must mend it")
    if outside.record is None:
        return _without_record(local, outside)
    if is_older(outside.record, local.state.epoch):
        return under_an_older_record(local, outside.record, outside)
    if local.server is not ServerState.STOPPED:
        return _running(local, outside.record, outside)
    return _stopped(local, outside.record, outside)


def _without_api_server(local: Local, outside: Outside) -> Decision:
    return as_before(local, outside, "the API server does not answer, and without it nobody may lead")


def _without_record(local: Local, outside: Outside) -> Decision:
    if local.server is not ServerState.STOPPED:
        return Decision(Action.KEEP, "there is no leader record; going on as before")
    if not local.empty:
        return Decision(Action.WAIT, "there is no leader record but there is data here: a person must decide (adopt)")
    if outside.mirror is not None:
        return Decision(Action.WAIT, "the leader record is gone but its Lease is there: a person must restore it")
    if local.member != local.members[0]:
        return Decision(Action.WAIT, f"waits for {local.members[0]} to set the cluster up")
    silent = [name for name, status in outside.peers.items() if status is None]
    filled = [name for name, status in outside.peers.items() if status is not None and not status.empty]
    if silent or filled:
        return Decision(Action.WAIT, f"sets nothing up: silent {silent or 'nobody'}, with data {filled or 'nobody'}")
    return Decision(Action.BOOTSTRAP, "no record, no mirror, every member empty: sets the cluster up")


def _running(local: Local, record: Record, outside: Outside) -> Decision:  # noqa: PLR0911 - one return a rule
    intent = record.intent
    named, claimed_for_me = record.leader == local.member, intent is not None and intent.candidate == local.member
    if runs_as_primary(local):
        if (later := overtaken_by(outside, local.state.epoch, local.timeline)) is not None:
            return Decision(
                Action.STOP_NOW,
                f"{later.member} is on the later timeline {later.timeline} and has seen epoch {later.epoch}:"
                " THE LEADER RECORD IS OLDER, another member was promoted since; a person must decide: failover repair",
            )
        if named and intent is not None and not claimed_for_me and intent.mode is Mode.FORCED:
            return Decision(Action.STOP_NOW, f"a forced failover to {intent.candidate} has been claimed")
        if not named and not (claimed_for_me and local.state.promoted_at == record.epoch):
            return Decision(Action.STOP_NOW, f"{record.leader} leads at epoch {record.epoch}")
        if local.role is Role.PRIMARY:
            return Decision(Action.KEEP, "runs as primary" if named else "promoted; waits for the route")
    if local.server is not ServerState.RUNNING:
        return Decision(Action.KEEP, f"the server is {local.server}")
    if named:
        held = must_not_lead(local, record, outside) or must_not_promote_itself(local, outside)
        return held or Decision(Action.PROMOTE_SELF, "named leader is in recovery")
    if claimed_for_me and local.state.promoted_at == record.epoch:
        return Decision(Action.KEEP, "is about to lead")
    return _standing_by(local, record)


def _standing_by(local: Local, record: Record) -> Decision:
    intent = record.intent
    if intent is not None and intent.mode is Mode.FORCED:
        claimed = f"a forced failover to {intent.candidate} has been claimed"
        if not local.following:
            return Decision(Action.KEEP, f"receives nothing more: {claimed}")
        if local.state.epoch >= record.epoch and local.following == record.leader:  # its seal found no server
            return Decision(Action.FOLLOW, f"lets {record.leader} go: {claimed}")
    if local.following != record.leader:
        return Decision(Action.FOLLOW, f"follows {record.leader}", record.leader)
    return Decision(Action.KEEP, f"follows {record.leader}", record.leader)


def _stopped(local: Local, record: Record, outside: Outside) -> Decision:  # noqa: PLR0911 - one return a rule
    intent = record.intent
    if record.leader == local.member:
        if local.empty:
            return Decision(Action.WAIT, "IS THE NAMED LEADER BUT HAS NO DATA: restore it, or fail over to a standby")
        if local.half_rewound:
            return Decision(
                Action.WAIT, "IS THE NAMED LEADER BUT HALF REWOUND: name another leader, to copy this member from"
            )
        held = must_not_lead(local, record, outside) or must_not_lead_set_back(local)
        return held or Decision(Action.START_LEADER, "the record names this member")
    if intent is not None and intent.candidate == local.member and local.state.promoted_at == record.epoch:
        if local.reverts:
            return Decision(Action.START_REVERTED, "is to lead again as it is, on an unused timeline")
        return Decision(Action.WAIT, "promoted; waits until the record names this member")
    if intent is not None and intent.candidate == local.member and intent.mode is Mode.DISCARD:
        return Decision(Action.WAIT, "is claimed to lead again as it is; touches nothing")
    held = _held_by_pause(local, record, outside)
    if local.empty:
        return held or Decision(Action.BASE_BACKUP, f"no data yet; copies {record.leader}", record.leader)
    if local.standby_signal and intent is not None and intent.mode is Mode.FORCED:
        return Decision(Action.START_STANDBY, f"follows nobody: a forced failover to {intent.candidate} has been claimed")
    if local.standby_signal:
        return Decision(Action.START_STANDBY, f"follows {record.leader}", record.leader)
    return held or Decision(Action.REJOIN, f"was primary; follows {record.leader} from now on", record.leader)


def _held_by_pause(local: Local, record: Record, outside: Outside) -> Decision | None:
    """Return why this member must not change its directory by itself, or ``None``; a person's word for it goes first."""
    if not outside.paused or local.state.rejoin_behind == record.leader:
        return None
    return Decision(Action.WAIT, f"does not follow {record.leader} by itself: {pause_words(record)}")
