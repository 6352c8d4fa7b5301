"""Asks again and again until there is an answer. The step's heartbeat goes on meanwhile (``activities.run.heartbeat``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class NotYetError(TimeoutError):
    """There is no answer, in these words: a check raises it to be asked again, ``until`` when time is up."""


async def until(
    check: Callable[[], Awaitable[T | None]],
    *,
    every: float,
    within: float | None = None,
    bears: tuple[type[Exception], ...] = (),
) -> T:
    """Return the first answer of ``check`` that is not ``None``; wait ``every`` seconds between two questions.

    What is in ``bears`` counts as no answer, as NotYetError does; everything else that ``check`` raises ends the wait.

    Raises:
        NotYetError: no answer ``within`` seconds, in the words of the last one borne. A question under way is cut short.

    """
    why: Exception | None = None
    borne: tuple[type[Exception], ...] = (NotYetError, *bears)
    try:
        async with asyncio.timeout(within) as limit:
            while True:
                try:
                    if (answer := await check()) is not None:
                        return answer
                    why = None
                except borne as error:
                    why = error
                await asyncio.sleep(every)
    except TimeoutError:
        if limit.expired():
            raise NotYetError(str(why or "")) from why
        raise
