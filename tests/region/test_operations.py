"""The address of Azure's operation: small in history, and no way to send a worker's token elsewhere."""

from __future__ import annotations

import secrets

import pytest

from activities.clients.azure.operations import fact_of, hostless, must_be_of
from activities.clients.operation_facts import OperationState
from activities.clients.ports import MissingError
from tests.region.samples import SUBSCRIPTION

_CERTIFICATE = secrets.token_urlsafe(1800)
_PATH = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/locations/East%20US/azureAsyncOperation"
    f"/299855ae-01b8-48ac-82bb-1271aec9a568?api-version=2026-10-01&t=639&c={_CERTIFICATE}&s={secrets.token_urlsafe(340)}&h=x"
)


def test_an_address_is_kept_once_and_without_its_host() -> None:
    operation = hostless(f"https://management.azure.com{_PATH}")
    assert must_be_of(SUBSCRIPTION.upper(), operation) == operation == _PATH
    assert hostless("") == ""


@pytest.mark.parametrize(
    "operation",
    [
        "", "@evil.example" + _PATH, "//evil.example" + _PATH, "https://evil.example" + _PATH, _PATH + "#x", _PATH + " x",
        _PATH.replace("Microsoft.DBforPostgreSQL", "Microsoft.Compute"), _PATH.replace(SUBSCRIPTION, "another"),
        _PATH.replace("azureAsyncOperation/", "azureAsyncOperation/../../"), _PATH.replace("East%20US", "a/../b"),
    ],
)  # fmt: skip
def test_no_other_address_is_asked(operation: str) -> None:
    with pytest.raises(MissingError):
        must_be_of(SUBSCRIPTION, operation)


@pytest.mark.parametrize(
    ("body", "state", "code"),
    [
        ({"status": "InProgress"}, OperationState.RUNNING, ""),
        ({"status": "InProgress", "error": {"code": "None", "message": None}}, OperationState.RUNNING, ""),
        ({"status": "A word of tomorrow"}, OperationState.RUNNING, ""),
        ({"status": "Succeeded"}, OperationState.SUCCEEDED, ""),
        ({"status": "Failed", "error": {"code": "ServerBusy", "message": "x"}}, OperationState.BUSY, "ServerBusy"),
        ({"status": "Failed", "error": {"code": "Broken", "message": "x"}}, OperationState.FAILED, "Broken"),
        ({"status": "Canceled"}, OperationState.FAILED, "Canceled"),
    ],
)
def test_how_an_operation_stands(body: dict[str, object], state: OperationState, code: str) -> None:
    fact = fact_of(body, "")
    assert (fact.state, fact.code) == (state, code)


def test_azure_says_when_to_ask_again() -> None:
    after = fact_of({"status": "InProgress"}, "15").after
    assert after is not None
    assert after.total_seconds() == 15
    assert fact_of({"status": "InProgress"}, "Wed, 21 Oct 2026 07:28:00 GMT").after is None
