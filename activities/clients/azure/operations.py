"""The address at which Azure tells how a long-running operation goes, kept small and without a door.

Azure signs that address and makes it 3 to 4 KB long, and the SDK's own continuation token holds it three times, in a form
that changes with the SDK's version. A run keeps path and query alone. The host is left out: the worker asks its own Azure,
and only for operations of one kind in the target's subscription, whatever a step was told.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from enum import Enum
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from activities.clients.azure.answers import BUSY, LONGEST_PAUSE, translated
from activities.clients.operation_facts import OperationFact, OperationState
from activities.clients.ports import MissingError, UnreachableError


class Kind(Enum):
    """What operations are on, and at which paths Azure tells how they go."""

    DATABASES = (
        r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft\.DBforPostgreSQL/locations/[^/?]+"
        r"/azureAsyncOperation/[0-9a-fA-F-]+\?[^#\s]*"
    )
    FRONT_DOORS = (
        r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?!\.+/)[^/?#\s]+/providers/Microsoft\.Cdn"
        r"/operationresults/[0-9a-fA-F-]+\?[^#\s]*"
    )
    GATEWAYS = (
        r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft\.Network/locations/[^/?]+"
        r"/operations/[0-9a-fA-F-]+\?[^#\s]*"
    )


_ENDED_WELL, _ENDED_BADLY = "succeeded", {"failed", "canceled", "cancelled"}


def hostless(address: str) -> str:
    """Return path and query of ``address``; empty when it is empty."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if address else ""


def must_be_of(subscription: str, operation: str, kind: Kind = Kind.DATABASES) -> str:
    """Return ``operation``. MissingError: it is none of that ``kind`` in ``subscription``."""
    found = re.fullmatch(kind.value, operation, re.IGNORECASE)
    if found is None or found["subscription"].casefold() != subscription.casefold():
        what = kind.name.lower().replace("_", " ")
        raise MissingError(f"this is no operation on {what} of subscription {subscription}")
    return operation


async def asked(client: Any, address: str, what: str, right: str) -> OperationFact:  # noqa: ANN401 - of any SDK
    """Return how the operation at ``address`` stands; ``what`` and ``right`` are for errors, as in ``translated``."""
    rest = await asyncio.to_thread(import_module, "azure.core.rest")
    with translated(what, right):
        answer = await client.send_request(rest.HttpRequest("GET", address))
        answer.raise_for_status()
    try:
        return fact_of(answer.json(), answer.headers.get("Retry-After", ""))
    except ValueError as error:
        raise UnreachableError(f"{what}, answers what is no JSON") from error


def fact_of(body: dict[str, Any], retry_after: str) -> OperationFact:
    """Return what Azure's answer says. An ``error`` beside a status that is not final is none (recorded).

    A code that is known may stand in the error's ``details`` only, below "Canceled" or "RetryableError".
    """
    status = str(body.get("status", "")).casefold()
    if status == _ENDED_WELL:
        return OperationFact(OperationState.SUCCEEDED)
    if status in _ENDED_BADLY:
        error = body.get("error") or {}
        code = str(error.get("code") or body["status"])
        inner = [str(one.get("code") or "") for one in error.get("details") or ()]
        known = next((one for one in (code, *inner) if one in BUSY), "")
        state = OperationState.BUSY if known else OperationState.FAILED
        return OperationFact(state, known or code, str(error.get("message") or "no reason given"))
    after = min(timedelta(seconds=int(retry_after)), LONGEST_PAUSE) if retry_after.isdecimal() else None
    return OperationFact(OperationState.RUNNING, after=after)
