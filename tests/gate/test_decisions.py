"""What a gate may decide, whatever it is told: doubt means waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.api import GateStatus, Role, ServerState
from gate.lease.vouching import Outside, vouches
from gate.loop.decide import decide, fence_stands
from gate.loop.situation import Action, Decision, Local
from gate.loop.state import State
from gate.record import Intent, Mirror, Mode, Record

ME, B, C = "pg-a", "pg-b", "pg-c"
MEMBERS = (ME, B, C)
LEADING = {Action.START_LEADER, Action.PROMOTE_SELF}
NOW = datetime(2026, 3, 1, tzinfo=UTC)

# Weighted towards what matters: a server of ours that is down, a record that names us, no fence.
_SERVERS = st.sampled_from([ServerState.STOPPED] * 4 + [ServerState.RUNNING] * 3 + [ServerState.STARTING])
_SELDOM = st.sampled_from([None, None, None, None, 1, 2, 3, 4])
_MOSTLY = st.sampled_from([True, True, True, False])
_names = st.sampled_from([ME, ME, B, C])
_epochs = st.integers(1, 4)
_intents = st.none() | st.builds(Intent, candidate=_names, mode=st.sampled_from(Mode), run=st.just("x/1"))
_mirrors = st.none() | st.builds(Mirror, holder=_names, epoch=st.integers(1, 5))
_records = st.builds(Record, leader=_names, epoch=_epochs, intent=_intents)


@st.composite
def _locals(draw: st.DrawFn) -> Local:
    server = draw(_SERVERS)
    state = State(epoch=draw(st.sampled_from([1, 1, 1, 2, 3, 4])), fenced_at=draw(_SELDOM), promoted_at=draw(_SELDOM))
    return Local(
        member=ME,
        members=draw(st.sampled_from([MEMBERS, MEMBERS, (B, ME, C)])),
        state=state,
        server=server,
        role=draw(st.sampled_from(Role)) if server is ServerState.RUNNING else None,
        empty=server is ServerState.STOPPED and draw(st.booleans()),
        standby_signal=draw(st.booleans()),
        timeline=draw(st.integers(1, 3)),
        following=draw(st.just("") | _names),
        reverts=draw(st.booleans()),
    )


def _peer(name: str, **changes: Any) -> GateStatus:
    usual: dict[str, Any] = {
        "member": name, "at": NOW, "epoch": 1, "server": ServerState.STOPPED, "doing": "waits", "ready": False
    }  # fmt: skip
    return GateStatus.model_validate({**usual, **changes})


_seldom_later = st.sampled_from([1, 1, 1, 3, 5])
_peers = st.fixed_dictionaries(
    {
        name: st.none() | st.builds(_peer, st.just(name), epoch=_seldom_later, role=st.none() | st.sampled_from(Role),
                                    timeline=st.none() | st.integers(1, 3), empty=st.booleans())
        for name in MEMBERS
    }
)  # fmt: skip


@st.composite
def _situations(draw: st.DrawFn) -> tuple[Local, Outside]:
    local = draw(_locals())
    peers = {name: status for name, status in draw(_peers).items() if name != local.member}
    answers = draw(_MOSTLY)
    record = draw(_records) if answers and draw(_MOSTLY) else None
    paused = record is not None and draw(st.booleans())
    return local, Outside(api_answers=answers, record=record, mirror=draw(_mirrors), peers=peers, paused=paused)


@settings(max_examples=400)
@given(_situations())
def test_leads_only_when_a_fresh_record_names_it_and_nothing_speaks_against_it(situation: tuple[Local, Outside]) -> None:
    local, outside = situation
    if decide(local, outside).action not in LEADING:
        return
    record = outside.record
    assert outside.api_answers
    assert record is not None
    assert record.leader == local.member
    assert record.intent is None or record.intent.candidate == local.member
    assert not fence_stands(local.state, local.member, record)
    assert not local.empty
    ahead = [one.epoch for one in outside.peers.values() if one and one.epoch > record.epoch and record.intent is None]
    if record.epoch >= local.state.epoch:
        assert (ahead, outside.mirror is None or outside.mirror.epoch <= record.epoch) == ([], True)
    else:
        assert (outside.mirror, decide(local, outside).action) == (Mirror(ME, local.state.epoch), Action.START_LEADER)
    later = [
        one for one in outside.peers.values() if one and one.role is Role.PRIMARY and (one.timeline or 0) > local.timeline
    ]
    assert later == []


@settings(max_examples=400)
@given(_situations())
def test_starts_to_revert_only_for_a_claim_that_it_has_accepted(situation: tuple[Local, Outside]) -> None:
    local, outside = situation
    if decide(local, outside).action is not Action.START_REVERTED:
        return
    record = outside.record
    assert record is not None
    assert record.intent is not None
    assert (record.intent.candidate, record.epoch) == (local.member, local.state.promoted_at)
    assert record.leader != local.member
    assert (local.reverts, local.server, record.epoch >= local.state.epoch) == (True, ServerState.STOPPED, True)
    assert not fence_stands(local.state, local.member, record)


@settings(max_examples=400)
@given(_situations())
def test_does_not_touch_a_directory_that_is_claimed_to_lead_as_it_is(situation: tuple[Local, Outside]) -> None:
    local, outside = situation
    record = outside.record
    claimed = record and record.intent and record.intent.candidate == local.member and record.intent.mode is Mode.DISCARD
    if not claimed or record is None or record.leader == local.member or local.server is not ServerState.STOPPED:
        return
    if record.epoch >= local.state.epoch:
        assert decide(local, outside).action in {Action.WAIT, Action.START_REVERTED}


@settings(max_examples=400)
@given(_situations(), st.booleans(), st.booleans())
def test_sets_a_cluster_up_only_where_nobody_ever_had_one(
    situation: tuple[Local, Outside], empty: bool, without_record: bool,  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    local, outside = situation
    local = replace(local, empty=local.empty or empty)
    outside = replace(outside, record=None if without_record else outside.record)
    if decide(local, outside).action is not Action.BOOTSTRAP:
        return
    assert (outside.api_answers, outside.record, outside.mirror, local.empty) == (True, None, None, True)
    assert local.member == local.members[0]
    assert all(status is not None and status.empty for status in outside.peers.values())


@settings(max_examples=400)
@given(_situations())
def test_never_runs_behind_a_fence(situation: tuple[Local, Outside]) -> None:
    local, outside = situation
    if fence_stands(local.state, local.member, outside.record if outside.api_answers else None):
        wanted = Action.WAIT if local.server is ServerState.STOPPED else Action.STOP
        assert decide(local, outside).action is wanted


@settings(max_examples=400)
@given(_situations())
def test_without_the_api_server_a_running_server_goes_on_and_a_stopped_one_never_leads(
    situation: tuple[Local, Outside],
) -> None:
    local, outside = situation
    if outside.api_answers or local.state.fenced_at is not None:
        return
    allowed = {Action.WAIT, Action.START_STANDBY} if local.server is ServerState.STOPPED else {Action.KEEP}
    assert decide(local, outside).action in allowed


@settings(max_examples=400)
@given(_situations())
def test_a_primary_that_the_record_does_not_name_stops_unless_it_was_just_promoted(
    situation: tuple[Local, Outside],
) -> None:
    local, outside = situation
    record = outside.record
    if local.role is not Role.PRIMARY or record is None or record.leader == local.member or local.state.fenced_at:
        return
    if record.epoch < local.state.epoch:
        return
    claimed = record.intent is not None and record.intent.candidate == local.member
    promoted = claimed and local.state.promoted_at == record.epoch
    assert decide(local, outside).action is (Action.KEEP if promoted else Action.STOP_NOW)


@settings(max_examples=400)
@given(_situations())
def test_while_paused_nobody_changes_a_directory_by_itself_and_nothing_else_is_held(
    situation: tuple[Local, Outside],
) -> None:
    local, outside = situation
    asked = replace(local, state=local.state.model_copy(update={"rejoin_behind": outside.record and outside.record.leader}))
    unpaused = decide(local, replace(outside, paused=False))
    held = outside.paused and unpaused.action in {Action.REJOIN, Action.BASE_BACKUP}
    decision = decide(local, outside)
    assert decision.action is (Action.WAIT if held else unpaused.action)
    assert ("paused until" in decision.reason) is held
    assert decide(asked, outside) == unpaused


@settings(max_examples=400)
@given(_situations())
def test_an_older_record_moves_nobody(situation: tuple[Local, Outside]) -> None:
    local, outside = situation
    record = outside.record
    if record is None or record.epoch >= local.state.epoch or local.state.fenced_at is not None:
        return
    decision = decide(local, outside)
    stopped = local.server is ServerState.STOPPED
    moves = {Action.WAIT, Action.START_STANDBY, Action.START_LEADER} if stopped else {Action.KEEP, Action.STOP_NOW}
    assert decision.action in moves
    assert f"at epoch {record.epoch}, epoch {local.state.epoch} has been seen here" in decision.reason
    assert "failover repair" in decision.reason
    primaries = [one for one in outside.peers.values() if one is not None and one.role is Role.PRIMARY]
    if decision.action is Action.STOP_NOW:
        assert any((one.timeline or 0) > local.timeline for one in primaries)
    if decision.action is Action.START_STANDBY:
        assert [decision.leader] == [one.member for one in primaries]
    if decision.action is Action.START_LEADER:
        assert (record.leader, primaries) == (ME, [])


@given(_records, st.integers(1, 4), _names)
def test_a_fence_ends_only_when_a_record_without_intent_has_moved_on(record: Record, fenced_at: int, member: str) -> None:
    stands = fence_stands(State(fenced_at=fenced_at), member, record)
    if record.intent is not None or record.epoch < fenced_at:
        assert stands
    if record.leader == member and record.epoch <= fenced_at:
        assert stands
    assert fence_stands(State(fenced_at=fenced_at), member, None)


def _decide(
    *, record: Record | None, api_answers: bool = True, mirror: Mirror | None = None, peers: dict[str, Any] | None = None,
    **mine: Any,
) -> Decision:  # fmt: skip
    usual: dict[str, Any] = {
        "member": ME, "members": MEMBERS, "state": State(), "server": ServerState.RUNNING, "role": Role.PRIMARY,
        "empty": False, "standby_signal": False, "timeline": 1, "following": "",
    }  # fmt: skip
    outside = Outside(api_answers=api_answers, record=record, mirror=mirror, peers=peers or {})
    return decide(Local(**{**usual, **mine}), outside)


def test_the_named_leader_starts_where_it_stopped() -> None:
    decision = _decide(record=Record(leader=ME, epoch=1), server=ServerState.STOPPED, role=None)
    assert decision.action is Action.START_LEADER


def test_the_named_leader_with_an_empty_directory_waits_and_says_so() -> None:
    decision = _decide(record=Record(leader=ME, epoch=1), server=ServerState.STOPPED, role=None, empty=True)
    assert (decision.action, "NO DATA" in decision.reason) == (Action.WAIT, True)


@pytest.mark.parametrize(
    ("intent", "peer", "words"),
    [
        (Intent(candidate=B, mode=Mode.PLANNED, run="x/1"), None, f"an intent names {B}"),
        (None, _peer(B, role=Role.PRIMARY, timeline=2), f"{B} leads on the later timeline 2"),
    ],
)
def test_the_named_leader_waits_while_somebody_else_may_lead(
    intent: Intent | None, peer: GateStatus | None, words: str
) -> None:
    record = Record(leader=ME, epoch=2, intent=intent)
    situations: tuple[dict[str, Any], ...] = (
        {"server": ServerState.STOPPED, "role": None}, {"role": Role.STANDBY, "standby_signal": True}
    )  # fmt: skip
    for mine in situations:
        decision = _decide(record=record, peers={B: peer}, **mine)
        assert (decision.action, decision.reason) == (Action.WAIT, words)


_EMPTY = {B: _peer(B, empty=True), C: _peer(C, empty=True)}


def test_the_first_of_empty_members_sets_the_cluster_up() -> None:
    assert _first(_EMPTY).action is Action.BOOTSTRAP


@pytest.mark.parametrize(
    ("peers", "changes", "words"),
    [
        ({**_EMPTY, C: None}, {}, f"silent ['{C}']"),
        ({**_EMPTY, C: _peer(C)}, {}, f"with data ['{C}']"),
        (_EMPTY, {"mirror": Mirror(B, 1)}, "its Lease is there"),
        (_EMPTY, {"members": (B, ME, C)}, f"waits for {B}"),
    ],
)
def test_sets_nothing_up_in_doubt(peers: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    decision = _first(peers, **changes)
    assert (decision.action, words in decision.reason) == (Action.WAIT, True)


def _first(peers: dict[str, Any], *, mirror: Mirror | None = None, **mine: Any) -> Decision:
    return _decide(record=None, mirror=mirror, peers=peers, server=ServerState.STOPPED, role=None, empty=True, **mine)


def test_a_planned_claim_leaves_the_primary_alone_and_a_forced_one_stops_it() -> None:
    for mode, action in ((Mode.PLANNED, Action.KEEP), (Mode.DISCARD, Action.KEEP), (Mode.FORCED, Action.STOP_NOW)):
        intent = Intent(candidate=B, mode=mode, run="x/1")
        assert _decide(record=Record(leader=ME, epoch=2, intent=intent)).action is action


def test_a_leader_whose_disk_was_set_back_waits_unless_a_run_has_decided_that_it_leads() -> None:
    lacking: dict[str, Any] = {"server": ServerState.STOPPED, "role": None, "lacks": f"{B} has replayed 0/5000"}
    waits = _decide(record=Record(leader=ME, epoch=2), **lacking)
    reason = f"ITS DISK WAS SET BACK: {B} has replayed 0/5000, and WAL ends before that here; fail over to that one;"
    assert (waits.action, waits.reason) == (Action.WAIT, f"{reason} if it is lost for good, delete this pod")
    promoted = _decide(record=Record(leader=ME, epoch=2), **lacking, state=State(epoch=2, promoted_at=2))
    assert promoted.action is Action.WAIT
    decided = _decide(record=Record(leader=ME, epoch=2), **lacking, reverts=True)
    assert decided.action is Action.START_LEADER


def test_a_former_primary_rejoins_and_a_standby_starts() -> None:
    for signal, action in ((False, Action.REJOIN), (True, Action.START_STANDBY)):
        decision = _decide(record=Record(leader=B, epoch=2), server=ServerState.STOPPED, role=None, standby_signal=signal)
        assert (decision.action, decision.leader) == (action, B)


def test_a_former_primary_is_left_as_it_is_while_bringing_it_back_is_paused() -> None:
    record = Record(leader=B, epoch=2, paused_until="2999-01-01")
    outside = Outside(api_answers=True, record=record, mirror=None, peers={}, paused=True)
    usual: dict[str, Any] = {
        "member": ME, "members": MEMBERS, "state": State(), "server": ServerState.STOPPED, "role": None,
        "empty": False, "timeline": 1, "following": "",
    }  # fmt: skip
    for signal, action in ((False, Action.WAIT), (True, Action.START_STANDBY)):
        assert decide(Local(**usual, standby_signal=signal), outside).action is action


def test_a_revert_is_carried_out_once_and_a_standby_in_it_follows_nobody() -> None:
    record = Record(leader=B, epoch=2, intent=Intent(candidate=ME, mode=Mode.DISCARD, run="x/1"))
    accepted = State(promoted_at=2, reverting=2)
    down: dict[str, Any] = {"server": ServerState.STOPPED, "role": None, "state": accepted}
    assert _decide(record=record, reverts=True, **down).action is Action.START_REVERTED
    assert _decide(record=record, reverts=False, **down).action is Action.WAIT
    assert _decide(record=record, reverts=True, **{**down, "state": State()}).action is Action.WAIT
    recovering = _decide(record=record, reverts=True, role=Role.STANDBY, standby_signal=True, state=accepted)
    assert recovering.action is Action.KEEP
    assert _decide(record=record, role=Role.PRIMARY, state=accepted).action is Action.KEEP


def test_without_the_api_server_a_revert_waits_though_a_peer_leads() -> None:
    peers = {B: _peer(B, role=Role.PRIMARY, timeline=2)}
    down: dict[str, Any] = {"server": ServerState.STOPPED, "role": None, "standby_signal": True}
    assert _decide(record=None, api_answers=False, peers=peers, reverts=True, **down).action is Action.WAIT


def test_a_gate_without_data_copies_the_leader() -> None:
    decision = _decide(record=Record(leader=B, epoch=2), server=ServerState.STOPPED, role=None, empty=True)
    assert (decision.action, decision.leader) == (Action.BASE_BACKUP, B)


def test_without_api_server_one_leading_peer_is_followed_and_two_are_not() -> None:
    down: dict[str, Any] = {"server": ServerState.STOPPED, "role": None, "standby_signal": True}
    one = {B: _peer(B, role=Role.PRIMARY, timeline=1)}
    two = {**one, C: _peer(C, role=Role.PRIMARY, timeline=2)}
    assert _decide(record=None, api_answers=False, peers=one, **down).action is Action.START_STANDBY
    assert _decide(record=None, api_answers=False, peers=two, **down).action is Action.WAIT


def test_data_without_a_record_waits_for_a_person() -> None:
    decision = _decide(record=None, server=ServerState.STOPPED, role=None)
    assert (decision.action, "a person" in decision.reason) == (Action.WAIT, True)


@pytest.mark.parametrize("epochs", [(5, None), (4, 5)])
def test_without_api_server_peers_vouch(epochs: tuple[int | None, int | None]) -> None:
    assert vouches(_without_api_server(*epochs), ME, 5, leads=True)


@pytest.mark.parametrize("epochs", [(None, None), (6, None), (5, 6), (6, 5)])
def test_nobody_vouches_when_one_peer_knows_of_a_later_epoch(epochs: tuple[int | None, int | None]) -> None:
    assert not vouches(_without_api_server(*epochs), ME, 5, leads=True)


def _without_api_server(*epochs: int | None) -> Outside:
    peers = {name: None if epoch is None else _peer(name, epoch=epoch) for name, epoch in zip((B, C), epochs, strict=True)}
    return Outside(api_answers=False, record=None, mirror=None, peers=peers)


def test_a_half_rewound_directory_is_never_started_to_lead() -> None:
    decision = _decide(record=Record(leader=ME, epoch=2), server=ServerState.STOPPED, role=None, half_rewound=True)
    assert (decision.action, "HALF REWOUND" in decision.reason) == (Action.WAIT, True)
