"""Reports made from recorded histories (``record.py`` makes them anew)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import Payload

from starters.client.answers import Exit, plain
from starters.history.model import facts_of
from starters.history.objective import Figure
from starters.history.parse import Chronicle, Step, chronicle_of, decode_json
from starters.history.timing import timing_of
from starters.render.documents import html, markdown
from starters.render.terminal import full
from starters.render.words import duration, exit_of
from tests.starters.recorded import FORMATS, KINDS, events, facts, report, until
from workflows.run.phases import ReportPhase


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_kind_of_run_is_told_in_every_format(kind: str, form: str) -> None:
    ran = report(kind, "--format", form)

    assert ran.exit_code == KINDS[kind], ran.stderr
    assert facts(kind).run_id in ran.stdout
    assert "None" not in ran.stdout or form == "json"


def test_the_text_tells_what_was_asked_agreed_measured_and_left() -> None:
    ran = report("switched")

    for part in (
        "objective met", "asked by omar: a test", "approved by dana as DBA", "(unverified: nothing proves who sent it)",
        "as a client saw it; objective 300 s: met", "loss: 0 (acknowledged writes",
        "its errors by SQLSTATE:", "08006",
        "redundancy: postgresql-primary-0 follows again (sync)", "2 attempts", "restore redundancy",
    ):  # fmt: skip
        assert part in ran.stdout, part


def test_time_is_told_apart() -> None:
    timing = facts("switched").timing
    rows = {row.phase: row for row in timing.phases}

    assert list(rows) == [
        ReportPhase.DECIDE, ReportPhase.APPROVE, ReportPhase.CLAIM, ReportPhase.FENCE, ReportPhase.PROMOTE,
        ReportPhase.ROUTE, ReportPhase.VERIFY, ReportPhase.REDUNDANCY, ReportPhase.RECONNECT,
    ]  # fmt: skip
    assert 2.0 < rows[ReportPhase.APPROVE].seconds < 2.5
    assert timing.people == rows[ReportPhase.APPROVE].seconds
    assert len(rows[ReportPhase.DECIDE].spans) > 1
    assert rows[ReportPhase.VERIFY].attempts == 2
    assert rows[ReportPhase.VERIFY].seconds > 0.1
    assert timing.own == pytest.approx(timing.total - timing.steps - timing.people - timing.pauses, abs=0.001)
    assert 0 < timing.own < 0.5


def _at(seconds: float) -> datetime:
    return datetime(2026, 11, 1, 3, tzinfo=UTC) + timedelta(seconds=seconds)


def test_what_a_child_workflow_orchestrates_is_no_step() -> None:
    """The run waits from the second 2 to 9 for a child, whose only step takes 3 s and whose pause takes 1 s."""
    child = Chronicle(started_at=_at(2), phases=[(_at(2), "promoting")], timers={9: (_at(7), _at(8))})
    child.steps[5] = Step("flexible.promote", "promote", _at(3), started=_at(3), ended=_at(6))
    run = Chronicle(
        started_at=_at(0), phases=[(_at(1), "promoting"), (_at(9.5), "verifying")], closed_at=_at(10), close="completed"
    )
    run.steps[5] = Step("child it", "it", _at(2), started=_at(2), ended=_at(9))
    before = timing_of(run, _at(10))
    assert (before.steps, before.own, before.children) == (7, 3, 0)
    run.steps[5].inside = child
    timing = timing_of(run, _at(10))
    assert (timing.steps, timing.pauses, timing.own, timing.children) == (3, 1, 6, 1)
    assert {one.phase: one.seconds for one in timing.own_by_phase} == {"": 1, "promoting": 4.5, "verifying": 0.5}


def test_the_outage_lies_within_the_steps_that_make_it() -> None:
    told = facts("switched")
    measured, rows = told.known.measurement, {row.phase: row for row in told.timing.phases}

    assert measured is not None
    assert measured.last_before is not None
    assert measured.first_after is not None
    assert measured.outage_seconds is not None
    assert 0.8 < measured.outage_seconds < 2
    assert measured.last_before < rows[ReportPhase.FENCE].spans[0][1]
    assert measured.first_after > rows[ReportPhase.PROMOTE].spans[0][0]


def test_without_a_measurement_the_steps_give_a_bound_and_the_proof() -> None:
    chronicle = chronicle_of(events("switched"))
    assert chronicle.report is not None
    chronicle.report = chronicle.report.model_copy(update={"measurement": None})

    verdict = facts_of(chronicle).verdict

    assert verdict.met is True
    assert verdict.outage_is is Figure.AT_MOST
    assert verdict.loss_is_argued
    assert "at most" in verdict.sentences[0]


def test_without_measurement_and_proof_the_objective_is_missed() -> None:
    chronicle = chronicle_of(events("switched"))
    assert chronicle.report is not None
    chronicle.report = chronicle.report.model_copy(update={"measurement": None})
    for step in chronicle.steps_named("postgres.fence"):
        step.result = None

    told = facts_of(chronicle)

    assert told.verdict.met is False
    assert "unknown" in told.verdict.sentences[1]
    assert exit_of(told) is Exit.FAILED


def test_lost_writes_miss_the_objective() -> None:
    chronicle = chronicle_of(events("switched"))
    assert chronicle.report is not None
    assert chronicle.report.measurement is not None
    lost = chronicle.report.measurement.model_copy(update={"lost": 3})
    chronicle.report = chronicle.report.model_copy(update={"measurement": lost})

    assert facts_of(chronicle).verdict.met is False
    assert "loss: 3" in plain(full(facts_of(chronicle)))


def test_a_run_that_waits_says_so() -> None:
    chronicle = Chronicle()
    for event in events("switched"):
        chronicle.add(event)
        if chronicle.phase == "awaiting approval":
            break
    assert chronicle.started_at is not None

    told = facts_of(chronicle, chronicle.started_at + timedelta(hours=2))

    assert (told.open, told.waits_for_people, exit_of(told)) == (True, True, Exit.WAITING)
    assert told.timing.people == pytest.approx(7200, abs=1)
    assert "Waits for approval; nothing has been changed yet" in plain(full(told))


@pytest.mark.parametrize("step", ["postgres.fence", "postgres.promote", "postgres.verify", "postgres.await_redundancy"])
def test_a_run_in_the_middle_tells_what_is_known(step: str) -> None:
    told = facts_of(until("switched", step))

    assert told.open
    assert told.known.plan is not None
    assert exit_of(told) is Exit.FAILED
    assert "still open" in plain(full(told))
    assert markdown(told)
    assert "<svg" in html(told)


def test_a_terminated_run_says_that_nothing_was_undone() -> None:
    ran = report("terminated")

    assert "Terminated in Temporal: nothing was undone" in ran.stdout
    assert "it first recovers what this one left behind" in ran.stdout


def test_a_refusal_shows_what_was_seen() -> None:
    ran = report("refused")

    assert "Refused; nothing was changed" in ran.stdout
    assert "connection refused" in ran.stdout


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "unknown"), (0.0424, "0.042 s"), (12.34, "12.3 s"), (75.5, "1 min 15.5 s"), (7380.0, "2 h 03 min")],
)
def test_durations_read_well(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_an_input_that_cannot_be_read_is_skipped() -> None:
    assert decode_json(Payload(data=b"not json {")) is None
    assert decode_json(Payload(data=b"[" * 100_000)) is None
