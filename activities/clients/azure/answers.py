"""What Azure answers, in the errors of the ports: a no, busy, or silence after which a change may have happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from azure.core.exceptions import AzureError, HttpResponseError

from activities.clients.foreign import Message, first_line, says
from activities.clients.ports import (
    BusyError,
    ConflictError,
    ForbiddenError,
    MissingError,
    RequestRefusedError,
    UnreachableError,
)

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TIMEOUT, _CONFLICT, _CHANGED, _THROTTLED = 401, 403, 404, 408, 409, 412, 429
_FAULTS = range(500, 600)
LONGEST_PAUSE = timedelta(minutes=1)
"""However long Azure asks us to wait: somebody waits for us, too."""
BUSY = {
    "ServerBusy",
    "ServerIsNotReady",
    "RetryableErrorDueToAnotherOperation",
    "CanceledAndSupersededDueToAnotherOperation",
}
"""Codes that Azure gives, at once or inside an operation, while something else is going on."""


@contextmanager
def translated(who: str, permission: str) -> Iterator[None]:
    """Raise what the ports know in the place of what the SDK raises. ``who`` begins the sentence.

    Raises:
        ForbiddenError: names ``permission``, which the worker's identity lacks.
        MissingError: Azure knows no such resource.
        BusyError: it was not done, and may be asked again.
        ConflictError: the resource has changed since it was read (412); it was not done.
        RequestRefusedError: it was not done, and will not be.
        UnreachableError: no answer, or one from which nobody can tell whether it was done.

    """
    try:
        yield
    except HttpResponseError as error:
        raise _of(error, who, permission) from error
    except (AzureError, TimeoutError) as error:
        raise UnreachableError(f"{who}: {first_line(error) or 'no answer in time'}") from error


def _of(error: HttpResponseError, who: str, permission: str) -> Exception:
    status, code = error.status_code or 0, str(getattr(error.error, "code", None) or "")
    words = f"{who}, says {status} {code}"
    if status in {_CONFLICT, _THROTTLED} or code in BUSY:
        return BusyError(f"{words}: {first_line(error)}", _retry_after(error))
    if status == _CHANGED:
        return ConflictError(f"{words}: {first_line(error)}")
    if status in {_UNAUTHORIZED, _FORBIDDEN} or (status < _FAULTS.start and says(code, Message.AZURE_SUBSCRIPTION)):
        return ForbiddenError(f"{words}: grant the worker {permission}")
    if status == _NOT_FOUND and code.removesuffix("NotFound") != code:  # not of a proxy on the way
        return MissingError(f"{who}, knows no such resource ({code})")
    if status in {_TIMEOUT, _NOT_FOUND, *_FAULTS} or not code:
        return UnreachableError(f"{who}: {status or 'no answer'} {first_line(error)}")
    return RequestRefusedError(f"{words}: {first_line(error)}", code)


def _retry_after(error: HttpResponseError) -> timedelta | None:
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    told = headers.get("Retry-After", "")
    return min(timedelta(seconds=int(told)), LONGEST_PAUSE) if told.isdecimal() else None


def word(value: object) -> str:
    """Return the value of an SDK's enum, or a text that this version does not know as it is; empty for nothing."""
    return str(getattr(value, "value", value) or "")
