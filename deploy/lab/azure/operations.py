"""Long-running operations: begun by a 202, carried on whether anybody polls or not, told about at signed URLs.

Which URLs the answer names, and what a poll says, differs from service to service: ``links``. Azure signs them: they carry a
certificate and are about 4 KB long, so that a client which keeps them must have room for them. A URL with a changed
signature is refused; Azure's own code for that is not documented, and neither is how long it remembers an operation. Here
that is until ``forget``.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from deploy.lab.azure.errors import ArmError, error_body
from deploy.lab.azure.links import FLEXIBLE, Style

_CERTIFICATE = base64.urlsafe_b64encode(b"no certificate, only as long as one" * 72).decode().rstrip("=")


class OperationFailedError(Exception):
    """Raised by an operation's work: it ends so. Without a code it ends without an error body."""

    def __init__(self, code: str, message: str = "", status: str = "Failed", details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.code, self.message, self.status, self.details = code, message, status, details


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
    style: Style = FLEXIBLE


@dataclass
class Operation:
    """One that was begun."""

    kind: str
    namespace: str
    location: str
    group: str = ""
    style: Style = FLEXIBLE
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "InProgress"
    error: dict[str, Any] = field(default_factory=dict)
    result: Any = None

    def end(self, failed: OperationFailedError | None) -> None:
        """Let it have ended: well, or so."""
        self.error = error_body(failed.code, failed.message, failed.details) if failed and failed.code else {}
        self.status = failed.status if failed else "Succeeded"

    @property
    def start_time(self) -> str:
        """When it began, as polls tell it."""
        return f"{self.started:%Y-%m-%dT%H:%M:%S}.{self.started.microsecond // 1000:03d}".rstrip("0").rstrip(".") + "Z"


class Operations:
    """All operations of one emulator."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self._known: dict[str, Operation] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._secret = secrets.token_bytes(32)

    def begin(
        self, namespace: str, group: str, plan: Plan, ending: OperationFailedError | None = None, *, acted: bool = False
    ) -> Operation:
        """Begin one. With ``ending`` it ends so: without its work being done, unless ``acted``."""
        operation = Operation(plan.kind, namespace, plan.location, group, plan.style)
        self._known[operation.id] = operation
        task = asyncio.create_task(self._carry_out(operation, plan, ending, acted=acted))
        self._running[operation.id] = task
        task.add_done_callback(lambda _: self._running.pop(operation.id, None))
        return operation

    async def stop(self, operation: Operation, failed: OperationFailedError) -> None:
        """End one that runs, where it is."""
        if task := self._running.get(operation.id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            operation.end(failed)

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
        operation.end(end)

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
        """Return the headers of the answer that began it."""
        headers = dict(operation.style.headers)
        for link in operation.style.links:
            group = f"/resourcegroups/{quote(operation.group)}" if link.in_group else ""
            below = link.pattern.format(location=quote(operation.location), operation=operation.id)
            path = f"/subscriptions/{subscription}{group}/providers/{operation.namespace}/{below}"
            headers[link.header] = base + self._signed(path, version)
        return headers

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
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
