"""Whom a forced failover may promote when there are two standbys, and what it says of the loss."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.survey import MemberFact, PodFact, Survey
from activities.run.models.diagnosis import Silence
from gate.api import ServerState
from tests.postgres.samples import NOW, A, B, C, member, record, request, status, target
from workflows.postgres.planning.forced import make_forced_plan

AHEAD = {"receive_lsn": "0/3000100", "replay_lsn": "0/3000100"}
FAR_AHEAD = {"receive_lsn": "0/5000000", "replay_lsn": "0/5000000"}
LEVEL = {"receive_lsn": "0/3000000", "replay_lsn": "0/3000000"}
FULL = {"disk_free_bytes": 0}
SILENT = {"gate": None, "gate_error": "silence", "sql": None, "sql_error": "silence"}


def _standby(name: str, *changes: dict[str, Any], **more: Any) -> MemberFact:
    known: dict[str, Any] = {"lag_seconds": 0.2, "lag_bytes": 256, **LEVEL}
    for change in changes:
        known.update(change)
    return member(name, **{"gate": status(name, **known), **more})


def _plan(
    *standbys: MemberFact,
    to: str | None = None,
    proof: tuple[str, ...] = ("gate", "attested"),
    pod: PodFact | None = None,
    **changes: Any,
) -> PostgresPlan:
    dead = MemberFact(name=A, gate_error="silence", sql_error="silence", pod=pod)
    seen = Survey(at=NOW, record=record(**changes), members=(dead, *standbys))
    return make_forced_plan(request(mode="forced", to=to), target(forced={"proof": proof}), seen)


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        ("gate attested", "if its gate stays silent, somebody must say that it is stopped"),
        ("machine", "if its gate stays silent, its machine's control plane must say that it is stopped"),
        (
            "machine attested",
            "if its gate stays silent, its machine's control plane or somebody must say that it is stopped",
        ),
        ("isolation", "30 s must pass"),
        ("isolation attested", "30 s must pass, or somebody says that it is stopped"),
        ("isolation machine", "30 s must pass, or its machine's control plane says that it is stopped"),
        ("gate", "the estate accepts no proof but its gate's"),
    ],
)
def test_the_plan_says_whose_word_ends_the_wait_for_a_silent_primary(proof: str, words: str) -> None:
    pod = PodFact(name=A, phase="Running", ready=False, node="node-2")
    assert _plan(_standby(B), proof=tuple(proof.split()), pod=pod).attestation.endswith(f"; {words}")


@pytest.mark.parametrize("silence", list(Silence))
def test_a_candidate_is_fit_by_its_gates_word_only_where_no_slot_is_free(silence: Silence) -> None:
    turned_away: dict[str, Any] = {"sql": None, "sql_error": "FATAL: no slot", "sql_silence": silence}
    if silence is not Silence.NO_ROOM:
        with pytest.raises(ApplicationError, match="does not answer SQL: FATAL: no slot"):
            _plan(_standby(B, **turned_away))
        return
    plan = _plan(_standby(B, **turned_away), _standby(C, **turned_away))
    assert (plan.candidate, plan.lossless) == (B, True)
    assert "as its gate says" in plan.candidates[0].reason


def test_no_loss_is_excluded_while_a_role_commits_without_waiting() -> None:
    weak = ("role app: synchronous_commit=false", "database shop: synchronous_commit=local")
    plan, usual = _plan(_standby(B), _standby(C, {"weak_commit_settings": weak})), _plan(_standby(B), _standby(C))
    assert (usual.lossless, usual.candidate, plan.lossless, plan.candidate) == (True, B, False, B)
    assert plan.loss == (
        "up to 256 bytes of WAL (0.2 s) may be lost: commits are acknowledged without waiting for a standby:"
        " role app: synchronous_commit=false, database shop: synchronous_commit=local"
    )
    other = _plan(_standby(B), _standby(C, {"weak_commit_settings": weak[:1]}))
    assert len({plan.digest, usual.digest, other.digest}) == 3, "who approves one has not approved another"
    assert plan.keeps_what_waited, "and everybody else's commits are looked for on every synchronous standby"
    assert not _plan(_standby(B, {"weak_commit_settings": weak}), member(C, **SILENT)).keeps_what_waited


def test_a_loss_that_nobody_can_bound_is_called_unknown() -> None:
    weak = {"weak_commit_settings": ("role app: synchronous_commit=0",), "lag_seconds": None, "lag_bytes": None}
    plan = _plan(_standby(B, weak), _standby(C))
    assert plan.loss.startswith("how much is unknown: writes may be lost: commits are acknowledged without waiting")


def test_a_synchronous_member_that_the_estate_does_not_list_is_a_doubt() -> None:
    plan = _plan(_standby(B), _standby(C), sync=f"{B},postgresql-elsewhere-0")
    assert (plan.lossless, plan.keeps_what_waited) == (False, False)
    assert "a commit may have waited for postgresql-elsewhere-0, which cannot be seen" in plan.loss


def test_no_word_is_awaited_of_a_machine_that_nobody_can_name() -> None:
    assert "no proof but its gate's" in _plan(_standby(B), proof=("gate", "machine")).attestation


@pytest.mark.parametrize(
    ("standbys", "candidate"), [((_standby(B), _standby(C)), B), ((_standby(B), _standby(C, AHEAD)), C)]
)
def test_the_one_that_has_received_more_leads_and_of_equals_the_first(
    standbys: tuple[MemberFact, ...], candidate: str
) -> None:
    plan = _plan(*standbys)
    assert (plan.candidate, plan.lossless) == (candidate, True)


def test_takes_the_one_that_was_asked_for_which_gets_the_rest_from_the_other() -> None:
    plan = _plan(_standby(B), _standby(C, AHEAD), to=B)
    assert (plan.candidate, plan.lossless) == (B, True)


def test_takes_the_fit_one_though_the_other_has_a_little_more() -> None:
    plan = _plan(_standby(B), _standby(C, AHEAD, FULL))
    assert (plan.candidate, plan.lossless) == (B, True)


@pytest.mark.parametrize(
    ("other", "words"), [(_standby(C, FAR_AHEAD), "must lead$"), (_standby(C, FAR_AHEAD, FULL), "cannot")]
)
def test_refuses_one_that_lacks_much_of_what_the_other_has(other: MemberFact, words: str) -> None:
    with pytest.raises(ApplicationError, match=f"{B} has received up to 0/3000000, {C} up to 0/5000000.*{words}") as refused:
        _plan(_standby(B), other, to=B)
    assert refused.value.type == "LagTooLarge"


def test_refuses_one_that_is_far_behind_though_commits_may_have_waited_for_it() -> None:
    with pytest.raises(ApplicationError, match=f"{B} was 60.0 s behind"):
        _plan(_standby(B, {"lag_seconds": 60.0}), _standby(C, **SILENT))


def test_one_that_commits_waited_for_alone_needs_no_lag() -> None:
    assert _plan(_standby(B, {"lag_seconds": None}), sync=B).lossless


@pytest.mark.parametrize("received", [LEVEL, FAR_AHEAD])
def test_a_standby_that_was_left_on_an_earlier_timeline_keeps_nobody_from_leading(received: dict[str, Any]) -> None:
    """It was away when the leader was promoted, and is back too late; its LSN is of another history."""
    plan = _plan(_standby(B, {"timeline": 4}), _standby(C, {"timeline": 3}, received), sync=B)
    assert (plan.candidate, plan.lossless, plan.timeline, plan.other_wal) == (B, True, 4, (C,))
    (left,) = (one for one in plan.candidates if one.name == C)
    assert (left.eligible, left.reason) == (False, f"{C} is on timeline 3, {B} on 4")
    with pytest.raises(ApplicationError, match=f"{C} is on timeline 3, {B} on 4") as refused:
        _plan(_standby(B, {"timeline": 4}), _standby(C, {"timeline": 3}), sync=B, to=C)
    assert refused.value.type == "WrongTimeline"


@pytest.mark.parametrize("server", [ServerState.STOPPED, ServerState.RUNNING])
def test_a_standby_that_has_never_followed_this_leader_would_begin_its_timeline_again(server: ServerState) -> None:
    """Only gates tell by then: the leader's, whose server is stopped, or that of a standby whose server is frozen."""
    knows = A if server is ServerState.STOPPED else B
    told = member(knows, gate=status(knows, server=server, role=None, timeline=4), sql=None)
    rest = () if knows == A else (member(A, **SILENT),)
    seen = Survey(at=NOW, record=record(sync=B), members=(told, *rest, _standby(C, {"timeline": 3})))
    with pytest.raises(ApplicationError, match=f"{C} is on timeline 3, {knows} on 4"):
        make_forced_plan(request(mode="forced"), target(), seen)


