"""``failover evidence summary``: what was due is counted by the calendar."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from starters.client.answers import Answer, Exit
from starters.commands.summary import Wanted, summary
from tests.drills.records import drilled, public, seal, write_estate
from tests.starters.test_usage import run

_NOW = datetime(2027, 1, 1, 0, 0, tzinfo=UTC)
_NUMBERS = count(1)
_WORD = drilled().word
Held = Callable[..., None]


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    return write_estate(tmp_path)


@pytest.fixture
def held(estate: Path) -> Held:
    """Seal a drill of the pods that has begun then."""

    def hold(began: str, **more: Any) -> None:
        at = datetime.fromisoformat(began)
        fields = {"kind": "pod", "target": "api", "drill": "pods", "began_at": at, "parts": (), **more}
        seal(estate, drilled(next(_NUMBERS), **fields))

    return hold


def _of(estate: Path, now: datetime = _NOW, **more: Any) -> Answer:
    wanted = {"month": "2026-11", "year": None, "estate": estate, **more}
    return asyncio.run(summary(Wanted(**wanted), now))


def _standings(estate: Path, now: datetime = _NOW, **more: Any) -> list[tuple[str, str, str]]:
    return [(one["drill"], one["at"][:10], one["standing"]) for one in _of(estate, now, **more).data["due"]]


def test_what_was_due_and_not_held_was_missed_from_the_end_of_its_window_on(estate: Path) -> None:
    """Without a folder of records, too: none was ever written."""
    assert _standings(estate) == [("pods", "2026-11-04", "missed")]
    ends = datetime(2026, 11, 4, 5, 0, tzinfo=UTC)
    assert _standings(estate, ends - timedelta(seconds=1)) == [("pods", "2026-11-04", "to come")]
    assert _standings(estate, ends) == [("pods", "2026-11-04", "missed")]


@pytest.mark.parametrize(
    ("more", "standing"),
    [
        ({}, "passed"),
        ({"passed": False}, "failed"),
        ({"word": _WORD.model_copy(update={"passed": False})}, "failed"),  # type: ignore[union-attr]
        ({"word": None}, "not confirmed"),
        ({"passed": False, "word": None}, "failed"),
        ({"target": "other"}, "missed"),
        ({"kind": "node"}, "missed"),
    ],
)
def test_a_drill_stands_as_criteria_and_a_person_say(estate: Path, held: Held, more: dict[str, Any], standing: str) -> None:
    held("2026-11-04T02:10:00+00:00", **more)
    assert _standings(estate) == [("pods", "2026-11-04", standing)]


@pytest.mark.parametrize(
    ("began", "standing"),
    [
        ("2026-11-04T02:00:00+00:00", "passed"),
        ("2026-11-04T04:59:59+00:00", "passed"),
        ("2026-11-04T12:59:59+08:00", "passed"),
        ("2026-11-04T01:59:59+00:00", "missed"),
        ("2026-11-04T05:00:00+00:00", "missed"),
        ("2026-11-11T02:00:00+00:00", "missed"),
    ],
)
def test_it_is_the_one_that_was_due_when_it_has_begun_in_its_window(
    estate: Path, held: Held, began: str, standing: str
) -> None:
    held(began)
    assert _standings(estate) == [("pods", "2026-11-04", standing)]
    assert len(_of(estate).data["besides"]) == (0 if standing == "passed" else 1)


def test_one_that_was_repeated_in_its_window_counts_by_the_one_that_has_passed(estate: Path, held: Held) -> None:
    for passed in (False, True, False):
        held("2026-11-04T02:10:00+00:00", passed=passed)
    data = _of(estate).data
    assert (data["counts"]["passed"], len(data["besides"])) == (1, 2)


def test_a_year_has_every_date_of_every_drill_and_names_the_last_record(estate: Path, held: Held) -> None:
    held("2026-11-04T02:10:00+00:00")
    held("2027-01-06T02:10:00+00:00")
    data = _of(estate, month=None, year="2026").data
    assert (len(data["due"]), data["counts"]) == (
        16, {"passed": 1, "failed": 0, "not confirmed": 0, "missed": 15, "to come": 0},
    )  # fmt: skip
    listed = json.loads(run("evidence", "list", "--estate", str(estate), "-o", "json").stdout)["drills"]
    assert data["last"] == {"name": listed[0]["record"], "sha256": listed[0]["sha256"]}


def test_months_begin_and_end_by_the_clock_of_the_calendar(tmp_path: Path) -> None:
    sunday = {"day": "Sunday", "window": {"begins": "00:30", "ends": "02:00"}}
    calendar = {"pods": {"kind": "pod", "target": "api", "every": "month", **sunday}}
    estate = write_estate(tmp_path, drills={"time_zone": "Asia/Taipei", "calendar": calendar, "sealed_by": []})
    (tmp_path / "keys").write_text(public())
    due = _of(estate, keys=tmp_path / "keys").data["due"]
    assert [one["at"] for one in due] == ["2026-10-31T16:30:00Z"]


@pytest.mark.parametrize(("began", "standing"), [("03:59:59", "passed"), ("04:00:00", "missed")])
def test_a_window_ends_by_the_clock_also_when_that_is_set_back_within_it(
    tmp_path: Path, held: Held, began: str, standing: str
) -> None:
    sunday = {"day": "Sunday", "week": 4, "window": {"begins": "01:00", "ends": "05:00"}}
    calendar = {"pods": {"kind": "pod", "target": "api", "every": "month", **sunday}}
    sealed_by = [{"key": public()}]
    estate = write_estate(tmp_path, drills={"time_zone": "Europe/Berlin", "calendar": calendar, "sealed_by": sealed_by})
    held(f"2026-10-25T{began}+00:00")
    assert _standings(estate, month="2026-10") == [("pods", "2026-10-24", standing)]


def test_a_record_that_was_changed_is_told_on_the_first_lines(estate: Path, held: Held, tmp_path: Path) -> None:
    held("2026-11-04T02:10:00+00:00")
    report = next((tmp_path / "records").rglob("report.json"))
    report.write_bytes(b"{}")
    answer = _of(estate, html=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (answer.code, len(answer.data["findings"])) == (Exit.FAILED, 1)
    assert "<td>1 finding, see below</td>" in page
    assert "report.json was changed" in page
    assert 'class="missed">1 due: 1 passed' in page


def test_both_files_are_written_and_what_cannot_be_printed_is_left_out(estate: Path, held: Held, tmp_path: Path) -> None:
    held("2026-11-04T02:10:00+00:00", gaps=("two\nlines\x00",))
    assert _of(estate, html=tmp_path / "page.html", pdf=tmp_path / "page.pdf").code == Exit.DONE
    assert "<td>two lines</td>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (tmp_path / "page.pdf").read_bytes()[:5] == b"%PDF-"


def test_what_was_typed_stays_text_in_the_page(estate: Path, held: Held, tmp_path: Path) -> None:
    held("2026-11-04T02:10:00+00:00", by="<script>alert(1)</script>")
    _of(estate, html=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page, "the page loads nothing"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "month: give either --month 2026-11 or --year 2026"),
        (("--month", "2026-11", "--year", "2026"), "month: give either"),
        (("--month", "2026-13"), "month: '2026-13' is none; write it as 2026-11"),
        (("--month", "0000-01"), "month: '0000-01' is none"),
        (("--year", "26"), "year: '26' is none; write it as 2026"),
        (("--year", "9999"), "year: '9999' is none"),
        (("--month", "2026-11", "--html", "/nowhere/page.html"), "write: /nowhere/page.html cannot be written"),
    ],
)
def test_what_is_typed_wrongly_is_said(estate: Path, args: tuple[str, ...], says: str) -> None:
    ran = run("evidence", "summary", "--estate", str(estate), *args)
    assert ran.exit_code == 2
    assert says in ran.stderr


def test_the_terminal_shows_the_same(estate: Path, held: Held, tmp_path: Path) -> None:
    held("2026-11-04T02:10:00+00:00", gaps=("no latency",))
    shutil.move(tmp_path / "records", tmp_path / "copy")
    ran = run("evidence", "summary", str(tmp_path / "copy/evidence"), "--month", "2026-11", "--estate", str(estate))
    assert ran.exit_code == 0
    assert ran.stdout.splitlines()[0].strip() == "Failover drills 2026-11: 1 due: 1 passed"
    assert "no latency" in ran.stdout


def test_an_estate_without_a_calendar_has_no_summary(tmp_path: Path) -> None:
    ran = run("evidence", "summary", "--month", "2026-11", "--estate", str(write_estate(tmp_path, drills=None)))
    assert (ran.exit_code, "estate: it has no calendar of drills; add the key drills" in ran.stderr) == (2, True)
