"""``until`` asks again at a steady pace, bears what it is told to, and ends in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from activities.clients.ports import ForbiddenError, UnreachableError
from activities.run.polling import NotYetError, until

_EVERY = 0.01


def answering(*answers: int | Exception | None) -> tuple[Callable[[], Awaitable[int | None]], list[float]]:
    """Return a check that gives one answer after the other, the last one for ever; and when it was asked."""
    asked: list[float] = []

    async def check() -> int | None:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(asyncio.get_running_loop().time())
        if isinstance(answer, Exception):
            raise answer
        return answer

    return check, asked


@pytest.mark.parametrize("answer", [1, 0])
async def test_an_answer_at_once_is_not_waited_for(answer: int) -> None:
    check, asked = answering(answer)

    assert await until(check, every=60, within=0.5) == answer
    assert len(asked) == 1


async def test_it_asks_again_at_its_pace_until_there_is_an_answer() -> None:
    check, asked = answering(None, None, 7)

    assert await until(check, every=_EVERY) == 7
    assert all(later - earlier >= _EVERY * 0.9 for earlier, later in pairwise(asked))
    assert len(asked) == 3


async def test_time_is_up() -> None:
    check, asked = answering(None)

    with pytest.raises(NotYetError, match=r"^$"):
        await until(check, every=_EVERY, within=5 * _EVERY)
    assert len(asked) > 1


async def test_a_question_that_is_never_answered_is_cut_short() -> None:
    with pytest.raises(NotYetError):
        await until(asyncio.Event().wait, every=_EVERY, within=_EVERY)


@pytest.mark.parametrize("error", [UnreachableError("silent"), NotYetError("it starts")])
async def test_what_it_bears_is_asked_again(error: Exception) -> None:
    check, asked = answering(error, None, error, 7)

    assert await until(check, every=_EVERY, bears=(UnreachableError,)) == 7
    assert len(asked) == 4


async def test_at_the_end_it_says_what_it_bore_last() -> None:
    check, _ = answering(UnreachableError("refused"), UnreachableError("silent"))

    with pytest.raises(NotYetError, match=r"^silent$") as caught:
        await until(check, every=_EVERY, within=5 * _EVERY, bears=(UnreachableError,))
    assert isinstance(caught.value.__cause__, UnreachableError)


@pytest.mark.parametrize("error", [ForbiddenError("no"), TimeoutError("its own")])
async def test_everything_else_ends_the_wait(error: Exception) -> None:
    check, asked = answering(None, error)

    with pytest.raises(type(error), match=str(error)) as caught:
        await until(check, every=_EVERY, within=5, bears=(UnreachableError,))
    assert caught.value is error
    assert len(asked) == 2


async def test_a_cancel_goes_through() -> None:
    check, asked = answering(UnreachableError("silent"))
    waiting = asyncio.create_task(until(check, every=_EVERY, within=60, bears=(UnreachableError,)))
    while not asked:
        await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
