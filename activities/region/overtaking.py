"""A change that names the version it was decided by is decided and made again when somebody else was quicker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from activities.clients.ports import ConflictError

T = TypeVar("T")


async def unless_overtaken(what: str, tries: int, change: Callable[[], Awaitable[T]]) -> T:
    """Return what ``change`` returns, which looks first and then changes ``what``.

    Raises:
        ConflictError: somebody else was quicker at each of the ``tries``.

    """
    for _ in range(tries):
        try:
            return await change()
        except ConflictError:
            continue
    raise ConflictError(f"{what} changes again and again")
