"""Azure Application Gateway: one resource that is replaced as a whole, and the health of what is behind it.

A PUT answers 200 at once, with the whole of what was sent and "Updating", and the operation goes on for about a minute. Two
things make it dangerous. There is no condition on a PUT here: who read before another wrote takes the other's change back,
and so does the SDK when it tries again after a 429, for it sends the same body (azure-cli #28615). And "Updating" is no sign
that an operation runs: it was seen to be gone after seconds while the operation went on (azure-cli #32961). What Azure does
not document is decided here for the emulator alone; nothing that uses it may rely on these:

* whether ``If-Match`` is honoured: UNKNOWN (for network security groups it is not). Here it is not looked at;
* which of two things a PUT meets while another runs. Both were seen: a 429 whose detail is
  RetryableErrorDueToAnotherOperation (here the rule; whether with ``Retry-After`` is not known, here without), and that it
  is accepted while the other ends Canceled, CanceledAndSupersededDueToAnotherOperation (here if a fault ``supersedes``);
* how long "Updating" is shown (here 10 s of the 60), and how often the etag changes (here at the PUT, after it, at the end);
* when the gateway works with a change (here when the operation ends), and what one that fails leaves (here GET shows what
  was sent, with the operation's end as its state, and the gateway goes on as before);
* the body of polls (here the status alone), what the Location of a question answers when it fails (here 400), and how long a
  question takes (here 5 s);
* when Partial and Draining are said: never here, unless a test puts them in (``shows``); the texts of ``healthProbeLog``;
* the status after the first bad probes of a server that was never good (here Unknown until enough failed);
* the code for a member without a name (here InvalidRequestFormat);
* which actions on other resources a PUT needs: joining subnets and public addresses and assigning identities, as the
  catalogue of roles says, are demanded here; other references are not.

A server is asked for the path at its address, without the host header that the settings choose.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.lab.azure.application_gateway_form import KIND, Put, joined, kept, shown
from deploy.lab.azure.application_gateway_health import Backends, Plane
from deploy.lab.azure.application_gateway_question import OnDemand, asked_now
from deploy.lab.azure.bodies import read
from deploy.lab.azure.errors import ArmError, no_resource
from deploy.lab.azure.links import NETWORK_CHANGE, NETWORK_QUESTION
from deploy.lab.azure.operations import Operation, OperationFailedError, Operations, Plan
from deploy.lab.azure.routing import Answer, Call, Route

VERSIONS = ("2024-01-01", "2025-01-01", "2025-07-01", "2026-03-01")
_SECONDS, _UPDATING_SECONDS, _QUESTION_SECONDS = 60, 10, 5
_OPERATION = "PutApplicationGatewayOperation"
_ONE = "applicationGateways/{gateway}"


@dataclass
class Gateway:
    """One gateway. ``running`` is what it works with; ``properties`` is what GET shows."""

    name: str
    group: str
    properties: dict[str, Any]
    running: dict[str, Any]
    top: dict[str, Any]
    backends: Backends
    state: str = "Succeeded"
    etag: str = ""
    operation: Operation | None = None
    updating_until: float = 0
    changes: int = field(default=0)

    def __post_init__(self) -> None:
        """Have an etag."""
        self.mark()

    def mark(self) -> None:
        """Change the etag."""
        self.etag = f'W/"{uuid.uuid4()}"'

    @property
    def is_changing(self) -> bool:
        """Whether an operation runs on it."""
        return self.operation is not None and self.operation.status == "InProgress"

    @property
    def shown_state(self) -> str:
        """What GET shows: Updating only for the first part of an operation."""
        if self.is_changing:
            return "Updating" if time.monotonic() < self.updating_until else "Succeeded"
        return self.state


class ApplicationGateways:
    """The resource type. ``add`` gateways, and serve it as a part of ``Network``; ``plane`` takes their requests."""

    versions: Sequence[str] = VERSIONS

    def __init__(self, subscription: str, plane: Plane) -> None:
        self._subscription, self._plane = subscription, plane
        self._gateways: dict[tuple[str, str], Gateway] = {}
        self.routes: Sequence[Route] = self._table()

    def add(self, name: str, group: str, location: str, properties: dict[str, Any], **top: Any) -> Gateway:  # noqa: ANN401
        """Let a gateway exist; ``properties`` as a PUT takes them, ``top`` is tags, zones and identity."""
        found = kept(properties, self._id_of(group, name))
        backends = Backends(name.lower(), self._plane)
        gateway = Gateway(name, group, found, found, {"location": location, **top}, backends)
        self._gateways[group.lower(), name.lower()] = gateway
        self.run(gateway, found)
        return gateway

    def run(self, gateway: Gateway, properties: dict[str, Any]) -> None:
        """Let a gateway work with these properties."""
        gateway.running = properties
        self._plane.work(gateway.name.lower(), properties)

    def gateway(self, name: str) -> Gateway:
        """Return a gateway, to look at it or to change what it shows."""
        return next(one for one in self._gateways.values() if one.name.lower() == name.lower())

    def has_group(self, group: str) -> bool:
        """Whether a gateway is in the group."""
        return any(one.group.lower() == group.lower() for one in self._gateways.values())

    async def start(self, operations: Operations) -> None:
        """Let the gateways begin."""
        await self._plane.begin(operations)

    async def stop(self) -> None:
        """Let them end."""
        await self._plane.end()

    def _table(self) -> tuple[Route, ...]:
        health, now = "backendhealth", "getBackendHealthOnDemand"
        return (
            Route("GET", _ONE, f"{KIND}/read", self._get, VERSIONS),
            Route("PUT", _ONE, f"{KIND}/write", self._put, VERSIONS, joined),
            Route("POST", f"{_ONE}/{health}", f"{KIND}/{health}/action", self._health, VERSIONS),
            Route("POST", f"{_ONE}/{now}", f"{KIND}/{now}/action", self._health_now, VERSIONS),
        )

    async def _get(self, call: Call) -> Answer:
        return Answer(body=self._body(self._found(call)))

    async def _put(self, call: Call) -> Answer:
        name, group = call.names["gateway"], call.target.group
        sent = read(Put, call.body)
        properties = kept(sent.properties, self._id_of(group, name))
        gateway = self._gateways.get((group.lower(), name.lower()))
        if gateway is None:
            created = self.add(name, group, sent.location, properties)
            self.run(created, kept({}, ""))
            return self._change(call, created, sent, properties, 201)
        if gateway.is_changing and not call.supersedes:
            raise self._busy(gateway)
        before = gateway.operation if gateway.is_changing else None
        answer = self._change(call, gateway, sent, properties, 200)
        if before and answer.operation:
            await call.operations.stop(before, _superseded(before, answer.operation))
        return answer

    def _change(self, call: Call, gateway: Gateway, sent: Put, properties: dict[str, Any], status: int) -> Answer:
        gateway.properties, gateway.top = properties, sent.top
        gateway.changes += 1
        change = gateway.changes
        gateway.mark()

        async def work() -> None:
            gateway.mark()

        def done() -> None:
            if gateway.changes == change:
                self.run(gateway, properties if call.acts else gateway.running)
                gateway.state = call.ending.status if call.ending else "Succeeded"
                gateway.mark()

        gateway.updating_until = time.monotonic() + _UPDATING_SECONDS * call.operations.pace
        plan = Plan(_OPERATION, gateway.top["location"], _SECONDS, work, done, NETWORK_CHANGE)
        answer = call.begin(plan, status, self._body(gateway, "Updating"))
        gateway.operation = answer.operation
        return answer

    async def _health(self, call: Call) -> Answer:
        gateway = self._found(call)

        async def work() -> dict[str, Any]:
            return await gateway.backends.told(gateway.running, self._id(gateway))

        return self._question(call, gateway, work)

    async def _health_now(self, call: Call) -> Answer:
        gateway, asked = self._found(call), read(OnDemand, call.body)
        work = asked_now(asked, gateway.running, self._id(gateway), self._plane.probe, call.operations.pace)
        return self._question(call, gateway, work)

    def _question(self, call: Call, gateway: Gateway, work: Any) -> Answer:  # noqa: ANN401 - a plan's work
        plan = Plan("BackendHealth", gateway.top["location"], _QUESTION_SECONDS, work, style=NETWORK_QUESTION)
        return call.begin(plan)

    def _found(self, call: Call) -> Gateway:
        found = self._gateways.get((call.target.group.lower(), call.names["gateway"].lower()))
        if found is None:
            raise no_resource(KIND, call.names["gateway"], call.target.group)
        return found

    def _busy(self, gateway: Gateway) -> ArmError:
        running = f"Operation {_OPERATION} ({gateway.operation.id if gateway.operation else ''})"
        text = f"{running} is updating resource {self._id(gateway)}. The call can be retried in 14 seconds."
        detail = {"code": "RetryableErrorDueToAnotherOperation", "message": text}
        return ArmError(429, "RetryableError", "A retryable error occured.", details=[detail])

    def _body(self, gateway: Gateway, state: str = "") -> dict[str, Any]:
        state = state or gateway.shown_state
        return {
            "name": gateway.name,
            "id": self._id(gateway),
            "etag": gateway.etag,
            "type": KIND,
            **gateway.top,
            "properties": shown(gateway.properties, self._id(gateway), gateway.etag, state),
        }

    def _id(self, gateway: Gateway) -> str:
        return self._id_of(gateway.group, gateway.name)

    def _id_of(self, group: str, name: str) -> str:
        return f"/subscriptions/{self._subscription}/resourceGroups/{group}/providers/{KIND}/{name}"


def _superseded(before: Operation, after: Operation) -> OperationFailedError:
    text = f"Operation {_OPERATION} ({before.id}) was canceled and superseded by operation {_OPERATION} ({after.id})."
    detail = {"code": "CanceledAndSupersededDueToAnotherOperation", "message": text}
    return OperationFailedError("Canceled", "Operation was canceled.", "Canceled", [detail])
