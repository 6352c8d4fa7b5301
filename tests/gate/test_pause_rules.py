"""Pauses and durations: when a pause is over, and what people may type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from activities.postgres.doctor import of_survey
from activities.postgres.models.survey import Survey
from activities.run.models.doctor import Severity
from gate.loop.pause import is_paused, pause_words
from gate.record import Record
from tests.postgres.samples import target
from workflows.postgres.models import PauseRequest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _record(until: str) -> Record:
    return Record(leader="a", epoch=1, selector="a", paused_until=until, paused_by="mona", paused_because="look first")


@pytest.mark.parametrize(
    ("until", "paused"),
    [
        ("", False),
        ("2026-03-01T12:00:01Z", True),
        ("2026-03-01T12:00:00Z", False),
        ("2026-03-01T11:59:59", False),
        ("2026-03-01T12:00:01", True),
        ("2026-03-01T12:30:00+01:00", False),
        ("tomorrow", True),
        ("9999-12-31T23:59:59-05:00", True),
    ],
)
def test_a_pause_ends_at_its_time_and_one_that_cannot_be_read_goes_on(until: str, paused: bool) -> None:  # noqa: FBT001
    assert is_paused(_record(until), NOON) is paused


def test_a_pause_has_a_time_a_name_and_a_reason() -> None:
    assert not is_paused(None, NOON)
    assert pause_words(_record("2026-03-01T13:00:00+01:00")) == "paused until 2026-03-01 12:00:00 UTC by mona: look first"
    assert "'tomorrow' is no time" in pause_words(_record("tomorrow"))


def test_doctor_warns_of_a_pause_until_it_is_over() -> None:
    for hours, warns in ((1, True), (-1, False)):
        record = _record((NOON + timedelta(hours=hours)).isoformat())
        findings = of_survey(target(), Survey(at=NOON, record=record, members=()))
        told = [one for one in findings if "paused until" in one.message]
        assert [one.severity for one in told] == [Severity.WARNING] * warns
        assert all(f"failover pause {target().name} --off" in one.remedy for one in told)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("2h", 2), ("90m", 1.5), ("1d12h", 36), ("1d 12h", 36), ("PT2H", 2), ("3600s", 1), ("168h", 168), ("02:00:00", 2)],
)
def test_durations_are_read_as_people_type_them(text: str, hours: float) -> None:
    assert PauseRequest(cluster="orders", lasts=text).lasts == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["0s", "8d", "-PT2H"])
def test_a_pause_of_nothing_or_without_end_is_refused(text: str) -> None:
    fault = PauseRequest(cluster="orders", lasts=text, by="mona", reason="x").fault
    assert fault is not None
    assert "at most 7 days" in fault


@pytest.mark.parametrize("text", ["", "soon", "-2h", "2x", "9" * 20 + "d", "h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        PauseRequest(cluster="orders", lasts=text)