@pytest.mark.parametrize(("epoch", "promoted", "fit"), [(5, None, True), (4, None, False), (4, 4, True), (4, 5, False)])
def test_the_lag_of_one_that_has_not_heard_of_the_leader_is_of_the_leader_before(
    epoch: int, promoted: int | None, *, fit: bool
) -> None:
    """Where the leader's gate is silent, the record's epoch counts."""
    gate = status(A, server=ServerState.STOPPED, role=None, promoted_at_epoch=promoted)
    leader = member(A, **SILENT) if promoted is None else member(A, gate=gate, sql=None)
    seen = Survey(at=NOW, record=record(sync="none"), members=(leader, _standby(B, {"epoch": epoch})))
    if fit:
        assert make_forced_plan(request(mode="forced"), target(), seen).candidate == B
        return
    with pytest.raises(ApplicationError, match=f"{B} is unknown: it knows of epoch 4, and {A} leads since epoch 5"):
        make_forced_plan(request(mode="forced"), target(), seen)


@pytest.mark.parametrize("sync", [f"{B},{C}", C, "none"])
def test_where_timelines_disagree_with_who_is_synchronous_a_person_names_the_one_that_leads(sync: str) -> None:
    """A disk was set back; or one that is not synchronous is on a timeline that was given up."""
    standbys = _standby(B, {"timeline": 4}), _standby(C, {"timeline": 3})
    with pytest.raises(ApplicationError, match=f"{C} is on timeline 3, {B} on 4; commits wait for {sync}.*--to") as refused:
        _plan(*standbys, sync=sync)
    assert refused.value.type == "WrongTimeline"
    plan = _plan(*standbys, sync=sync, to=B)
    assert (plan.candidate, plan.lossless) == (B, False)


