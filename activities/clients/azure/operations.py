"""The address at which Azure tells how a long-running operation goes, kept small and without a door.

Azure signs that address and makes it 4 KB long, and the SDK's own continuation token holds it three times, in a form that
changes with the SDK's version. A run keeps the address alone, compressed. Its host is left out: the worker asks its own
Azure, and only for operations on databases of the target's subscription, whatever a step was told.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from activities.clients.azure.answers import BUSY
from activities.clients.flexible_ports import OperationFact, OperationState
from activities.clients.ports import MissingError

_PATH = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft\.DBforPostgreSQL/locations/[^/?]+"
    r"/azureAsyncOperation/[0-9a-fA-F-]+\?[^#\s]*",
    re.IGNORECASE,
)
_LONGEST = 64 * 1024
_ENDED_WELL, _ENDED_BADLY = "succeeded", {"failed", "canceled", "cancelled"}


def packed(address: str) -> str:
    """Return path and query of ``address``, compressed; empty when it is empty."""
    parts = urlsplit(address)
    return base64.b85encode(zlib.compress(f"{parts.path}?{parts.query}".encode(), 9)).decode() if address else ""


def path_of(operation: str, subscription: str) -> str:
    """Return what ``packed`` was given. MissingError: it is no operation on databases of ``subscription``."""
    try:
        path = zlib.decompressobj().decompress(base64.b85decode(operation), _LONGEST).decode()
    except (ValueError, zlib.error, binascii.Error) as error:
        raise MissingError("the operation's address cannot be read") from error
    found = _PATH.fullmatch(path)
    if found is None or found["subscription"].casefold() != subscription.casefold():
        raise MissingError(f"this is no operation on databases of subscription {subscription}")
    return path


def fact_of(body: dict[str, Any], retry_after: str) -> OperationFact:
    """Return what Azure's answer says. An ``error`` beside a status that is not final is none (recorded)."""
    status = str(body.get("status", "")).casefold()
    if status == _ENDED_WELL:
        return OperationFact(OperationState.SUCCEEDED)
    if status in _ENDED_BADLY:
        error = body.get("error") or {}
        code = str(error.get("code") or body["status"])
        state = OperationState.BUSY if code in BUSY else OperationState.FAILED
        return OperationFact(state, code, str(error.get("message") or "no reason given"))
    after = timedelta(seconds=int(retry_after)) if retry_after.isdecimal() else None
    return OperationFact(OperationState.RUNNING, after=after)
