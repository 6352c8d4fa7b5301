"""The only place where a message of another program is read: what has no code of its own, by the fragment that tells it.

A fragment that another version words differently is taken for an unknown error, never for a different one.
"""

from __future__ import annotations

from enum import Enum


class Message(Enum):
    """What a program says, and by which fragments."""

    LIBPQ_REFUSED = ("Connection refused",)
    """libpq hands on what the operating system says and drops its number."""
    POSTGRES_NO_ROOM = ("too many clients", "too many connections", "remaining connection slots")
    """A server turns a new connection away before libpq has a SQLSTATE to show."""
    POSTGRES_FATAL = ("FATAL",)
    """Any other reason of a server to turn a new connection away."""
    POSTGRES_NOT_WAITED_FOR = ("canceling wait for synchronous replication",)
    """A warning without a SQLSTATE of its own: the commit is done, and on the primary only."""
    REDIS_NO_ROOM = ("max number of clients",)
    SEVERAL_BUDGETS = ("PodDisruptionBudget",)
    """The API server answers 500, without a cause, when several budgets protect a pod."""
    AZURE_SUBSCRIPTION = ("subscription", "Subscription")
    """Azure has several codes for a subscription that may not be used."""


def first_line(error: object) -> str:
    """Return the first line of what an error says, shortened: libpq explains a refused connection in a second one."""
    return next(iter(str(error).strip().splitlines()), "")[:300]


def says(what: object, message: Message) -> bool:
    """Whether ``what``, an error or a text, is that message."""
    text = str(what)
    return any(fragment in text for fragment in message.value)


def is_refused(error: BaseException) -> bool:
    """Whether the operating system refused the connection, in the error itself or in what lies behind it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionRefusedError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