@pytest.mark.parametrize(("others", "lossless"), [((), True), ((C,), False)])
def test_where_the_leaders_disk_was_set_back_another_standby_may_have_what_it_wrote_since(
    others: tuple[str, ...], *, lossless: bool
) -> None:
    """It went on from an earlier place, so the end of WAL does not tell which standby has most."""
    lacks = member(A, gate=status(A, server=ServerState.STOPPED, role=None, lacks="it has replayed more"), sql=None)
    seen = Survey(
        at=NOW, record=record(sync=",".join((B, *others))), members=(lacks, *(_standby(one) for one in (B, *others)))
    )
    plan = make_forced_plan(request(mode="forced"), target(), seen)
    assert plan.lossless is lossless
    assert ("was set back" in plan.loss) is not lossless


_BEFORE, _LATER = NOW - timedelta(minutes=9), NOW - timedelta(minutes=1)


_TOLD = {"upstream_at": _LATER, "upstream_lsn": "0/3000000"}


@pytest.mark.parametrize("heard", [{"upstream_at": _BEFORE}, {"last_replay_at": _BEFORE, "lag_seconds": None}])
@pytest.mark.parametrize("sync", [f"{B},{C}", "none"])
@pytest.mark.parametrize("since", [LEVEL, FAR_AHEAD])
def test_a_person_decides_where_the_leader_had_less_later_on(
    heard: dict[str, Any], sync: str, since: dict[str, Any]
) -> None:
    """Its disk was set back, and nobody hears from it any more. What it wrote since is on the other standby."""
    standbys = _standby(B, AHEAD, heard), _standby(C, since, _TOLD)
    words = f"{B} has received up to 0/3000100, and 480 s later the leader's WAL ended at 0/3000000, as {C} was told"
    for to in (None, C):
        with pytest.raises(ApplicationError, match=f"{words}; --to {B} keeps its rows .* those of {C}") as refused:
            _plan(*standbys, sync=sync, to=to)
        assert refused.value.type == "WrongTimeline"
    plan = _plan(*standbys, sync=sync, to=B)
    assert (plan.candidate, plan.lossless, plan.other_wal) == (B, False, (C,))
    assert sync == "none" or f"{words}; what it wrote since may be on {C} only" in plan.loss


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        ({"upstream_at": _BEFORE}, {**_TOLD, "upstream_lsn": "0/3000100"}),
        ({"upstream_at": _LATER}, {**_TOLD, "upstream_at": _BEFORE}),
        ({"upstream_at": _LATER - timedelta(seconds=4)}, _TOLD),
        ({"upstream_at": _BEFORE, "last_replay_at": _LATER}, _TOLD),
        ({}, _TOLD),
        ({"upstream_at": _BEFORE}, {}),
    ],
)
def test_a_standby_that_was_away_has_less_and_nothing_is_wrong(heard: dict[str, Any], told: dict[str, Any]) -> None:
    assert _plan(_standby(B, AHEAD, heard), _standby(C, LEVEL, told), sync=f"{B},{C}").lossless


def test_one_standby_that_alone_confirmed_commits_has_them_all() -> None:
    assert _plan(_standby(B, AHEAD, {"upstream_at": _BEFORE}), _standby(C, LEVEL, _TOLD), sync=B).lossless


def test_positions_of_an_earlier_timeline_say_nothing_of_the_latest() -> None:
    standbys = _standby(B, {"timeline": 4}), _standby(C, {"timeline": 3, "upstream_at": _BEFORE}, FAR_AHEAD)
    seen = _standby("postgresql-standby-2", {"timeline": 3}, _TOLD)
    assert _plan(*standbys, seen, sync=f"{B},postgresql-standby-9", to=B).candidate == B
