"""Whether a cluster takes writes, and what doctor says first when it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.postgres.availability import standing_of
from activities.postgres.doctor import of_survey
from activities.postgres.models.survey import MemberFact, Survey
from activities.run.models.diagnosis import Silence
from activities.run.models.doctor import Severity
from gate.api import ServerState
from gate.record import NO_SYNC, Intent, Mode
from tests.postgres.samples import NOW, A, B, C, leader, member, record, status, survey, target

_SILENT = MemberFact(
    name=A,
    gate_error="no answer within 3 s",
    gate_silence=Silence.NO_ANSWER,
    sql_error="no answer within 3 s",
    sql_silence=Silence.NO_ANSWER,
)
_FORCED = "failover plan postgres-failover orders --mode forced"


def _led_by(first: MemberFact, *standbys: MemberFact, **changes: Any) -> Survey:
    return survey(members=(first, *standbys), **changes)


def test_a_silent_primary_is_said_first_with_the_forced_plan() -> None:
    findings = of_survey(target(), _led_by(_SILENT, member(B)))
    assert findings[0].message == f"WRITES ARE DOWN: its leader {A} answers neither SQL nor its gate; {B} is fit to lead"
    assert (findings[0].subject, findings[0].severity, findings[0].outage) == ("orders", Severity.FAULT, True)
    assert findings[0].remedy == _FORCED
    assert not [one for one in findings if one.ok and (A in one.message or "commits wait" in one.message)]
    remedies = [one.remedy for one in findings if "network policy" in one.remedy or "pg_hba" in one.remedy]
    assert len(remedies) == 2
    assert all(one.startswith(f"kubectl describe pod {A}; see ") for one in remedies)


def test_a_living_primary_is_no_outage() -> None:
    findings = of_survey(target(), survey(member(B)))
    assert not any(one.outage for one in findings)
    assert f"sends writes to {A}, epoch 5" in findings[0].message


@pytest.mark.parametrize(
    ("first", "writes", "told"),
    [
        (MemberFact(name=A, gate=leader(B), sql=member(A).sql), False, "answers SQL in recovery"),
        (MemberFact(name=A, gate=leader(B, server=ServerState.STOPPED)), False, "is down"),
        (MemberFact(name=A, gate=leader(B), sql_error="slots", sql_silence=Silence.NO_ROOM), None, "turns clients away"),
        (MemberFact(name=A, sql_error="no password", sql_silence=Silence.TURNED_AWAY), None, "turns the worker away"),
    ],
)
def test_what_is_known_of_writes(first: MemberFact, writes: bool | None, told: str) -> None:  # noqa: FBT001
    found = standing_of(target(), _led_by(first, member(B)))
    assert found.takes_writes is writes
    assert told in found.message


def test_a_healthy_cluster_needs_no_words() -> None:
    found = standing_of(target(), survey(member(B)))
    assert (found.leader, found.takes_writes, found.redundant, found.message, found.remedy) == (A, True, True, "", "")
    assert standing_of(target(), survey(member(B), record=record(sync=NO_SYNC))).redundant is False


def test_a_synchronous_member_that_the_estate_does_not_list_is_a_fault() -> None:
    findings = of_survey(target(), survey(member(B), record=record(sync=f"{B},elsewhere-0")))
    told = [one for one in findings if one.message == "commits may wait for elsewhere-0, which the estate does not list"]
    assert [one.severity for one in told] == [Severity.FAULT]


@pytest.mark.parametrize(
    ("days", "severity"), [(30, None), (6, Severity.WARNING), (-1, Severity.FAULT)], ids=["long", "soon", "over"]
)
def test_a_certificate_that_ends_is_named_in_time(days: int, severity: Severity | None) -> None:
    gate = status(B, certificate_ends_at=NOW + timedelta(days=days))
    told = [one for one in of_survey(target(), survey(member(B, gate=gate))) if "its certificate end" in one.message]
    assert [one.severity for one in told] == ([severity] if severity else [])


def test_without_a_record_nothing_is_known() -> None:
    found = standing_of(target(), survey(member(B), record=None))
    assert (found.takes_writes, found.redundant, found.remedy) == (None, None, "failover doctor orders")


def test_a_selector_that_was_moved_counts_by_who_is_behind_it() -> None:
    moved = record(selector=B)
    assert standing_of(target(), survey(member(B), record=moved)).takes_writes is False
    leads_too = member(B, sql=survey().members[0].sql)
    assert standing_of(target(), survey(leads_too, record=moved)).takes_writes is True
    assert standing_of(target(), survey(member(B, sql=None), record=moved)).takes_writes is None


def test_a_run_that_has_stopped_the_writes_is_looked_at_first() -> None:
    intent = Intent(candidate=B, mode=Mode.PLANNED, run="postgres/orders/1", claimed_epoch=6)
    remedy = standing_of(target(), _led_by(_SILENT, member(B), record=record(intent=intent))).remedy
    assert remedy == "failover status orders; if no run is open: failover resume orders --by YOU"


def test_a_primary_that_is_being_started_gets_a_minute() -> None:
    starting = leader(server=ServerState.STARTING, role=None, silent_seconds=0.4)
    found = standing_of(target(), _led_by(MemberFact(name=A, gate=starting), member(B)))
    assert (found.takes_writes, found.remedy) == (False, f"its gate starts it; after a minute: {_FORCED}")


@pytest.mark.parametrize(
    ("standbys", "told"),
    [
        ((member(B), member(C)), f"{B} and {C} are fit to lead"),
        ((member(B, gate=None), member(C)), f"{C} is fit to lead"),
        ((member(B, sql=None),), "no standby is fit to lead"),
        ((member(B, gate=status(B, server=ServerState.STOPPED)),), "no standby is fit to lead"),
        ((member(B, gate=status(B, disk_free_bytes=1)),), "no standby is fit to lead"),
        ((member(B, gate=status(B, system_identifier="another")),), "no standby is fit to lead"),
        ((), "no standby is fit to lead"),
    ],
)
def test_who_could_lead(standbys: tuple[MemberFact, ...], told: str) -> None:
    assert standing_of(target(), _led_by(_SILENT, *standbys)).message.endswith(told)


def test_a_standby_for_which_commits_did_not_wait_may_lack_some() -> None:
    message = standing_of(target(), _led_by(_SILENT, member(B), record=record(sync=C))).message
    assert message.endswith(f"{B} may lack the last acknowledged writes")


def test_a_member_that_a_pause_holds_is_one_warning() -> None:
    stopped = status(B, server=ServerState.STOPPED, role=None, doing="does not follow")
    held = MemberFact(name=B, gate=stopped, sql_error="refused", sql_silence=Silence.REFUSED)
    paused = record(paused_until=(NOW + timedelta(hours=1)).isoformat(), paused_by="mona", paused_because="look")
    found = [one for one in of_survey(target(), survey(held, record=paused)) if one.subject == B]
    assert [(one.severity, one.message) for one in found] == [
        (Severity.WARNING, "held by the pause: it is stopped and follows nobody")
    ]
    assert found[0].remedy == "failover pause orders --off"
    without = [one for one in of_survey(target(), survey(held)) if one.subject == B]
    assert len([one for one in without if one.severity is Severity.FAULT]) > 1


def test_a_pause_hides_neither_a_full_disk_nor_a_leader() -> None:
    full = status(B, server=ServerState.STOPPED, role=None, disk_free_bytes=1)
    paused = record(paused_until=(NOW + timedelta(hours=1)).isoformat())
    members = (MemberFact(name=A, gate=leader(server=ServerState.STOPPED)), MemberFact(name=B, gate=full))
    found = of_survey(target(), survey(members=members, record=paused))
    assert any(one.subject == B and "bytes free" in one.message for one in found)
    assert found[0].outage
    assert any(one.subject == A and one.severity is Severity.FAULT for one in found)
