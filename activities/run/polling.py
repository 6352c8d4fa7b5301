"""Asks again and again until there is an answer. The step's heartbeat goes on meanwhile (``activities.run.heartbeat``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import activity

T = TypeVar("T")


_ANSWER_SECONDS = 0.3
"""What an attempt keeps for its own answer, when it tells others how long they may take."""
_SOON = timedelta(seconds=0.3)


class AttemptClock:
    """How much of this attempt of a step is left: what it asks for must answer before the attempt is given up."""

    def __init__(self) -> None:
        """Begin now."""
        self._loop = asyncio.get_running_loop()
        info = activity.info()
        allowed = info.start_to_close_timeout or timedelta.max
        self._ends = self._loop.time() + allowed.total_seconds() / info.attempt - _ANSWER_SECONDS

    def left(self, at_most: timedelta) -> timedelta:
        """Return it, ``at_most``; a little is always left. A later attempt has less: what the first took is gone."""
        return max(min(timedelta(seconds=self._ends - self._loop.time()), at_most), _SOON)


class NotYetError(TimeoutError):
    """There is no answer, in these words: a check raises it to be asked again, ``until`` when time is up."""


async def sleep(seconds: float) -> None:
    """Sleep between two looks; end the step, if it was cancelled meanwhile and has not heard of it.

    A cancel is one CancelledError, and a library may swallow it: ``asyncio.wait_for`` of Python 3.11 does, when its answer
    comes at the same moment. The step would go on for as long as it may, and its worker could not end before.
    """
    await asyncio.sleep(seconds)
    if activity.in_activity() and activity.is_cancelled():
        raise asyncio.CancelledError


async def until(
    check: Callable[[], Awaitable[T | None]],
    *,
    every: float,
    within: float | None = None,
    bears: tuple[type[Exception], ...] = (),
) -> T:
    """Return the first answer of ``check`` that is not ``None``; wait ``every`` seconds between two questions.

    What is in ``bears`` counts as no answer, as NotYetError does; everything else that ``check`` raises ends the wait. One
    that says when it wants to be asked again (``after``) is not asked before.

    Raises:
        NotYetError: no answer ``within`` seconds, in the words of the last one borne. A question under way is cut short.

    """
    why: Exception | None = None
    borne: tuple[type[Exception], ...] = (NotYetError, *bears)
    try:
        async with asyncio.timeout(within) as limit:
            while True:
                pause = every
                try:
                    if (answer := await check()) is not None:
                        return answer
                    why = None
                except borne as error:
                    why = error
                    after: timedelta | None = getattr(error, "after", None)
                    pause = max(every, after.total_seconds() if after else 0)
                await sleep(pause)
    except TimeoutError:
        if limit.expired():
            raise NotYetError(str(why or "")) from why
        raise
