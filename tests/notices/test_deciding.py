"""What is new about a run, and when people are told again that they are waited for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from activities.notices.models import Facts
from estate.notices import Event
from tests.notices.samples import APPROVAL, FACTS, MINUTE, NOON, facts, settings
from workflows.notices.deciding import OVERLAP, again, due_at, hears, kept, news
from workflows.notices.models import Notice, Tracked


def _story(*seen: Facts, begun_at: datetime = NOON) -> tuple[Tracked, list[list[Event]]]:
    """Return the run at the end, and what was told at each look, a minute apart."""
    run, told = None, []
    for number, one in enumerate(seen):
        run, notices = news(run, one, NOON + number * MINUTE, begun_at)
        told.append([notice.event for notice in notices])
    assert run is not None
    return run, told


def test_each_thing_is_told_once() -> None:
    past = facts(forward_only=True)
    over = facts(forward_only=True, ended="completed", well=True)
    _, told = _story(FACTS, FACTS, facts(need=APPROVAL), facts(need=APPROVAL), FACTS, past, past, over, over)
    assert told == [[Event.STARTED], [], [Event.APPROVAL], [], [], [Event.NO_WAY_BACK], [], [Event.DONE], []]


@pytest.mark.parametrize(
    ("changes", "event"),
    [
        ({"ended": "completed", "well": True}, Event.DONE),
        ({"ended": "stranded"}, Event.FAILED),
        ({"ended": "completed", "well": True, "drill": True}, Event.DRILL_ENDED),
        ({"ended": "refused", "drill": True}, Event.DRILL_FAILED),
        ({"drill": True}, Event.DRILL_BEGUN),
    ],
)
def test_one_that_was_never_seen_is_told_of_by_how_it_stands(changes: dict[str, Any], event: Event) -> None:
    assert _story(facts(**changes))[1] == [[event]]


def test_another_plan_is_another_approval_and_the_same_one_again_is_news_too() -> None:
    other = APPROVAL.model_copy(update={"key": "other"})
    votes = APPROVAL.model_copy(update={"what": "0 of"})
    seen = (facts(need=APPROVAL), facts(need=votes), facts(need=other), FACTS, facts(need=other))
    assert _story(*seen)[1] == [[Event.STARTED, Event.APPROVAL], [], [Event.APPROVAL], [], [Event.APPROVAL]]


def test_what_began_long_before_the_first_look_is_told_of_only_if_it_waits() -> None:
    later = NOON + OVERLAP + MINUTE
    assert _story(FACTS, facts(need=APPROVAL), begun_at=later)[1] == [[], [Event.APPROVAL]]
    assert _story(facts(ended="completed", well=True, closed_at=NOON), begun_at=later)[1] == [[]]
    assert _story(facts(ended="completed", well=True, closed_at=later), begun_at=later)[1] == [[Event.DONE]]


def test_a_part_of_another_run_is_told_of_only_where_people_are_needed_or_it_fails() -> None:
    part = {"parent": "node/node-1"}
    seen = (facts(**part), facts(**part, need=APPROVAL), facts(**part, forward_only=True), facts(**part, ended="stranded"))
    assert _story(*seen)[1] == [[], [Event.APPROVAL], [], [Event.FAILED]]
    assert _story(facts(**part, ended="completed", well=True))[1] == [[]]
    assert _story(facts(parent="watch/postgres/orders"))[1] == [[Event.STARTED]], "detection is no run that is told of"


def _at(minutes: int) -> datetime:
    return NOON + minutes * MINUTE


def test_a_wait_is_told_again_every_quarter_and_to_more_people_after_half_an_hour() -> None:
    run, _ = _story(facts(need=APPROVAL))
    told = []
    for minute in range(1, 62):
        run, notice = again(run, settings(), _at(minute))
        if notice is not None:
            told.append((minute, notice.waited_minutes, hears(settings(), notice)))
    both = ["manager", "phone"]
    assert told == [(15, 15, ["phone"]), (30, 30, both), (45, 45, both), (60, 60, both)]


def test_it_is_escalated_in_time_although_the_next_reminder_is_due_later() -> None:
    patient = settings(repeat_every=120 * MINUTE)
    run, _ = _story(facts(need=APPROVAL))
    assert due_at(run, patient) == _at(30)
    run, notice = again(run, patient, _at(31))
    assert notice is not None
    assert (notice.escalated, due_at(run, patient)) == (True, _at(151))


def test_nobody_is_asked_who_is_not_waited_for() -> None:
    run, _ = _story(facts(need=APPROVAL), FACTS)
    assert (due_at(run, settings()), again(run, settings(), _at(500))[1]) == (None, None)


def test_a_target_hears_what_it_lists() -> None:
    few = settings(targets={"phone": (Event.FAILED,), "all": tuple(Event), "manager": ()})
    failed, done = (Notice(event=event, facts=FACTS) for event in (Event.FAILED, Event.DONE))
    assert (hears(few, failed), hears(few, done)) == (["all", "phone"], ["all"])


def test_runs_are_forgotten_when_they_are_listed_no_more() -> None:
    def ended(run_id: str, minutes: int) -> Tracked:
        return Tracked(facts=facts(run_id=run_id, ended="completed", closed_at=_at(minutes)))

    runs = (Tracked(facts=facts(run_id="open")), Tracked(facts=facts(run_id="gone")), ended("new", 55), ended("old", 20))
    assert [run.facts.run_id for run in kept(runs, {"gone"}, _at(60))] == ["open", "new"]
