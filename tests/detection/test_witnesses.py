"""What a witness has seen for long enough, and what several of them amount to. No clock but the test's."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.detection.models import Condition, Finding, Look, Sighting, WatchRequest
from activities.detection.streaks import Streaks
from activities.detection.witness import WitnessActivities
from estate.watching import GatewayWatching, PostgresWatching
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
    return [finding.subject for finding in found.findings]


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
    (found,) = streaks.judge(_look_of(Condition.SILENT), time.monotonic(), datetime.now(UTC)).findings
    assert found.since == _AT - timedelta(seconds=9)
    assert _judged(streaks, Look(), 0) == []


def test_it_says_since_when() -> None:
    streaks = Streaks(_LIMITS)
    streaks.judge(_look_of(Condition.SILENT), time.monotonic() - 40, _AT)
    (found,) = streaks.judge(_look_of(Condition.SILENT), time.monotonic(), _AT + timedelta(seconds=40)).findings
    assert found.since == _AT


def _recovering(streaks: Streaks, seconds_ago: float) -> list[str]:
    found = streaks.judge(Look(), time.monotonic() - seconds_ago, _AT - timedelta(seconds=seconds_ago))
    assert found.findings == ()
    return [finding.subject for finding in found.recovering]


def test_after_one_failure_a_server_is_well_once_it_has_been_up_for_two_seconds() -> None:
    streaks = Streaks(_LIMITS)
    assert _judged(streaks, _look_of(Condition.STOPPED), 20) == ["a"]
    assert _recovering(streaks, 18.1) == ["a"]
    assert _recovering(streaks, 17.9) == []


@pytest.mark.parametrize("condition", [one for one in Condition if one is not Condition.RETURNED])
def test_after_repeated_failures_it_must_have_been_up_for_long_enough(condition: Condition) -> None:
    streaks = Streaks(_LIMITS.model_copy(update={"silent_after": timedelta(seconds=3)}))
    for began in (100, 60):
        _judged(streaks, _look_of(condition), began)
        assert _judged(streaks, _look_of(condition), began - 4) == ["a"]
        assert _recovering(streaks, began - 17) == []
    _judged(streaks, _look_of(condition), 30)
    assert _judged(streaks, _look_of(condition), 20) == ["a"]
    assert _recovering(streaks, 10.1) == ["a"]
    assert _judged(streaks, _look_of(condition), 9) == ["a"], "it is down again at once"
    assert _recovering(streaks, 0.1) == ["a"]
    assert _recovering(streaks, 0) == ["a"]


def test_failures_long_ago_are_forgotten() -> None:
    streaks = Streaks(_LIMITS)
    for began in (2000, 1000, 20):
        assert _judged(streaks, _look_of(Condition.STOPPED), began) == ["a"]
        assert _recovering(streaks, began - 3) == []


def test_what_it_knows_of_repeated_failures_goes_on_from_look_to_look() -> None:
    streaks = Streaks(_LIMITS)
    for began in (50, 30):
        assert _judged(streaks, _look_of(Condition.STOPPED), began) == ["a"]
        found = streaks.judge(Look(), time.monotonic() - began + 1, _AT - timedelta(seconds=began - 1))
    told = Sighting(witness="east", at=_AT, recovering=found.recovering, failures=streaks.failures)
    again = Streaks(_LIMITS, told)
    assert _recovering(again, 0) == ["a"]
    again = Streaks(_LIMITS, told)
    assert _judged(again, _look_of(Condition.REFUSED), 0) == ["a"], "it is down again without new patience"


_RETURNS = GatewayWatching(healthy_after=timedelta(minutes=5))


def test_what_is_out_is_put_in_after_a_time_without_any_bad_look() -> None:
    streaks, back = Streaks(_RETURNS), _look_of(Condition.RETURNED)
    assert _judged(streaks, back, 290) == []
    assert _judged(streaks, Look(), 280) == []
    assert streaks.going_on == (), "one bad look ends it"
    assert _judged(streaks, back, 270) == []
    assert _judged(Streaks(_RETURNS), back, 310) == ["a"]
    assert streaks.failures == (), "to be put in is no failure"


def test_it_is_counted_from_when_it_was_well_and_not_from_when_it_failed() -> None:
    streaks, back = Streaks(_RETURNS), _look_of(Condition.RETURNED)
    assert _judged(streaks, _look_of(Condition.STOPPED), 500) == ["a"]
    assert _judged(streaks, back, 290) == []
    assert _judged(streaks, back, 0) == []
    assert _judged(streaks, _look_of(Condition.STOPPED), 20) == ["a"]
    assert [len(one.at) for one in streaks.failures] == [2]


async def test_a_witness_says_so_when_what_was_down_is_to_be_put_in() -> None:
    gone = await _look(await _look(None, Look()), _look_of(Condition.REFUSED))
    back = await _look(gone, _look_of(Condition.RETURNED), Look())
    assert (back.down, back.returned, gone.returned) == (("a",), ("a",), ())


class _Eye:
    def __init__(self, *looks: Look) -> None:
        self.looks = list(looks)

    async def look(self) -> Look:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


async def _look(told: Sighting | None, *looks: Look, heard: bool = True, silent_since: datetime | None = None) -> Sighting:
    watching = PostgresWatching(interval=timedelta(seconds=0.05), refused_after=timedelta(seconds=0.5))
    watched = target().model_copy(update={"cluster": target().cluster.model_copy(update={"watch": watching})})
    request = WatchRequest(target=watched, witness="east", told=told, heard=heard, lasts=timedelta(seconds=1))
    request = request.model_copy(update={"silent_since": silent_since})
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
    streaks = Streaks(_LIMITS, gone)
    (found,) = streaks.judge(bad, time.monotonic(), datetime.now(UTC)).findings
    assert found.since == gone.findings[0].since


async def test_a_blind_witness_keeps_what_it_said_and_goes_on_from_there() -> None:
    bad = _look_of(Condition.REFUSED)
    gone = await _look(await _look(None, Look()), bad)
    blind = await _look(gone, Look(blind="the API server is silent"))
    assert (blind.down, blind.blind) == (("a",), "the API server is silent")
    began = time.monotonic()
    sees = await _look(blind, Look(blind="the API server is silent"), bad)
    assert (sees.down, sees.blind, sees.findings[0].since) == (("a",), "", gone.findings[0].since)
    assert time.monotonic() - began < 30
    up = await _look(blind, Look())
    assert (up.down, up.not_well, up.says_well("a")) == ((), ("a",), False)


async def test_a_witness_that_begins_to_see_in_mid_trouble_calls_nothing_well() -> None:
    bad, calm = _look_of(Condition.REFUSED), Sighting(witness="east", at=_AT)
    for told in (None, calm.model_copy(update={"blind": "it is silent"})):
        first = await _look(told, bad)
        assert (first.down, first.undecided, first.says_well("a")) == ((), ("a",), False)
        assert (await _look(first, bad)).down == ("a",)
        assert (await _look(first, Look())).says_well("a")


async def test_a_witness_that_was_frozen_is_blind_for_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = _look_of(Condition.REFUSED)
    gone = await _look(await _look(None, Look()), bad)
    monkeypatch.setattr("activities.detection.witness._SLEPT_SECONDS", -1.0)
    frozen = await _look(gone, Look())
    assert (frozen.down, frozen.says_well("a")) == (("a",), False)
    assert "did not run for" in frozen.blind


async def test_one_that_is_not_heard_speaks_at_once() -> None:
    gone = await _look(await _look(None, Look()), _look_of(Condition.REFUSED))
    again = await _look(gone, _look_of(Condition.REFUSED), heard=False)
    assert (again.down, again.findings[0].since) == (("a",), gone.findings[0].since)


@pytest.mark.parametrize(("silent", "down"), [(timedelta(seconds=20), ("a",)), (timedelta(hours=3), ())])
async def test_what_it_said_before_a_long_silence_does_not_make_a_new_trouble_count_at_once(
    silent: timedelta, down: tuple[str, ...]
) -> None:
    gone = await _look(await _look(None, Look()), _look_of(Condition.REFUSED))
    since = datetime.now(UTC) - silent
    again = await _look(gone, _look_of(Condition.REFUSED), heard=False, silent_since=since)
    assert (again.down, again.says_well("a")) == (down, False)
    assert (await _look(again, _look_of(Condition.REFUSED))).down == ("a",)


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
    votes.silence("west", "its worker is gone", _AT)
    assert votes.verdict_on("a") is None
    votes.count(_said("west", blind="the API server is silent"))
    assert votes.verdict_on("a") is None
    assert votes.silent_lines() == ["north has not spoken yet", "west cannot see: the API server is silent"]


def test_only_a_majority_that_says_well_ends_a_finding() -> None:
    """What the witnesses of a cluster said in an outage of 48 s; none had found the primary well before its end."""
    votes = Votes(("w0", "w1", "w2"))
    down, blind = ("a",), "the API server does not answer within 0.7 s"
    history = [
        (_said("w0"), False, True),
        (_said("w1"), False, True),
        (_said("w2"), False, True),
        (_said("w0", blind=blind), False, True),
        (_said("w1", *down), False, False),
        (_said("w2", *down), True, False),
        (_said("w1", *down, blind=blind), False, False),
        (_said("w1", *down), True, False),
        (_said("w0", *down), True, False),
        (_said("w0"), True, False),
        (_said("w1", blind=blind), False, False),
        (_said("w2"), False, True),
    ]
    for said in history[:2]:
        votes.count(said[0])
    for number, (said_now, is_down, is_well) in enumerate(history[2:]):
        votes.count(said_now)
        assert (votes.verdict_on("a") is not None, votes.is_well("a")) == (is_down, is_well), number


def test_a_silent_witness_goes_on_from_what_it_said() -> None:
    votes = Votes(("east", "north", "west"))
    assert votes.told("east") == (None, False)
    votes.count(_said("east", "a"))
    assert votes.told("east") == (_said("east", "a"), True)
    assert votes.silent_since == {}
    votes.silence("east", "is silent: its worker is gone", _AT)
    votes.silence("east", "is silent: its worker is gone", _AT + timedelta(hours=1))
    assert votes.silent_since == {"east": _AT}
    assert Votes(("east", "west"), votes.last, votes.silent_since).silent_since == {"east": _AT}
    assert votes.told("east") == (_said("east", "a", blind="is silent: its worker is gone"), False)
    (kept,) = votes.last
    assert Votes(("east", "west"), votes.last).told("east")[0] == kept.model_copy(update={"blind": "has not spoken yet"})
    assert Votes(("west",), votes.last).last == ()


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
    assert (verdict.since, verdict.words) == (_AT, "a does not answer, say 2 of 3 witnesses: no answer")
