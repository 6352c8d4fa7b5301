"""Errors and figures in the words of a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.clients.ports import GateRefusedError
from activities.postgres.gate_errors import refused
from activities.postgres.models.transfer import Settlement
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.measured import Tally
from activities.run.models.wire import Wire, read
from gate.api import Problem, ProblemKind
from workflows.postgres.models import lock_id
from workflows.run.models import Run, plan_id
from workflows.run.outcome import cause_of

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        (ProblemKind.STALE_EPOCH, "Superseded"),
        (ProblemKind.NOT_PRIMARY, "NoPrimary"),
        (ProblemKind.NOT_STANDBY, "CandidateFailed"),
        (ProblemKind.LSN_NOT_REACHED, "CandidateBehind"),
        (ProblemKind.WRONG_SYSTEM, "CandidateFailed"),
        (ProblemKind.UNCLEAN_STOP, "UncleanStop"),
        (ProblemKind.NOT_UNTOUCHED, "NotUntouched"),
        (ProblemKind.RECORD_FORBIDS, "RecordChanged"),
    ],
)
def test_a_gates_no_is_final(kind: ProblemKind, refusal: str) -> None:
    error = refused(GateRefusedError("pg-a", Problem(kind=kind, message="epoch 3 is stale", epoch=4)))
    assert (error.type, error.non_retryable, error.message) == (refusal, True, "pg-a: epoch 3 is stale")


@pytest.mark.parametrize("kind", [ProblemKind.NOT_SERVING, ProblemKind.API_UNREACHABLE, ProblemKind.UNAUTHORIZED])
def test_a_passing_state_of_a_gate_is_tried_again(kind: ProblemKind) -> None:
    assert not refused(GateRefusedError("pg-a", Problem(kind=kind, message="starting", epoch=4))).non_retryable


def test_a_refusal_is_bounded_and_a_retry_is_not_final() -> None:
    assert len(refuse(Refusal.NO_RECORD, "x" * 10_000).message) == 2000
    again = retry_in(timedelta(seconds=1), "not yet")
    assert (again.non_retryable, again.next_retry_delay) == (False, timedelta(seconds=1))


def test_the_cause_of_a_refusal_is_its_sentence() -> None:
    assert cause_of(refuse(Refusal.NO_RECORD, "there is none")) == ("NoRecord", "there is none")
    assert cause_of(ApplicationError("odd")) == ("Error", "odd")


def test_ids_say_what_they_lock() -> None:
    assert (lock_id("orders"), plan_id(lock_id("orders")), Run.PLAN.value) == (
        "postgres/orders",
        "plan/postgres/orders",
        "plan",
    )


def test_what_travels_is_frozen() -> None:
    wire: Wire = read(Settlement, {"settled": "nothing", "from_a_newer_version": 1})
    with pytest.raises(ValidationError, match="frozen"):
        wire.settled = "undone"  # type: ignore[attr-defined]


def test_the_outage_is_the_longest_gap_between_two_acknowledgements() -> None:
    tally = Tally()
    for seconds in (0.0, 0.02, 0.04, 1.54, 1.56):
        tally.acknowledged(START + timedelta(seconds=seconds))
    tally.failed("57P03")
    tally.failed("57P03")
    result = tally.result(lost=0, note="")
    assert (result.acknowledged, result.failed, result.errors) == (5, 2, {"57P03": 2})
    assert [result.outage_seconds, result.usual_gap_seconds] == pytest.approx([1.5, 0.02])
    assert (result.last_before, result.first_after) == (START + timedelta(seconds=0.04), START + timedelta(seconds=1.54))
    assert tally.rows == (0, 1, 2, 3, 4)


def test_without_two_acknowledgements_there_is_no_outage_to_tell() -> None:
    tally = Tally()
    tally.failed("08006")
    tally.acknowledged(START)
    result = tally.result(lost=None, note="")
    assert (result.outage_seconds, result.usual_gap_seconds, tally.rows) == (None, None, (1,))


def test_a_tally_survives_its_journey_through_a_heartbeat() -> None:
    tally = Tally()
    tally.acknowledged(START)
    tally.failed("08006")
    tally.acknowledged(START + timedelta(seconds=1))
    assert Tally.model_validate(tally.model_dump(mode="json")) == tally
