"""What a witness has seen for long enough, and what several of them amount to. No clock but the test's."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.detection.models import Condition, Finding, Look, Sighting, WatchRequest
from activities.detection.witness import Streaks, WitnessActivities
from estate.watching import PostgresWatching
from tests.postgres.samples import target
from workflows.detection.quorum import Votes

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_LIMITS = PostgresWatching(
    stopped_after=timedelta(0), refused_after=timedelta(seconds=3), silent_after=timedelta(seconds=31)
)


def _look_of(condition: Condition, subject: str = "a") -> Look:
    return Look(findings=(Finding(subject=subject, condition=condition, words="as told"),))


def _judged(streaks: Streaks, look: Look, seconds_ago: float) -> list[str]:
    found = streaks.judge(look, time.monotonic() - seconds_ago, _AT - timedelta(seconds=seconds_ago))
    return [finding.subject for finding in found]


@pytest.mark.parametrize(
    ("condition", "seconds", "counts"),
    [
        (Condition.STOPPED, 0, True),
        (Condition.REFUSED, 2.9, False),
        (Condition.REFUSED, 3.1, True),
        (Condition.SILENT, 30, False),
        (Condition.SILENT, 31.1, True),
    ],
)
def test_each_kind_of_trouble_has_its_own_patience(condition: Condition, seconds: float, *, counts: bool) -> None:
    streaks = Streaks(_LIMITS)
    assert _judged(streaks, _look_of(condition), seconds) == (["a"] if counts else [])


def test_a_server_that_crashes_in_a_loop_is_not_well_for_the_moments_that_it_is_up() -> None:
    streaks = Streaks(_LIMITS)
    _judged(streaks, _look_of(Condition.REFUSED), 3.5)
    _judged(streaks, Look(), 2.5)
    _judged(streaks, _look_of(Condition.REFUSED), 2)
    assert _judged(streaks, Look(), 1) == []
    assert _judged(streaks, _look_of(Condition.REFUSED), 0) == ["a"]


def test_a_server_that_has_been_up_for_a_while_is_well() -> None:
    streaks = Streaks(_LIMITS)
    _judged(streaks, _look_of(Condition.REFUSED), 4)
    assert _judged(streaks, Look(), 1.9) == []
    assert streaks.going_on == ()
    assert _judged(streaks, _look_of(Condition.REFUSED), 0) == []


def test_one_answer_ends_a_silence() -> None:
    streaks = Streaks(_LIMITS)
    assert _judged(streaks, _look_of(Condition.SILENT), 30) == []
    assert _judged(streaks, Look(), 20) == []
    assert streaks.going_on == ()
    assert _judged(streaks, _look_of(Condition.SILENT), 10) == []


def test_another_kind_of_trouble_counts_from_when_it_began() -> None:
    streaks = Streaks(_LIMITS)
    _judged(streaks, _look_of(Condition.SILENT), 30)
    assert _judged(streaks, _look_of(Condition.REFUSED), 2) == []
    assert _judged(streaks, _look_of(Condition.REFUSED), 1) == []


def test_one_that_is_gone_stays_gone_in_whatever_way() -> None:
    streaks = Streaks(_LIMITS)
    assert _judged(streaks, _look_of(Condition.STOPPED), 9) == ["a"]
    assert _judged(streaks, _look_of(Condition.REFUSED), 8) == ["a"]
    (found,) = streaks.judge(_look_of(Condition.SILENT), time.monotonic(), datetime.now(UTC))
    assert found.since == _AT - timedelta(seconds=9)
    assert _judged(streaks, Look(), 0) == []


def test_it_says_since_when() -> None:
    streaks = Streaks(_LIMITS)
    streaks.judge(_look_of(Condition.SILENT), time.monotonic() - 40, _AT)
    (found,) = streaks.judge(_look_of(Condition.SILENT), time.monotonic(), _AT + timedelta(seconds=40))
    assert found.since == _AT


def test_a_witness_that_was_frozen_forgets_what_it_had_counted() -> None:
    streaks = Streaks(_LIMITS)
    _judged(streaks, _look_of(Condition.SILENT), 40)
    streaks.forget()
    assert _judged(streaks, _look_of(Condition.SILENT), 1) == []


class _Eye:
    def __init__(self, *looks: Look) -> None:
        self.looks = list(looks)

    async def look(self) -> Look:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


async def _look(told: Sighting | None, *looks: Look) -> Sighting:
    watching = PostgresWatching(interval=timedelta(seconds=0.05), refused_after=timedelta(seconds=0.5))
    watched = target().model_copy(update={"cluster": target().cluster.model_copy(update={"watch": watching})})
    request = WatchRequest(target=watched, witness="east", told=told, lasts=timedelta(seconds=1))
    eye = _Eye(*looks)
    return cast("Sighting", await ActivityEnvironment().run(WitnessActivities(lambda _: eye).look, request))


async def test_what_has_been_said_is_not_taken_back_by_the_next_look() -> None:
    """It begins anew, and the patience is over already; only a look that finds nothing takes it back."""
    bad = _look_of(Condition.REFUSED)
    well = await _look(None, Look())
    gone = await _look(well, bad)
    assert gone.down == ("a",)
    began = time.monotonic()
    again = await _look(gone, *[bad] * 10, Look())
    assert again.down == ()
    assert time.monotonic() - began > 0.45
    still = await _look(gone, bad, bad, Look())
    assert still.down == ()


async def test_a_look_at_what_is_known_ends_when_its_time_is_up() -> None:
    """It would be killed at its longest time, and its witness would have no voice until it has seen it all anew."""
    bad = _look_of(Condition.REFUSED)
    gone = await _look(await _look(None, Look()), bad)
    again = await _look(gone, bad)
    assert again.down == ("a",)
    assert again.findings[0].since == gone.findings[0].since


async def test_since_when_is_kept_from_look_to_look() -> None:
    bad = _look_of(Condition.REFUSED)
    gone = await _look(await _look(None, Look()), bad)
    streaks = Streaks(_LIMITS, gone.findings)
    (found,) = streaks.judge(bad, time.monotonic(), datetime.now(UTC))
    assert found.since == gone.findings[0].since


def _said(witness: str, *gone: str, blind: str = "") -> Sighting:
    findings = tuple(Finding(subject=name, condition=Condition.SILENT, words="no answer", since=_AT) for name in gone)
    return Sighting(witness=witness, at=_AT, findings=findings, blind=blind)


@pytest.mark.parametrize(
    ("count", "voices", "gone"), [(1, 1, True), (2, 1, False), (3, 1, False), (3, 2, True), (4, 2, False), (5, 3, True)]
)
def test_a_majority_of_all_decides(count: int, voices: int, *, gone: bool) -> None:
    votes = Votes(tuple(f"w{number}" for number in range(count)))
    for number in range(voices):
        votes.count(_said(f"w{number}", "a"))
    assert bool(votes.verdicts()) is gone


def test_silence_and_blindness_are_no_votes() -> None:
    votes = Votes(("east", "north", "west"))
    votes.count(_said("east", "a"))
    votes.count(_said("west", "a"))
    assert votes.verdict_on("a") is not None
    votes.silence("west", "its worker is gone")
    assert votes.verdict_on("a") is None
    votes.count(_said("west", blind="the API server is silent"))
    assert votes.verdict_on("a") is None
    assert votes.silent_lines() == ["north has not spoken yet", "west cannot see: the API server is silent"]


def test_two_that_each_see_something_else_agree_on_nothing() -> None:
    votes = Votes(("east", "north", "west"))
    votes.count(_said("east", "a"))
    votes.count(_said("west", "b"))
    assert votes.verdicts() == ()


def test_a_verdict_says_who_what_and_since_when() -> None:
    votes = Votes(("east", "north", "west"))
    votes.count(_said("east", "a"))
    votes.count(_said("west", "a"))
    (verdict,) = votes.verdicts()
    assert (verdict.since, verdict.words) == (_AT, "a is silent to 2 of 3 witnesses: no answer")
