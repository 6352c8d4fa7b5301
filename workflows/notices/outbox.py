"""What waits to be sent, by target: in order, tried again with growing pauses, and at last written down as lost.

A target that takes nothing delays no other one. A text that is refused again and again goes to the end, so that the others
come through. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from activities.notices.models import Message, Sent
from workflows.notices.models import Box, Lost

MOST = 100
"""Texts that wait for one target; then the oldest is lost."""
AT_ONCE = 10
_REMEMBERED = 20
_STEPS_ASIDE = 3
"""After so many tries a text lets the others go first."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
_MOST_DOUBLINGS = 8


class Outbox:
    """The boxes of all targets."""

    def __init__(self, boxes: dict[str, Box], lost: tuple[Lost, ...], number: int) -> None:
        """Go on with what waited, was lost, and the number of the last message."""
        self.boxes, self.lost, self.number = dict(boxes), lost, number

    def put(self, target: str, message: Message) -> None:
        """Let a message wait for a target; it gets its number."""
        self.number += 1
        box = self.boxes.get(target, Box())
        numbered = message.model_copy(update={"number": self.number})
        for one in box.messages[: max(len(box.messages) + 1 - MOST, 0)]:
            self._lose(target, one, message.queued_at, f"more than {MOST} wait for {target}")
        self.boxes[target] = box.model_copy(update={"messages": (*box.messages, numbered)[-MOST:]})

    def has(self, target: str, run_id: str, event: str) -> bool:
        """Whether such a message of a run waits already."""
        return any(one.run_id == run_id and one.event == event for one in self._box(target).messages)

    def take_back(self, stale: Callable[[Message], bool]) -> None:
        """Forget messages that would tell what is not so any more."""
        for target, box in self.boxes.items():
            left = tuple(one for one in box.messages if not stale(one))
            self.boxes[target] = box.model_copy(update={"messages": left})

    def drop_targets(self, names: set[str], now: datetime) -> None:
        """Forget targets that are not listed any more."""
        for target in set(self.boxes) - names:
            for one in self.boxes.pop(target).messages:
                self._lose(target, one, now, f"the estate does not list {target} any more")

    def batch(self, target: str) -> tuple[Message, ...]:
        """Return what is to be sent next."""
        return self._box(target).messages[:AT_ONCE]

    def settle(self, target: str, batch: tuple[Message, ...], sent: Sent, now: datetime, give_up_after: timedelta) -> None:
        """Take note of how far a batch came."""
        box = self._box(target)
        done = {one.number for one in batch[: sent.count]}
        left = [one for one in box.messages if one.number not in done]
        if not sent.why:
            self.boxes[target] = Box(messages=tuple(left))
            return
        failed = batch[sent.count].number if sent.count < len(batch) else None
        left = [one.model_copy(update={"tries": one.tries + 1}) if one.number == failed else one for one in left]
        left = sorted(left, key=lambda one: one.number == failed and one.tries >= _STEPS_ASIDE)
        old = [one for one in left if now - one.queued_at >= give_up_after and one.tries]
        for one in old:
            self._lose(target, one, now, sent.why)
        self.boxes[target] = Box(
            messages=tuple(one for one in left if one not in old),
            failures=(0 if sent.count else box.failures) + 1,
            why=sent.why,
            failing_since=(None if sent.count else box.failing_since) or now,
        )

    def pause(self, target: str) -> timedelta:
        """Return how long to wait before the next try."""
        failures = self._box(target).failures
        return min(_FIRST_PAUSE * 2 ** min(failures - 1, _MOST_DOUBLINGS), _LONGEST_PAUSE) if failures else timedelta(0)

    def _box(self, target: str) -> Box:
        return self.boxes.get(target, Box())

    def _lose(self, target: str, message: Message, now: datetime, why: str) -> None:
        self.lost = (*self.lost, Lost(target=target, title=message.title, at=now, why=why))[-_REMEMBERED:]
