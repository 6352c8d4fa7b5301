"""What waits for a target is kept in order, tried again, and at last written down as lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from activities.notices.models import Message, Sent
from tests.notices.samples import MINUTE, NOON
from workflows.notices.models import Lost
from workflows.notices.outbox import AT_ONCE, MOST, Outbox

_HOUR = timedelta(hours=1)


def _message(title: str, at: datetime = NOON, **more: Any) -> Message:
    return Message(number=0, event="started", run_id="r1", title=title, body="", queued_at=at, **more)


def _box(*titles: str) -> Outbox:
    box = Outbox({}, (), 0)
    for title in titles:
        box.put("phone", _message(title))
    return box


def _try(box: Outbox, count: int, why: str, at: datetime = NOON) -> None:
    box.settle("phone", box.batch("phone"), Sent(count=count, why=why), at, _HOUR)


def _titles(box: Outbox) -> list[str]:
    return [one.title for one in box.batch("phone")]


def test_what_is_taken_is_gone_and_the_rest_keeps_its_order() -> None:
    box = _box("a", "b", "c")
    _try(box, 1, "error=500")
    assert (_titles(box), box.boxes["phone"].why, box.boxes["phone"].failing_since) == (["b", "c"], "error=500", NOON)
    _try(box, 2, "")
    assert (_titles(box), box.boxes["phone"].why, box.lost) == ([], "", ())


def test_what_came_while_a_batch_was_sent_stays() -> None:
    box = _box("a")
    batch = box.batch("phone")
    box.put("phone", _message("b"))
    box.settle("phone", batch, Sent(count=1), NOON, _HOUR)
    assert _titles(box) == ["b"]


def test_pauses_grow_up_to_five_minutes_and_end_when_something_is_taken() -> None:
    box, pauses = _box("a", "b"), []
    for _ in range(10):
        _try(box, 0, "no")
        pauses.append(box.pause("phone").total_seconds())
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    _try(box, 1, "no")
    assert box.pause("phone").total_seconds() == 2
    _try(box, 1, "")
    assert box.pause("phone") == timedelta(0)


def test_one_that_is_refused_three_times_lets_the_others_go_first() -> None:
    box = _box("refused", "b", "c")
    _try(box, 0, "error=400")
    _try(box, 0, "error=400")
    assert _titles(box) == ["refused", "b", "c"]
    _try(box, 0, "error=400")
    assert _titles(box) == ["b", "c", "refused"]


def test_after_an_hour_it_is_written_down() -> None:
    box = _box("a", "b")
    _try(box, 0, "no", NOON + 59 * MINUTE)
    assert not box.lost, "an hour is not over"
    _try(box, 0, "still no", NOON + 60 * MINUTE)
    lost: tuple[Lost, ...] = box.lost
    assert [(one.title, one.why) for one in lost] == [("a", "still no")]
    assert _titles(box) == ["b"], "it was not tried yet"


def test_no_more_than_a_hundred_wait() -> None:
    box = _box(*map(str, range(MOST + 3)))
    assert [one.title for one in box.lost] == ["0", "1", "2"]
    assert len(box.boxes["phone"].messages) == MOST
    assert _titles(box) == [str(number) for number in range(3, 3 + AT_ONCE)]


def test_what_is_not_so_any_more_is_taken_back() -> None:
    box = _box("a", "b")
    box.take_back(lambda one: one.title == "a")
    assert (_titles(box), box.lost) == (["b"], ())


def test_a_target_that_is_not_listed_any_more_is_forgotten() -> None:
    box = _box("a")
    box.drop_targets({"mail"}, NOON)
    assert (box.boxes, [one.title for one in box.lost]) == ({}, ["a"])


def test_numbers_are_never_given_twice() -> None:
    box = Outbox(_box("a").boxes, (), 7)
    box.put("mail", _message("b"))
    assert [one.number for one in box.batch("mail")] == [8]
