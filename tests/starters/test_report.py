"""Reports made from recorded histories (``record.py`` makes them anew)."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from typer.testing import CliRunner, Result

from starters.answers import Exit, plain
from starters.main import app
from starters.report.chronicle import Chronicle, chronicle_of
from starters.report.documents import html, markdown
from starters.report.facts import Facts, facts_of
from starters.report.picture import timeline_svg
from starters.report.terminal import full
from starters.report.words import duration, exit_of
from workflows.phases import ReportPhase

_DATA = Path(__file__).parent / "data"
_FORMATS = ("text", "markdown", "html", "json")
_KINDS = {"switched": 0, "rolled-back": 1, "refused": 3, "terminated": 1}


def events(kind: str) -> list[HistoryEvent]:
    return list(WorkflowHistory.from_json("", (_DATA / f"{kind}.json").read_text()).events)


def facts(kind: str) -> Facts:
    return facts_of(chronicle_of(events(kind)))


def report(kind: str, *args: str) -> Result:
    return CliRunner().invoke(app, ["report", "--file", str(_DATA / f"{kind}.json"), *args])


def until(kind: str, step: str) -> Chronicle:
    """Return the chronicle of a run that has just scheduled ``step``."""
    chronicle = Chronicle()
    for event in events(kind):
        chronicle.add(event)
        if chronicle.steps_named(step):
            return chronicle
    raise AssertionError(step)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("form", _FORMATS)
def test_every_kind_of_run_is_told_in_every_format(kind: str, form: str) -> None:
    ran = report(kind, "--format", form)

    assert ran.exit_code == _KINDS[kind], ran.stderr
    assert facts(kind).run_id in ran.stdout
    assert "None" not in ran.stdout or form == "json"


def test_the_text_tells_what_was_asked_agreed_measured_and_left() -> None:
    ran = report("switched")

    for part in (
        "objective met", "asked by omar: a test", "approved by dana as DBA", "(unverified: nothing proves who sent it)",
        "as a client saw it; objective 300 s: met", "loss: 0 (acknowledged writes",
        "application errors by SQLSTATE:", "08006",
        "redundancy: postgresql-primary-0 follows again (sync)", "2 attempts", "restore redundancy",
    ):  # fmt: skip
        assert part in ran.stdout, part


def test_time_is_told_apart() -> None:
    timing = facts("switched").timing
    rows = {row.phase: row for row in timing.phases}

    assert list(rows) == [
        ReportPhase.DECIDE, ReportPhase.APPROVE, ReportPhase.CLAIM, ReportPhase.FENCE, ReportPhase.PROMOTE,
        ReportPhase.ROUTE, ReportPhase.VERIFY, ReportPhase.RECONNECT, ReportPhase.REDUNDANCY,
    ]  # fmt: skip
    assert 2.0 < rows[ReportPhase.APPROVE].seconds < 2.5
    assert timing.people == rows[ReportPhase.APPROVE].seconds
    assert len(rows[ReportPhase.DECIDE].spans) > 1
    assert rows[ReportPhase.VERIFY].attempts == 2
    assert rows[ReportPhase.VERIFY].seconds > 0.1
    assert timing.own == pytest.approx(timing.total - timing.steps - timing.people - timing.pauses, abs=0.001)
    assert 0 < timing.own < 0.5


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
    assert verdict.outage_is_bound
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
    assert "could not be counted" in told.verdict.sentences[1]
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
    assert "it first settles what this one left behind" in ran.stdout


def test_a_refusal_shows_what_was_seen() -> None:
    ran = report("refused")

    assert "Refused; nothing was changed" in ran.stdout
    assert "connection refused" in ran.stdout


def test_json_is_one_document_with_the_verdict() -> None:
    document: dict[str, Any] = json.loads(report("switched", "--output", "json").stdout)

    assert document["exit_code"] == 0
    assert document["verdict"]["met"] is True
    assert document["timing"]["phases"][0]["phase"] == "decide"


def test_the_page_needs_nothing_from_outside_and_escapes_what_people_wrote() -> None:
    page = html(facts("switched"))
    outside = _Outside()
    outside.feed(page)

    assert outside.found == []
    assert "go &lt;ahead&gt; | now" in page
    assert "<ahead>" not in page


def test_the_picture_is_well_formed_and_inside_its_frame() -> None:
    drawing = ET.fromstring(timeline_svg(facts("switched")))
    width = float(drawing.attrib["viewBox"].split()[2])
    boxes = [one for one in drawing.iter() if one.tag.endswith("rect")]

    assert len(boxes) >= len(facts("switched").timing.phases)
    for box in boxes:
        assert 0 <= float(box.attrib["x"]) <= float(box.attrib["x"]) + float(box.attrib["width"]) <= width


def test_a_long_wait_does_not_hide_the_seconds() -> None:
    chronicle = chronicle_of(events("switched"))
    shift = timedelta(hours=3)
    after = next(at for at, phase in reversed(chronicle.phases) if phase == "surveying")
    chronicle.phases = [(at + shift if at >= after else at, phase) for at, phase in chronicle.phases]
    for step in chronicle.steps.values():
        if step.scheduled >= after:
            step.scheduled += shift
            step.started, step.ended = step.started and step.started + shift, step.ended and step.ended + shift
    drawing = ET.fromstring(timeline_svg(facts_of(chronicle)))
    verify = [one for one in drawing.iter() if one.tag.endswith("rect") and one.attrib["fill"] == "#27c"]

    assert max(float(box.attrib["width"]) for box in verify) > 50


def test_markdown_tables_survive_what_people_wrote() -> None:
    chronicle = chronicle_of(events("switched"))
    chronicle.asked["reason"] = "one | two\nthree"

    assert "| because | one \\| two three |" in markdown(facts_of(chronicle))


@pytest.mark.parametrize(
    ("name", "begins"), [("r.md", "# postgres-failover"), ("r.html", "<!doctype html>"), ("r.json", "{")]
)
def test_a_written_report_has_the_format_of_its_name(tmp_path: Path, name: str, begins: str) -> None:
    ran = report("switched", "--write", str(tmp_path / name))

    assert ran.exit_code == 0
    assert ran.stdout == f"written to {tmp_path / name}\n"
    assert (tmp_path / name).read_text().startswith(begins)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"events": []}', '{"events": [{"nonsense": 1}]}', "no json"])
def test_a_file_that_is_no_history_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.json"
    path.write_text(text)

    ran = CliRunner().invoke(app, ["report", "--file", str(path)])

    assert ran.exit_code == 2
    assert ran.stderr.startswith("failover: file: ")


def test_a_report_that_cannot_be_written_is_one_sentence() -> None:
    ran = report("switched", "--write", "/nowhere/at/all.md")

    assert ran.exit_code == 2
    assert "cannot be written" in ran.stderr


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "unknown"), (0.0424, "0.042 s"), (12.34, "12.3 s"), (75.5, "1 min 15.5 s"), (7380.0, "2 h 03 min")],
)
def test_durations_read_well(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


class _Outside(HTMLParser):
    """Collects everything that a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = {"script", "link", "img", "iframe", "object", "embed"}
        self.found += [tag] if tag in loads else []
        self.found += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "style"}]
