"""Which standby may lead, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.survey import MemberFact
from activities.run.models.diagnosis import Silence
from activities.run.models.plan import digest_of
from gate.api import Follower, GateStatus, Role, ServerState
from gate.postgres.lsn import format_lsn
from gate.record import Intent, Mode
from tests.postgres.samples import A, B, C, leader, member, record, request, sql, status, survey, target
from workflows.postgres.planning.planned import make_plan


def _plan(*standbys: MemberFact, to: str | None = None, **changes: Any) -> PostgresPlan:
    return make_plan(request(to=to), target(), survey(*standbys, **changes))


def test_plans_a_switch_to_the_first_fit_standby_whoever_is_ahead_at_the_moment() -> None:
    plan = _plan(member(B), member(C, gate=status(C, receive_lsn="0/3000001")))
    assert (plan.primary, plan.candidate, plan.epoch, plan.timeline) == (A, B, 5, 3)
    assert [one.name for one in plan.candidates] == [B, C]
    assert _plan(member(C), member(B)).candidate == C


def test_takes_the_member_that_was_asked_for_though_another_is_ahead() -> None:
    assert _plan(member(B), member(C, gate=status(C, receive_lsn="9/0")), to=B).candidate == B


def test_passes_over_a_standby_that_is_not_fit() -> None:
    plan = _plan(member(B, gate=None, gate_error="silence"), member(C))
    assert (plan.candidate, plan.candidates[0].eligible, plan.candidates[0].reason) == (
        C, False, f"the gate of {B} does not answer: silence",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"gate": None, "gate_error": "silence"}, "Unreachable"),
        ({"sql": None, "sql_error": "refused"}, "Unreachable"),
        ({"gate": status(B, server=ServerState.STOPPED, role=None)}, "NoStandby"),
        ({"gate": status(B, server=ServerState.STARTING)}, "NoStandby"),
        ({"gate": status(B, system_identifier="1")}, "NoStandby"),
        ({"gate": status(B, system_identifier=None)}, "NoStandby"),
        ({"gate": status(B, timeline=2)}, "WrongTimeline"),
        ({"gate": status(B, timeline=None)}, "WrongTimeline"),
        ({"gate": status(B, upstream=None)}, "NoStandby"),
        ({"gate": status(B, upstream=C)}, "NoStandby"),
        ({"gate": status(B, lag_bytes=None)}, "LagUnknown"),
        ({"gate": status(B, receive_lsn=None)}, "LagUnknown"),
        ({"gate": status(B, lag_bytes=2**24 + 1)}, "LagTooLarge"),
        ({"gate": status(B, disk_free_bytes=None)}, "DiskTooFull"),
        ({"gate": status(B, disk_free_bytes=2**28 - 1)}, "DiskTooFull"),
    ],
)
def test_refuses_a_standby_that_is_not_fit(changes: dict[str, Any], kind: str) -> None:
    with pytest.raises(ApplicationError) as refused:
        _plan(member(B, **changes))
    assert (refused.value.type, refused.value.non_retryable, B in refused.value.message) == (kind, True, True)


FULL: dict[str, Any] = {"sql": None, "sql_error": "sorry, too many clients already", "sql_silence": Silence.NO_ROOM}


def test_full_connection_slots_refuse_nothing_and_are_named() -> None:
    first = MemberFact(name=A, gate=leader(B), **FULL)
    plan = _plan(member(B), members=(first, member(B, **FULL)))
    assert (plan.candidate, plan.candidates[0].eligible) == (B, True)
    assert plan.candidates[0].reason.endswith("as its gate says; it has no connection slot free for the worker")


@pytest.mark.parametrize("silence", [silence for silence in Silence if silence is not Silence.NO_ROOM])
def test_a_planned_switch_wants_an_answer_by_sql_all_the_same(silence: Silence) -> None:
    with pytest.raises(ApplicationError, match="does not answer SQL"):
        _plan(member(B, **{**FULL, "sql_silence": silence}))


def test_a_standby_that_does_not_run_is_said_to_have_a_full_disk() -> None:
    with pytest.raises(ApplicationError, match=r"does not run as a standby.*0 bytes free, the limit is"):
        _plan(member(B, gate=status(B, server=ServerState.STARTING, role=None, disk_free_bytes=0)))


@pytest.mark.parametrize("lag", [0, 2**24])
def test_accepts_a_lag_up_to_the_limit(lag: int) -> None:
    assert _plan(member(B, gate=status(B, lag_bytes=lag))).candidate == B


@pytest.mark.parametrize("state", ["async", "potential"])
def test_refuses_a_standby_that_the_primary_does_not_wait_for(state: str) -> None:
    row = Follower(member=B, state="streaming", sync_state=state)
    first = MemberFact(name=A, gate=leader(followers=(row,)), sql=sql(in_recovery=False))
    _refuses("StandbyAsynchronous", members=(first, member(B)))


def test_refuses_when_the_record_does_not_promise_synchronous_commits() -> None:
    _refuses("StandbyAsynchronous", record=record(sync="none"))


def test_refuses_a_standby_that_catches_up_still() -> None:
    row = Follower(member=B, state="catchup", sync_state="sync")
    first = MemberFact(name=A, gate=leader(followers=(row,)), sql=sql(in_recovery=False))
    _refuses("NoStandby", members=(first, member(B)))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"record": None}, "NoRecord"),
        ({"record": record(selector=B)}, "RecordDisagrees"),
        ({"record": record(selector="")}, "RecordDisagrees"),
        ({"record": record(leader="pg-z", selector="pg-z")}, "RecordDisagrees"),
        ({"record": record(system_identifier="1")}, "RecordDisagrees"),
        ({"record": record(intent=Intent(candidate=B, mode=Mode.PLANNED, run="x/1"))}, "ClaimedElsewhere"),
    ],
)
def test_refuses_a_record_that_a_switch_cannot_start_from(changes: dict[str, Any], kind: str) -> None:
    _refuses(kind, **changes)


@pytest.mark.parametrize(
    ("gate", "says", "kind"),
    [
        (None, sql(in_recovery=False), "Unreachable"),
        (leader(B), None, "Unreachable"),
        (leader(B), sql(in_recovery=True), "NoPrimary"),
        (leader(B, role=Role.STANDBY), sql(in_recovery=False), "NoPrimary"),
        (leader(B, server=ServerState.STOPPED, role=None), sql(in_recovery=False), "NoPrimary"),
    ],
)
def test_refuses_when_the_witnesses_disagree_about_the_primary(gate: GateStatus | None, says: Any, kind: str) -> None:
    _refuses(kind, members=(MemberFact(name=A, gate=gate, sql=says), member(B)))


@pytest.mark.parametrize("second", [{"gate": status(B, role=Role.PRIMARY)}, {"sql": sql(in_recovery=False)}])
def test_refuses_two_primaries_whoever_says_so(second: dict[str, Any]) -> None:
    with pytest.raises(ApplicationError) as refused:
        _plan(member(B, **second), member(C))
    assert (refused.value.type, B in refused.value.message) == ("TwoPrimaries", True)


def test_the_digest_holds_while_figures_drift_and_changes_with_a_decision() -> None:
    plan = _plan(member(B), member(C))
    drifted = _plan(member(B, gate=status(B, receive_lsn="0/3000009", lag_bytes=9)), member(C, gate=status(C, lag_bytes=1)))
    assert drifted.digest == plan.digest == digest_of(plan.decisions())
    others = (
        _plan(member(B), member(C), to=C),
        _plan(member(B), member(C), record=record(sync=B)),
        _plan(member(B, gate=status(B, timeline=4)), members=_on_timeline_4()),
    )
    assert plan.digest not in {other.digest for other in others}


def _on_timeline_4() -> tuple[MemberFact, ...]:
    first = MemberFact(name=A, gate=leader(B, timeline=4), sql=sql(in_recovery=False))
    return (first, member(B, gate=status(B, timeline=4)))


def _refuses(kind: str, **changes: Any) -> None:
    with pytest.raises(ApplicationError) as refused:
        make_plan(request(), target(), survey(member(B), **changes))
    assert (refused.value.type, refused.value.non_retryable) == (kind, True)


_LSN = st.integers(0, 2**40).map(format_lsn)
_STANDBY = st.fixed_dictionaries(
    {
        "receive_lsn": st.none() | _LSN,
        "lag_bytes": st.none() | st.integers(0, 2**25),
        "timeline": st.sampled_from([2, 3, 3, 3]),
        "role": st.sampled_from([Role.STANDBY, Role.STANDBY, Role.STANDBY, None]),
        "disk_free_bytes": st.sampled_from([None, 0, 10**10, 10**10, 10**10]),
    }
)


@settings(deadline=None)
@given(st.lists(_STANDBY, max_size=6))
def test_the_candidate_is_always_the_first_that_is_fit(figures: list[dict[str, Any]]) -> None:
    names = [f"pg-{number}" for number in range(len(figures))]
    facts = [member(name, gate=status(name, **one)) for name, one in zip(names, figures, strict=True)]
    wanted = survey(*facts, record=record(sync=",".join(names) or "none"))
    fit = [
        one for one in facts
        if one.gate and one.gate.role and one.gate.timeline == 3 and one.gate.receive_lsn is not None
        and one.gate.lag_bytes is not None and one.gate.lag_bytes <= 2**24 and (one.gate.disk_free_bytes or 0) >= 2**28
    ]  # fmt: skip
    if not fit:
        with pytest.raises(ApplicationError):
            make_plan(request(), target(members=(A, *names)), wanted)
        return
    plan = make_plan(request(), target(members=(A, *names)), wanted)
    assert plan.candidate == fit[0].name
