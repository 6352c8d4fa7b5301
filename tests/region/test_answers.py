"""What Azure's errors mean: a no, busy, or silence after which a change may have happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from activities.clients.azure.answers import translated
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError


class _Response:
    reason = "reason"

    def __init__(self, status: int, **headers: str) -> None:
        self.status_code, self.headers = status, headers


def _error(status: int, code: str, **headers: str) -> HttpResponseError:
    error = HttpResponseError("words", response=cast("Any", _Response(status, **headers)))
    error.error = cast("Any", type("Error", (), {"code": code})()) if code else None
    return error


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "ExpiredAuthenticationToken", ForbiddenError),
        (403, "AuthorizationFailed", ForbiddenError),
        (404, "SubscriptionNotFound", ForbiddenError),
        (404, "ResourceNotFound", MissingError),
        (404, "", UnreachableError),
        (429, "SubscriptionRequestsThrottled", BusyError),
        (429, "", BusyError),
        (409, "Conflict", BusyError),
        (400, "ServerIsNotReady", BusyError),
        (400, "InvalidParameterValue", RequestRefusedError),
        (400, "", UnreachableError),
        (408, "RequestTimeout", UnreachableError),
        (500, "InternalServerError", UnreachableError),
        (503, "SubscriptionServiceUnavailable", UnreachableError),
    ],
)
def test_each_answer_is_what_the_ports_know(status: int, code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind), translated("Azure", "a/right"):
        raise _error(status, code)


def test_no_connection_is_silence() -> None:
    with pytest.raises(UnreachableError, match="Azure: no route"), translated("Azure", "a/right"):
        raise ServiceRequestError("no route")


@pytest.mark.parametrize(("told", "after"), [("7", 7), ("3600", 60), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_azure_says_when_to_ask_again_and_is_not_waited_for_too_long(told: str, after: int | None) -> None:
    with pytest.raises(BusyError) as caught, translated("Azure", "a/right"):
        raise _error(429, "TooManyRequests", **{"Retry-After": told})
    assert caught.value.after == (timedelta(seconds=after) if after else None)
