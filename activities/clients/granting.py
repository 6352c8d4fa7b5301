"""What we may not do is refused for good; silence is tried again."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from activities.clients.ports import ForbiddenError
from activities.run.errors import Refusal, refuse

T = TypeVar("T")


async def granted(question: Awaitable[T], remedy: str = "see the worker's Role") -> T:
    """Return the answer. ApplicationError: ``Unreachable``, with what we may not do and the ``remedy``."""
    try:
        return await question
    except ForbiddenError as error:
        raise refuse(Refusal.UNREACHABLE, f"{error}; {remedy}") from error
