"""Azure Traffic Manager: profiles whose names lead to an endpoint that answers, by priority.

A change is answered when it is made: there are no operations. What clients see of it is another matter. Traffic Manager only
answers names: whoever has asked keeps the answer as long as the profile's ``ttl`` says, and an endpoint that dies is
Degraded only after ``toleratedNumberOfFailures`` + 1 bad probes in a row. Disabling an endpoint needs no probes. If no
endpoint is healthy all enabled ones count as healthy, so that the name leads to the first of them, dead or not. What Azure
does not document is decided here for the emulator alone; nothing that uses it may rely on these:

* the code of refusals (here BadRequest), also for two endpoints of the same priority, which the API's text forbids;
* the status after the first bad probes of an endpoint that was never good (here CheckingEndpoint until enough failed), and
  how many good ones end Degraded (here one);
* what a change of the target or of the monitor's settings does to the status (here: CheckingEndpoint at once);
* what a profile shows whose endpoints are Unmonitored (here Online, unless another is Degraded);
* the DNS answer when every endpoint is disabled (here NXDOMAIN, as is documented for a disabled profile);
* when a change reaches Traffic Manager's name servers (here at once), and when a probe's result does;
* that probes come from many places, which must agree (here from one).

Only priority routing is answered: the name of a profile with another method does not exist here. Nested profiles are not
emulated, and profiles are neither created nor changed through the API, except for their endpoints.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from deploy.lab.azure.bodies import read
from deploy.lab.azure.errors import ArmError, no_resource
from deploy.lab.azure.operations import Operations
from deploy.lab.azure.probing import Check, Probe, Prober
from deploy.lab.azure.routing import Answer, Call, Route
from deploy.lab.azure.traffic_models import EndpointPatch
from deploy.lab.azure.traffic_profile import ENDPOINT_TYPES, KIND, Endpoint, Profile

VERSIONS = ("2022-04-01", "2026-09-01")
_ONE = "trafficManagerProfiles/{profile}"
_FIELDS = {
    "target": "target", "endpointStatus": "status", "weight": "weight", "priority": "priority",
    "endpointLocation": "location", "alwaysServe": "always_serve",
}  # fmt: skip


class Names(Protocol):
    """Where profiles are published."""

    def decide(self, name: str, target: Callable[[], str | None], ttl: int) -> None:
        """Let a full name be an alias of what ``target`` returns at each query."""


class TrafficManager:
    """The resource type. ``add`` profiles, and serve it as a part of ``Network``."""

    versions: Sequence[str] = VERSIONS

    def __init__(self, subscription: str, probe: Probe, names: Names) -> None:
        self._subscription, self._names = subscription, names
        self._profiles: dict[str, Profile] = {}
        self.prober = Prober(probe, self._checks)
        self.routes: Sequence[Route] = self._table()

    def add(self, *profiles: Profile) -> None:
        """Let profiles exist, and their names."""
        for one in profiles:
            self._profiles[one.name.lower()] = one
            self._names.decide(one.fqdn, self._chooser(one), one.ttl)

    def profile(self, name: str) -> Profile:
        """Return a profile, to look at it or to change it."""
        return self._profiles[name.lower()]

    def _chooser(self, profile: Profile) -> Callable[[], str | None]:
        return lambda: profile.chosen(self.prober)

    def has_group(self, group: str) -> bool:
        """Whether a profile is in the group."""
        return any(one.group.lower() == group.lower() for one in self._profiles.values())

    async def start(self, operations: Operations) -> None:
        """Probe."""
        self.prober.start(operations)

    async def stop(self) -> None:
        """Probe no more."""
        await self.prober.stop()

    def _checks(self) -> Iterable[Check]:
        return (check for one in self._profiles.values() for check in one.checks())

    def _table(self) -> tuple[Route, ...]:
        rows = [("GET", _ONE, "read", self._get)]
        for kind in ENDPOINT_TYPES:
            rows += [
                ("GET", f"{_ONE}/{kind}/{{endpoint}}", f"{kind}/read", self._get_endpoint),
                ("PATCH", f"{_ONE}/{kind}/{{endpoint}}", f"{kind}/write", self._patch),
            ]
        return tuple(Route(method, path, f"{KIND}/{action}", handler, VERSIONS) for method, path, action, handler in rows)

    async def _get(self, call: Call) -> Answer:
        profile = self._found(call)
        return Answer(body=profile.body(self._id_of(profile), self.prober))

    async def _get_endpoint(self, call: Call) -> Answer:
        return Answer(body=self._shown(*self._endpoint(call)))

    async def _patch(self, call: Call) -> Answer:
        profile, endpoint = self._endpoint(call)
        given = read(EndpointPatch, call.body, "BadRequest").properties.given()
        others = [one for one in profile.endpoints if one is not endpoint and one.priority == given.get("priority")]
        if others and profile.routing == "Priority":
            raise ArmError(400, "BadRequest", f"The priority {others[0].priority} is that of '{others[0].name}' already.")
        for name, value in given.items():
            _set(endpoint, name, value)
        return Answer(body=self._shown(profile, endpoint))

    def _shown(self, profile: Profile, endpoint: Endpoint) -> dict[str, Any]:
        return profile.endpoint_body(endpoint, self._id_of(profile), self.prober)

    def _found(self, call: Call) -> Profile:
        found = self._profiles.get(call.names["profile"].lower())
        if found is None or found.group.lower() != call.target.group.lower():
            raise no_resource(KIND, call.names["profile"], call.target.group)
        return found

    def _endpoint(self, call: Call) -> tuple[Profile, Endpoint]:
        profile, kind, name = self._found(call), call.target.rest[2], call.names["endpoint"]
        for one in profile.endpoints:
            if (one.kind.lower(), one.name.lower()) == (kind.lower(), name.lower()):
                return profile, one
        raise no_resource(f"{KIND}/{kind}", f"{profile.name}/{name}", profile.group)

    def _id_of(self, profile: Profile) -> str:
        return f"/subscriptions/{self._subscription}/resourceGroups/{profile.group}/providers/{KIND}/{profile.name}"


def _set(endpoint: Endpoint, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    known = {one.name for one in dataclasses.fields(endpoint)}
    if _FIELDS.get(name) in known:
        setattr(endpoint, _FIELDS[name], value)
    elif name != "endpointMonitorStatus":
        endpoint.more[name] = value
