"""How Azure is asked while somebody waits for a plan: a few times, since it may be busy for a moment, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.run.polling import sleep

T = TypeVar("T")
_TRIES, _ANSWER_SECONDS = 4, 15.0
NO_ANSWER = (UnreachableError, BusyError, MissingError, ForbiddenError, RequestRefusedError)
"""What a look may meet: it is part of what was seen."""


async def patiently(ask: Callable[[], Awaitable[T]], poll: timedelta, *, seconds: float = _ANSWER_SECONDS) -> T:
    """Return an answer of Azure, which may be silent or busy for a moment; where a region is lost, for long.

    ``poll`` is waited between two tries, and as long as Azure wants (``Retry-After``) where it says so; an answer that would
    come too late then is not waited for. Raises what ``ask`` raises last; UnreachableError: no answer within ``seconds``.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            for _ in range(_TRIES - 1):
                pause = poll
                try:
                    return await ask()
                except UnreachableError:
                    pass
                except BusyError as error:
                    pause = max(poll, error.after or poll)
                    if asyncio.get_running_loop().time() + pause.total_seconds() >= (limit.when() or 0):
                        raise
                await sleep(pause.total_seconds())
            return await ask()
    except TimeoutError as error:
        raise UnreachableError(f"Azure does not answer within {seconds:g} s") from error
