"""Long-running operations: begun by a 202, carried on whether anybody polls or not, told about at two signed URLs.

The 202 names ``azure-asyncoperation`` (the status) and ``location`` (the result). Azure signs both: they carry a certificate
and are about 4 KB long, so that a client which keeps them must have room for them. A URL with a changed signature is
refused; Azure's own code for that is not documented, and neither is how long it remembers an operation. Here that is until
``forget``.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from deploy.lab.azure.errors import ArmError, error_body

_CERTIFICATE = base64.urlsafe_b64encode(b"no certificate, only as long as one" * 72).decode().rstrip("=")


class OperationFailedError(Exception):
    """Raised by an operation's work: it ends so. Without a code it ends without an error body."""

    def __init__(self, code: str, message: str = "", status: str = "Failed") -> None:
        super().__init__(f"{status} {code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Plan:
    """What an operation is to do."""

    kind: str
    location: str
    seconds: float
    """How long it lasts at Azure, at least."""
    work: Callable[[], Awaitable[Any]]
    """Its value is the result."""
    done: Callable[[], None] = lambda: None
    """Called at the end, whatever the end is."""


@dataclass
class Operation:
    """One that was begun."""

    kind: str
    namespace: str
    location: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "InProgress"
    error: dict[str, Any] = field(default_factory=dict)
    result: Any = None

    @property
    def accepted(self) -> dict[str, str]:
        """The body of the 202."""
        return {"operation": self.kind, "startTime": self._start}

    @property
    def told(self) -> dict[str, Any]:
        """The body of a poll."""
        return {"name": self.id, "status": self.status, "startTime": self._start, **self.error}

    @property
    def _start(self) -> str:
        return f"{self.started:%Y-%m-%dT%H:%M:%S}.{self.started.microsecond // 1000:03d}".rstrip("0").rstrip(".") + "Z"


class Operations:
    """All operations of one emulator."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self._known: dict[str, Operation] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._secret = secrets.token_bytes(32)

    def begin(
        self, namespace: str, plan: Plan, ending: OperationFailedError | None = None, *, acted: bool = False
    ) -> Operation:
        """Begin one. With ``ending`` it ends so: without its work being done, unless ``acted``."""
        operation = Operation(plan.kind, namespace, plan.location)
        self._known[operation.id] = operation
        task = asyncio.create_task(self._carry_out(operation, plan, ending, acted=acted))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return operation

    async def _carry_out(
        self, operation: Operation, plan: Plan, ending: OperationFailedError | None, *, acted: bool
    ) -> None:
        until = time.monotonic() + plan.seconds * self.pace
        end = ending
        try:
            try:
                if ending is None or acted:
                    operation.result = await plan.work()
            except OperationFailedError as error:
                end = ending or error
            except Exception as error:  # noqa: BLE001 - told as Azure tells it, for it has no other way
                end = ending or OperationFailedError("InternalServerError", f"{type(error).__name__}: {error}")
            await asyncio.sleep(max(0.0, until - time.monotonic()))
        finally:
            plan.done()
        operation.error = error_body(end.code, end.message) if end and end.code else {}
        operation.status = end.status if end else "Succeeded"

    def find(self, identifier: str) -> Operation:
        """Return an operation. 404 for one that is unknown or forgotten."""
        if found := self._known.get(identifier.lower()):
            return found
        raise ArmError(404, "ResourceNotFound", f"The operation '{identifier}' was not found.", by="operations")

    def forget(self, identifier: str | None = None) -> None:
        """Answer 404 for an operation, or for all, from now on. What runs goes on."""
        for one in [identifier] if identifier else list(self._known):
            self._known.pop(one, None)

    def links(self, operation: Operation, base: str, subscription: str, version: str) -> dict[str, str]:
        """Return the headers of a 202."""
        below = f"/subscriptions/{subscription}/providers/{operation.namespace}/locations/{quote(operation.location)}"
        return {
            header: base + self._signed(f"{below}/{kind}/{operation.id}", version)
            for header, kind in (("azure-asyncoperation", "azureAsyncOperation"), ("location", "operationResults"))
        }

    def _signed(self, path: str, version: str) -> str:
        query = {"api-version": version, "t": str(time.time_ns()), "c": _CERTIFICATE}
        query |= {"s": self._signature(path, query), "h": secrets.token_urlsafe(32)}
        return f"{path}?{urlencode(query)}"

    def must_be_signed(self, raw_path: str, query: Mapping[str, str]) -> None:
        """Return if a poll comes with the URL as it was given."""
        if not hmac.compare_digest(self._signature(raw_path, query), query.get("s", "")):
            raise ArmError(403, "AuthorizationFailed", "The signature of the operation's URL is not valid.", by="signature")

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        said = "\n".join((path.lower(), *(query.get(name, "") for name in ("api-version", "t", "c"))))
        digest = hmac.new(self._secret, said.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest * 8).decode().rstrip("=")

    async def close(self) -> None:
        """End what still runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
