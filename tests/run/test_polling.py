"""``until`` asks again at a steady pace, bears what it is told to, and ends in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.ports import BusyError, ForbiddenError, UnreachableError
from activities.run.polling import NotYetError, until
from tests.properties.clock import JumpingLoop

_ACTIVITIES = Path(__file__).parents[2] / "activities"
_SILENT = UnreachableError("silent")


class Check:
    """Gives one answer after the other, the last one for ever; notes when it was asked."""

    def __init__(self, *answers: int | Exception | None) -> None:
        self._answers = answers
        self.asked: list[float] = []

    async def __call__(self) -> int | None:
        answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append(asyncio.get_running_loop().time())
        if isinstance(answer, Exception):
            raise answer
        return answer


def waited(check: Callable[[], Awaitable[int | None]], *, every: float = 2, **settings: Any) -> int:
    """Return what ``until`` returns, by a clock that jumps."""
    loop = JumpingLoop()
    try:
        return loop.run_until_complete(until(check, every=every, **settings))
    finally:
        loop.end_all_tasks()
        loop.close()


@pytest.mark.parametrize("answer", [1, 0])
def test_an_answer_at_once_is_not_waited_for(answer: int) -> None:
    check = Check(answer)

    assert waited(check, within=1) == answer
    assert check.asked == [0]


def test_it_asks_again_at_its_pace_until_there_is_an_answer() -> None:
    check = Check(None, None, 7)

    assert waited(check) == 7
    assert check.asked == pytest.approx([0, 2, 4])


def test_time_is_up() -> None:
    check = Check(None)

    with pytest.raises(NotYetError, match=r"^$"):
        waited(check, within=5)
    assert check.asked == pytest.approx([0, 2, 4])


def test_a_question_that_is_never_answered_is_cut_short() -> None:
    async def silent() -> int:
        await asyncio.sleep(3600)
        raise AssertionError

    with pytest.raises(NotYetError):
        waited(silent, within=5)


@pytest.mark.parametrize("error", [_SILENT, NotYetError("it starts")])
def test_what_it_bears_is_asked_again(error: Exception) -> None:
    check = Check(error, None, error, 7)

    assert waited(check, bears=(UnreachableError,)) == 7
    assert check.asked == pytest.approx([0, 2, 4, 6])


@pytest.mark.parametrize(("seconds", "asked"), [(None, [0, 2]), (1, [0, 2]), (5, [0, 5])])
def test_who_names_a_time_is_not_asked_before(seconds: int | None, asked: list[int]) -> None:
    check = Check(BusyError("busy", None if seconds is None else timedelta(seconds=seconds)), 7)

    assert waited(check, bears=(BusyError,)) == 7
    assert check.asked == pytest.approx(asked)


def test_at_the_end_it_says_what_it_bore_last() -> None:
    with pytest.raises(NotYetError, match=r"^silent$") as caught:
        waited(Check(UnreachableError("refused"), _SILENT), within=5, bears=(UnreachableError,))
    assert caught.value.__cause__ is _SILENT


def test_what_was_borne_before_is_not_the_reason_of_a_later_no() -> None:
    with pytest.raises(NotYetError, match=r"^$"):
        waited(Check(_SILENT, None), within=5, bears=(UnreachableError,))


@pytest.mark.parametrize("error", [ForbiddenError("no"), TimeoutError("its own")])
def test_everything_else_ends_the_wait(error: Exception) -> None:
    check = Check(None, error)

    with pytest.raises(type(error)) as caught:
        waited(check, within=60, bears=(UnreachableError,))
    assert caught.value is error
    assert len(check.asked) == 2


async def test_a_cancel_goes_through() -> None:
    check = Check(_SILENT)
    waiting = asyncio.create_task(until(check, every=0.01, within=60, bears=(UnreachableError,)))
    while not check.asked:
        await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_cancel_that_a_library_swallows_ends_the_wait_all_the_same() -> None:
    """As ``asyncio.wait_for`` swallows it, when its answer comes at the same moment."""
    asked = asyncio.Event()

    async def swallows() -> None:
        asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    step = ActivityEnvironment()
    waiting: asyncio.Task[None] = asyncio.create_task(step.run(until, swallows, every=0.01, within=60))
    await asked.wait()
    step.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 10)


def test_every_step_hears_of_a_cancel_between_two_looks() -> None:
    """By ``sleep`` of polling. What ``measured`` does after the cancel that ends it is not to be cancelled once more."""
    itself = {"polling.py", "measured.py", "heartbeat.py"}
    files = [path for path in _ACTIVITIES.rglob("*.py") if "clients" not in path.parts and path.name not in itself]
    assert len(files) > 50
    assert [path.name for path in files if "asyncio.sleep" in path.read_text(encoding="utf-8")] == []
