"""Reports as documents: JSON, HTML, Markdown, files."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from starters.history.model import facts_of
from starters.history.parse import chronicle_of
from starters.main import app
from starters.render.chart import timeline_svg
from starters.render.documents import html, markdown
from tests.starters.recorded import events, facts, report


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


class _Outside(HTMLParser):
    """Collects everything that a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = {"script", "link", "img", "iframe", "object", "embed"}
        self.found += [tag] if tag in loads else []
        self.found += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "style"}]


@pytest.mark.parametrize(
    ("kind", "question", "known"),
    [
        ("switched", "Impact on users", "objective"),
        ("switched", "How long each part took", "promote"),
        ("rolled-back", "What happened, in one sentence", "Undone"),
        ("refused", "Who noticed, how, and when", "by command, 20"),
    ],
)
def test_a_post_mortem_begins_with_what_history_knows(kind: str, question: str, known: str) -> None:
    (line,) = [one for one in markdown(facts(kind)).splitlines() if one.startswith(f"- **{question}:**")]
    assert known in line
    assert question in html(facts(kind))
