"""What the end of a dry run says of readiness, and what is carried from pass to pass: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from activities.readiness.models import Checkable, Inventoried
from activities.run.errors import Refusal
from activities.run.models.doctor import Severity
from activities.run.models.report import Outcome
from starters.commands.doctor import of_readiness
from workflows.catalog import PROCEDURES
from workflows.readiness.cases import LEFT_OUT, REHEARSALS, dry_runs
from workflows.readiness.judging import FINE, NOBODY_LOOKED, Pass, after, after_none, of_end, of_refusal, unknown
from workflows.readiness.models import LATE, Case, Readiness, ReadinessInput, ReadinessStatus
from workflows.run.models import is_plan, plan_beside
from workflows.run.outcome import Summary

_NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
_HALF_HOUR = timedelta(minutes=30)
_ONE = Case(procedure="postgres-failover", target="postgres/orders", variant="planned")
_READY, _GONE = of_end(Summary(outcome=Outcome.DRY_RUN, explanation="")), of_refusal("Unreachable", "no answer")
_LAGS = of_refusal("LagTooLarge", "b lags 20 bytes, the limit is 16")


def _passed(status: ReadinessStatus, verdict: object, at: datetime) -> ReadinessStatus:
    listed = Inventoried(every=_HALF_HOUR, at_once=8)
    return after(status, Pass(at - timedelta(seconds=2), at, listed, ((_ONE, verdict),)))  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_blocks_unless_the_table_says_why_not(refusal: Refusal) -> None:
    wanted = Readiness.READY if refusal in FINE else Readiness.UNKNOWN if refusal in NOBODY_LOOKED else Readiness.BLOCKED
    found = of_refusal(refusal.value, "node-1 is so")
    assert found.readiness is wanted
    assert found.reasons[0].refusal == refusal.value
    assert "node-1 is so" in found.reasons[0].message


def test_only_these_refusals_are_fine_or_nobodys_word() -> None:
    assert {one.value for one in FINE} == {"NodeAlive", "PrimaryAlive", "MovedAlready"}
    assert {one.value for one in NOBODY_LOOKED} == {"Unreachable", "SecretMissing"}


@pytest.mark.parametrize("kind", ["TerminatedError", "Cancelled", "Error"])
def test_an_end_that_is_no_refusal_is_unknown(kind: str) -> None:
    assert of_refusal(kind, "somebody ended it").readiness is Readiness.UNKNOWN


def test_a_run_that_is_no_dry_run_is_never_ready() -> None:
    assert of_end(Summary(outcome=Outcome.COMPLETED, explanation="moved")).readiness is Readiness.UNKNOWN


def test_warnings_are_kept_with_their_words() -> None:
    found = of_end(Summary(outcome=Outcome.DRY_RUN, explanation="", warnings=("b lags", "c is full")))
    assert (found.readiness, [one.message for one in found.reasons]) == (Readiness.WARNING, ["b lags", "c is full"])


def test_since_is_kept_while_it_stands_as_before_whatever_the_reason() -> None:
    first = _passed(ReadinessStatus(), _LAGS, _NOON)
    worse = _passed(first, of_refusal("NoStandby", "b is gone"), _NOON + _HALF_HOUR)
    assert (worse.checks[0].since, worse.checks[0].reasons[0].refusal) == (_NOON, "NoStandby")
    assert [one.message for one in worse.changes] == ["b is gone", "b lags 20 bytes, the limit is 16"]
    mended = _passed(worse, _READY, _NOON + 2 * _HALF_HOUR)
    assert mended.checks[0].since == _NOON + 2 * _HALF_HOUR


def test_a_number_that_drifts_is_no_change() -> None:
    first = _passed(ReadinessStatus(), _LAGS, _NOON)
    second = _passed(first, of_refusal("LagTooLarge", "b lags 21 bytes, the limit is 16"), _NOON + _HALF_HOUR)
    assert (len(second.changes), second.checks[0].reasons[0].message) == (1, "b lags 21 bytes, the limit is 16")


def test_a_target_that_left_the_estate_is_gone_with_the_next_pass() -> None:
    first = _passed(ReadinessStatus(), _LAGS, _NOON)
    listed = Inventoried(every=_HALF_HOUR, at_once=8)
    assert after(first, Pass(_NOON, _NOON, listed, ())).checks == ()


def test_the_history_is_bounded() -> None:
    status = ReadinessStatus()
    for number in range(250):
        status = _passed(status, _LAGS if number % 2 else _GONE, _NOON + number * _HALF_HOUR)
    assert len(status.changes) == 200
    assert status.changes[0].at == _NOON + 249 * _HALF_HOUR


def test_a_pass_that_cannot_be_made_leaves_nothing_ready() -> None:
    first = _passed(ReadinessStatus(), _READY, _NOON)
    lost = after_none(first, "estate: line 3", _NOON + _HALF_HOUR, timedelta(minutes=5))
    again = after_none(lost, "estate: line 3", _NOON + 2 * _HALF_HOUR, timedelta(minutes=5))
    for one in (lost, again):
        assert (one.unknown, one.unknown_since) == ("estate: line 3", _NOON + _HALF_HOUR)
        assert one.counts == {"ready": 0, "warning": 0, "blocked": 0, "unknown": 1}
        assert (one.checks[0].readiness, one.checks[0].since) == (Readiness.UNKNOWN, _NOON + _HALF_HOUR)
    known = _passed(again, _READY, _NOON + 3 * _HALF_HOUR)
    assert (known.unknown, known.unknown_since, known.counts["ready"]) == ("", None, 1)


def test_what_is_too_old_is_unknown_since_the_last_pass() -> None:
    status = _passed(ReadinessStatus(), _READY, _NOON)
    due = _NOON + _HALF_HOUR
    assert status.as_of(due + LATE).counts["ready"] == 1
    late = status.as_of(due + LATE + timedelta(seconds=1))
    assert (late.counts["ready"], late.counts["unknown"], late.unknown_since) == (0, 1, _NOON)
    assert late.unknown == "no pass has ended since 2026-11-30 12:00 UTC"


def test_the_memo_has_what_is_not_ready_and_stays_small() -> None:
    listed = Inventoried(every=_HALF_HOUR, at_once=8)
    found = tuple((_ONE.model_copy(update={"target": f"postgres/{number}"}), unknown("x" * 5000)) for number in range(3000))
    status = after(ReadinessStatus(), Pass(_NOON, _NOON, listed, found))
    assert (status.counts["unknown"], len(status.brief().checks)) == (3000, 100)
    assert len(status.brief().model_dump_json()) < 100_000


def test_what_an_older_version_carries_can_be_read() -> None:
    status = _passed(ReadinessStatus(), _LAGS, _NOON)
    told = ReadinessInput(state=status).model_dump(mode="json")
    told["state"] |= {"of_a_later_version": 1}
    told["state"]["checks"][0] |= {"of_a_later_version": 1}
    assert ReadinessInput.model_validate(told).state == status


def test_every_procedure_is_rehearsed_or_left_out_for_a_reason() -> None:
    specs = {spec.name: spec for spec in PROCEDURES}
    assert {*LEFT_OUT, *(one.workflow for one in REHEARSALS)} == {*specs}
    assert {one.workflow for one in REHEARSALS} & {*LEFT_OUT} == set()
    for one in REHEARSALS:
        request = specs[one.workflow].request
        assert (one.subject, one.names, one.modes) == (request.subject, request.names, request.modes or ("",))


def test_each_dry_run_is_a_plan_with_an_id_of_its_own_that_its_procedure_takes() -> None:
    subjects = {one.subject for one in REHEARSALS}
    targets = [Checkable(subject=one, name="x", to=("a", "b") if one == "traffic" else ()) for one in sorted(subjects)]
    planned = [*dry_runs([*targets, Checkable(subject="traffic", name="y", to=("a",), starts_first=("a",))])]
    assert len({one.workflow_id for one in planned}) == len(planned)
    for one in planned:
        assert is_plan(one.workflow_id)
        spec = next(spec for spec in PROCEDURES if spec.name == one.case.procedure)
        request = spec.request.model_validate(one.request)
        assert (request.fault, request.lock, request.run.value) == (None, one.case.target, "plan")
        assert one.workflow_id != f"plan/{request.lock}"
    assert planned[-1].request["serves_later"] is True
    assert planned[-2].request["serves_later"] is False


def test_doctor_tells_it_in_one_line_and_never_calls_the_unknown_fine() -> None:
    blocked, ready = (_passed(ReadinessStatus(), one, _NOON) for one in (_LAGS, _READY))
    late = ready.as_of(_NOON + _HALF_HOUR + 2 * LATE)
    assert of_readiness(None).remedy == "failover readiness start"
    assert (of_readiness(blocked).severity, of_readiness(blocked).message) == (Severity.WARNING, "1 blocked")
    assert of_readiness(late).severity is Severity.WARNING
    assert of_readiness(ready).severity is Severity.OK


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        ("plan/readiness/region-failover/region/eastus/planned", "plan/readiness/traffic/api"),
        ("plan/region/eastus", "plan/traffic/api"),
        ("region/eastus", "plan/traffic/api"),
    ],
)
def test_a_plan_inside_a_dry_run_has_no_id_of_a_colleagues(own: str, wanted: str) -> None:
    assert plan_beside(own, "traffic/api") == wanted
