"""What plans, reports and doctor say of things that a failover does not carry over."""

from __future__ import annotations

from typing import Any

import pytest

from activities.postgres.doctor import of_survey
from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.survey import MemberFact
from activities.run.models.diagnosis import Silence
from activities.run.models.doctor import Severity
from activities.run.models.report import Known
from gate.api import Contents, Promoted, Slot, Tablespace
from starters.render.postgres import postgres_lines
from tests.postgres.samples import NOW, A, B, C, leader, member, record, request, sql, status, survey, target
from workflows.postgres.planning.forced import make_forced_plan
from workflows.postgres.planning.planned import make_plan

BARMAN, KAFKA = Slot(name="barman", active=True, bytes_held=10), Slot(name="kafka", active=False, bytes_held=4096)
CARTS = Contents(
    unlogged_tables=3, unlogged_bytes=40_000_000, largest_unlogged=("shop.public.carts", "shop.public.queue", "s.a.b"),
    slots=(BARMAN, KAFKA),
)  # fmt: skip
SAID = (
    f"3 unlogged tables, 40.0 MB: empty afterwards on {B} (shop.public.carts, shop.public.queue, s.a.b)",
    f"replication slot barman: not on {B}; its consumer must be set up again",
)


def _leader(**changes: Any) -> MemberFact:
    return MemberFact(name=A, gate=leader(B, C, **changes), sql=sql(in_recovery=False))


def _standby(name: str, **changes: Any) -> MemberFact:
    known = {"replay_lsn": "0/3000000", "lag_seconds": 0.0, **changes}
    return member(name, gate=status(name, **known))


def test_a_planned_switch_names_what_it_does_not_carry_over_and_decides_nothing_by_it() -> None:
    second = _standby(B, contents=Contents(unlogged_tables=3, unlogged_bytes=8, slots=(KAFKA,)))
    plan = make_plan(request(), target(), survey(members=(_leader(contents=CARTS), second)))
    usual = make_plan(request(), target(), survey(members=(_leader(), second.model_copy(update={"gate": status(B)}))))
    assert plan.left_behind == SAID
    assert plan.remarks[1:] == tuple(f"not carried over: {what}" for what in SAID)
    assert (plan.digest, usual.left_behind) == (usual.digest, ())


def test_a_forced_one_asks_the_standby_when_the_primary_is_silent() -> None:
    dead = MemberFact(name=A, gate_error="silence", sql_error="silence")
    standby = _standby(B, contents=Contents(unlogged_tables=1, unlogged_bytes=8192, largest_unlogged=("shop.public.carts",)))
    plan = make_forced_plan(request(mode="forced"), target(), survey(members=(dead, standby), record=record(sync=B)))
    assert plan.left_behind == (f"1 unlogged table, 8.2 KB: empty afterwards on {B} (shop.public.carts)",)
    assert plan.lossless, "what was acknowledged of logged tables is kept"


def test_the_largest_are_named_where_there_are_more() -> None:
    many = CARTS.model_copy(update={"unlogged_tables": 40, "slots": ()})
    plan = make_plan(request(), target(), survey(members=(_leader(contents=many), _standby(B))))
    assert plan.left_behind[0].endswith("(largest: shop.public.carts, shop.public.queue, s.a.b)")


def test_the_report_says_it_again_once_somebody_was_promoted() -> None:
    plan = make_plan(request(), target(), survey(members=(_leader(contents=CARTS), _standby(B))))
    promoted = Promoted(epoch=6, timeline=4, lsn="0/4000000", promoted_at=NOW, requests_sent=1)
    lines = postgres_lines(Known(plan=plan, details=PostgresDetails(promoted=promoted)))
    assert [f"not carried over: {what}" for what in plan.left_behind] == lines
    assert ["unlogged" in lines[0], "barman" in lines[1], "kafka" in lines[2]] == [True, True, True]
    assert postgres_lines(Known(plan=plan, details=PostgresDetails())) == []


def test_doctor_names_slots_that_hold_wal_on_a_member_that_follows_and_tablespaces_that_go_with_the_pod() -> None:
    outside = (Tablespace(name="ts", location="/data/ts", volatile=True), Tablespace(name="big", location="/volume/ts"))
    first = _leader(contents=Contents(slots=(KAFKA,), outside=outside))
    second = _standby(B, contents=Contents(slots=(BARMAN, KAFKA), outside=outside))
    found = [one for one in of_survey(target(), survey(members=(first, second))) if one.severity is Severity.WARNING]
    said = [(one.subject, one.message) for one in found if "slot" in one.message or "tablespace" in one.message]
    assert [(subject, message.split(":")[0].split(" lies")[0]) for subject, message in said] == [
        (A, "tablespace ts at /data/ts"), (B, "tablespace ts at /data/ts"), (B, "replication slot kafka")
    ]  # fmt: skip
    assert "keeps 4096 bytes of WAL" in said[2][1]


@pytest.mark.parametrize("silence", [Silence.NO_ROOM, Silence.TURNED_AWAY])
def test_doctor_tells_full_connection_slots_from_a_login_that_is_wrong(silence: Silence) -> None:
    second = member(B, sql=None, sql_error="FATAL: no", sql_silence=silence)
    found = {one.message: one.severity for one in of_survey(target(), survey(second)) if "FATAL: no" in one.message}
    full = silence is Silence.NO_ROOM
    message = "has no connection slot free: FATAL: no" if full else "does not answer SQL: FATAL: no"
    assert found == {message: Severity.WARNING if full else Severity.FAULT}


@pytest.mark.parametrize("primary_is_silent", ["yes", "no"])
def test_doctor_names_weak_commits_once_whoever_knows_of_them(primary_is_silent: str) -> None:
    weak = ("role app: synchronous_commit=false",)
    second = _standby(B, weak_commit_settings=weak)
    first = _leader(weak_commit_settings=weak)
    if primary_is_silent == "yes":
        first = MemberFact(name=A, gate_error="silence", sql_error="silence")
    found = [one for one in of_survey(target(), survey(members=(first, second))) if "weakened" in one.message]
    assert [(one.subject, one.severity) for one in found] == [(A, Severity.FAULT)]
    assert weak[0] in found[0].message


def test_doctor_says_when_a_gate_waits_long_for_its_server() -> None:
    first = _leader(unanswered="the server's figures took more than 2 s")
    found = [one for one in of_survey(target(), survey(members=(first, _standby(B)))) if "took more" in one.message]
    assert [(one.subject, one.severity) for one in found] == [(A, Severity.WARNING)]
