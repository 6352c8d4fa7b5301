"""Azure Resource Manager over HTTP on a loopback address: the core, which knows no resource type.

A request is checked in this order, and the log says which check refused it: bearer token, ordered fault, subscription,
api-version given, resource type, api-version listed, method, role, resource group, body. The order among Azure's own checks
is not documented. Requests below ``/_emulator`` steer the emulator itself: no token, no log.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from deploy.lab.azure.errors import ArmError
from deploy.lab.azure.faults import Fault, Faults
from deploy.lab.azure.links import Link
from deploy.lab.azure.operations import OperationFailedError, Operations
from deploy.lab.azure.roles import Role, must_be_allowed
from deploy.lab.azure.routing import Answer, Call, Provider, Providers, Target, must_be_listed, parse

_ROOM_FOR_URLS = 32_768


@dataclass(frozen=True)
class Logged:
    """A request and what became of it. ``status`` 0: the connection was dropped without an answer."""

    at: datetime
    method: str
    path: str
    """Decoded, without the query."""
    api_version: str
    body: Any
    status: int
    refused_by: str
    """The check that refused it; empty if it was carried out."""


class Emulator:
    """``pace`` scales what Azure was seen to take: a planned switchover of 381 s takes 3.81 s at 0.01.

    Without ``roles`` everything is allowed; otherwise what one of them contains.
    """

    def __init__(self, subscription: str, token: str, roles: Sequence[Role] | None = None, pace: float = 0.01) -> None:
        self.subscription, self.token, self.roles = subscription, token, roles
        self.operations = Operations(pace)
        self.faults = Faults()
        self.log: list[Logged] = []
        self.url = ""
        self._providers = Providers()
        self._runner: web.AppRunner | None = None

    def serve(self, provider: Provider) -> None:
        """Register a resource provider."""
        self._providers.known[provider.namespace.lower()] = provider

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen, in the caller's event loop; port 0 takes a free one. ``url`` says where."""
        for provider in self._providers.known.values():
            await provider.start(self.operations)
        app = web.Application()
        app.router.add_get("/_emulator/log", self._show_log)
        app.router.add_post("/_emulator/faults", self._order_fault)
        app.router.add_delete("/_emulator/faults", self._clear_faults)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.5, max_line_size=_ROOM_FOR_URLS, max_field_size=_ROOM_FOR_URLS
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening and end all operations where they are."""
        if self._runner:
            await self._runner.cleanup()
        await self.operations.close()
        for provider in self._providers.known.values():
            await provider.stop()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        at, target, raw = datetime.now(UTC), parse(request.rel_url.raw_path), await request.read()
        fault: Fault | None = None
        response: web.Response | None = None
        refused_by = ""
        try:
            self._must_know(request)
            fault = self.faults.take(request.method, target.path)
            await _before(fault)
            response = await self._acted(request, target, raw, fault)
        except ArmError as error:
            refused_by = error.by
            response = _json(error.status, error.body) if error.status else None
            if response is not None and error.by == "fault" and fault and fault.retry_after is not None:
                response.headers["Retry-After"] = str(fault.retry_after)
        if fault and fault.drop == "after":
            response = None
        version = request.query.get("api-version", "")
        status = response.status if response is not None else 0
        self.log.append(Logged(at, request.method, target.path, version, _shown(raw), status, refused_by))
        return response if response is not None else _dropped(request)

    def _must_know(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if not given.startswith("Bearer "):
            raise ArmError(
                401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", by="bearer"
            )
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise ArmError(401, "InvalidAuthenticationToken", "The access token is invalid.", by="bearer")

    async def _acted(self, request: web.Request, target: Target, raw: bytes, fault: Fault | None) -> web.Response:
        version = self._version(request, target)
        if link := self._providers.link(target):
            return self._polled(request, target, version, *link)
        route, names = self._providers.route(target, request.method, version)
        must_be_allowed(self.roles, route.action, target.scope)
        if route.in_group and not self._providers.has_group(target.group):
            text = f"Resource group '{target.group}' could not be found."
            raise ArmError(404, "ResourceGroupNotFound", text, by="group")
        body = _read(raw)
        for action in route.linked(body):
            must_be_allowed(self.roles, action, target.scope, "LinkedAuthorizationFailed")
        call = Call(
            request.method, target, names, request.query, version, body, self.operations, _ending(fault),
            acted=bool(fault and fault.acted), supersedes=bool(fault and fault.supersedes),
        )  # fmt: skip
        answer = await route.handler(call)
        return self._told(answer, version, links=fault is None or fault.links)

    def _version(self, request: web.Request, target: Target) -> str:
        """Return the api-version. 404 for another subscription, 400 without a version."""
        if target.subscription.lower() != self.subscription.lower():
            text = f"The subscription '{target.subscription}' could not be found."
            raise ArmError(404, "SubscriptionNotFound", text, by="subscription")
        if version := request.query.get("api-version", ""):
            return version
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", text, by="api-version")

    def _told(self, answer: Answer, version: str, *, links: bool) -> web.Response:
        response = _json(answer.status, answer.body)
        if answer.operation and links:
            response.headers.update(self.operations.links(answer.operation, self.url, self.subscription, version))
        return response

    def _polled(self, request: web.Request, target: Target, version: str, link: Link, identifier: str) -> web.Response:
        """Answer at a URL of an operation. The result's answers 202 until there is one, and 400 if there will be none."""
        provider = self._providers.of(target)
        must_be_listed(target, version, provider.versions)
        must_be_allowed(self.roles, f"{provider.namespace}/{link.action}", target.scope)
        self.operations.must_be_signed(request.rel_url.raw_path, request.query)
        operation = self.operations.find(identifier)
        if link.is_status:
            return _json(200, operation.style.told(operation))
        if operation.status == "InProgress":
            return _json(202, None)
        if operation.status != "Succeeded":
            return _json(400, operation.error or None)
        return _json(204 if operation.result is None else 200, operation.result)

    async def _show_log(self, _: web.Request) -> web.Response:
        return web.json_response([{**dataclasses.asdict(one), "at": one.at.isoformat()} for one in self.log])

    async def _order_fault(self, request: web.Request) -> web.Response:
        try:
            self.faults.order(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return web.Response(status=204)

    async def _clear_faults(self, _: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=204)


async def _before(fault: Fault | None) -> None:
    """Carry out what a fault does before the request is looked at."""
    if fault is None:
        return
    await asyncio.sleep(fault.latency)
    if fault.drop == "before":
        raise ArmError(0, "", "", by="fault")
    if fault.status is not None:
        raise ArmError(fault.status, fault.code or "Ordered", fault.message, by="fault")


def _ending(fault: Fault | None) -> OperationFailedError | None:
    return OperationFailedError(fault.code, fault.message, fault.ends) if fault and fault.ends else None


def _read(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        text = f"The request content was invalid and could not be deserialized: '{error}'."
        raise ArmError(400, "InvalidRequestContent", text, by="contract") from None


def _shown(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return a body for the log; None if it is no JSON."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _json(status: int, body: Any) -> web.Response:  # noqa: ANN401 - any JSON
    return web.Response(status=status) if body is None else web.json_response(body, status=status)


def _dropped(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response()
